import type { Socket } from 'node:net';

type Step = { readonly dueAt: number; readonly bytes: Buffer } | { readonly dueAt: number; readonly end: 'end' | 'reset' };

/** One direction of a proxied connection: passes bytes on in order, late if asked, and not at all while held. */
export class ProxiedDirection {
  readonly #to: Socket;
  #queue: Step[] = [];
  #held = false;
  #delayMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket) {
    this.#to = to;
    from.on('data', (bytes) => { this.#add({ dueAt: this.#due(), bytes }); });
    from.on('end', () => { this.#add({ dueAt: this.#due(), end: 'end' }); });
    from.on('error', () => { this.#add({ dueAt: this.#due(), end: 'reset' }); });
  }

  set({ held, delayMs }: { held: boolean; delayMs: number }): void {
    this.#held = held;
    this.#delayMs = delayMs;
    this.#pass();
  }

  /** Drops what is under way. */
  abandon(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #due(): number {
    return this.#delayMs === 0 ? 0 : performance.now() + this.#delayMs;
  }

  #add(step: Step): void {
    this.#queue.push(step);
    this.#pass();
  }

  #pass(): void {
    clearTimeout(this.#timer);
    while (!this.#held) {
      const [step] = this.#queue;
      if (!step) return;
      const wait = step.dueAt - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => { this.#pass(); }, wait);
        return;
      }
      this.#queue.shift();
      this.#deliver(step);
    }
  }

  #deliver(step: Step): void {
    if (this.#to.destroyed) return;
    if ('bytes' in step) this.#to.write(step.bytes);
    else if (step.end === 'end') this.#to.end();
    else this.#to.resetAndDestroy();
  }
}
