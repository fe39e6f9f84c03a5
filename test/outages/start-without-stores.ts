import { setTimeout as sleep } from 'node:timers/promises';

import { startNode, type NodeProcess } from '../harness/node-process.ts';
import type { Stage } from './stage.ts';

export interface StartFacts {
  /** How often the node that was started again was asked while there was no store, and how often it answered anything. */
  readonly asked: number;
  readonly answered: number;
  /** What it said meanwhile. */
  readonly saidWaiting: string;
  /** How long after the stores' return it took load, ms. */
  readonly readyMs: number;
  /** How a node ends whose patience (`startup.storeTimeout`) is over before that. */
  readonly exitCode: number | null;
  readonly saidEnding: string;
}

const impatienceMs = 2000;
const readyLimitMs = 60_000;

/** Kills a node and starts it again while no store is there, and beside it one that has little patience. */
export class StartWithoutStores {
  readonly #stage: Stage;
  #asked = 0;
  #answered = 0;
  #exitCode: number | null = null;
  #saidEnding = '';

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Takes most of the outage. */
  async during(seconds: number): Promise<void> {
    await sleep(seconds * 200);
    const { nodes } = this.#stage;
    const last = nodes.length - 1;
    await nodes[last]!.kill();
    nodes[last] = await nodes[last]!.again();
    const impatient = await startNode({ config: this.#stage.config(nodes.length + 1, { startup: { storeTimeout: impatienceMs } }) });
    const ended = impatient.exited;
    const until = performance.now() + seconds * 600;
    while (performance.now() < until) await this.#ask(nodes[last]);
    this.#exitCode = await Promise.race([ended.then(({ code }) => code), sleep(1000, null)]);
    this.#saidEnding = /^Unable to start.*$/m.exec(impatient.output())?.[0] ?? '';
    await impatient.stop(1000);
  }

  /** @param backAt when the stores were back, epoch ms */
  async facts(backAt: number): Promise<StartFacts> {
    const node = this.#stage.nodes.at(-1)!;
    await node.waitReady(readyLimitMs);
    const readyAt = /"time":"?([^",]+)"?[^\n]*"The service is ready"/.exec(node.output())?.[1] ?? '';
    const saidWaiting = /The database does not answer[^"]*/.exec(node.output())?.[0] ?? '';
    return { asked: this.#asked, answered: this.#answered, saidWaiting, readyMs: Date.parse(readyAt) - backAt, exitCode: this.#exitCode, saidEnding: this.#saidEnding };
  }

  async #ask({ appUrl, adminUrl }: NodeProcess): Promise<void> {
    const owner = this.#stage.owners[this.#asked % this.#stage.owners.length]?.id ?? '';
    for (const url of [`${appUrl}/tokenservice/${encodeURIComponent(owner)}`, `${adminUrl}/ready`]) {
      this.#asked++;
      await fetch(url, { signal: AbortSignal.timeout(1000) }).then(() => this.#answered++, () => undefined);
    }
    await sleep(250);
  }
}
