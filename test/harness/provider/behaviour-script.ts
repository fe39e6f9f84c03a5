import type { Arrived, Behaviour, BehaviourChooser } from './behaviour.ts';

/** What was ordered for the next requests. */
export interface Ordered {
  /** How many requests have met it. */
  readonly met: number;
  /** Later requests do not meet it any more. */
  withdraw(): void;
}

interface Line {
  readonly behaviour: Behaviour;
  readonly grantId: string | undefined;
  left: number;
}

/** Which request meets which behaviour: what was ordered for the next requests first, then what holds always. */
export class BehaviourScript {
  #next: Line[] = [];
  #always: { choose: BehaviourChooser; grantId: string | undefined }[] = [];

  next(behaviour: Behaviour, { grantId, times = 1 }: { grantId?: string; times?: number }): Ordered {
    const line: Line = { behaviour, grantId, left: times };
    this.#next.push(line);
    return {
      get met() { return times - line.left; },
      withdraw: () => this.#forget(line),
    };
  }

  /** @returns what ends it */
  always(behaviour: Behaviour | BehaviourChooser, { grantId }: { grantId?: string }): () => void {
    const rule = { choose: typeof behaviour === 'function' ? behaviour : () => behaviour, grantId };
    this.#always.unshift(rule);
    return () => { this.#always = this.#always.filter((other) => other !== rule); };
  }

  clear(): void {
    this.#next = [];
    this.#always = [];
  }

  /** Takes the behaviour for one request. */
  take(request: Arrived): Behaviour | null {
    const { grantId } = request;
    const line = this.#next.find((candidate) => candidate.grantId === undefined || candidate.grantId === grantId);
    if (line) {
      line.left--;
      if (line.left <= 0) this.#forget(line);
      return line.behaviour;
    }
    for (const { choose, grantId: only } of this.#always) {
      const behaviour = only === undefined || only === grantId ? choose(request) : null;
      if (behaviour) return behaviour;
    }
    return null;
  }

  #forget(line: Line): void {
    this.#next = this.#next.filter((other) => other !== line);
  }
}
