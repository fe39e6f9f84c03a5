import { startReaders, type EndedRead, type Readers } from '../harness/readers.ts';
import type { Stage } from './stage.ts';

/** One read as it is kept: without the token. */
export interface NotedRead {
  readonly owner: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** Whether the owner's tokens outlive an outage. */
  readonly lasts: boolean;
  /** The service's code, another failure, or what is wrong with the token; undefined for a good answer. */
  readonly why: string | undefined;
  /** Whether a token was handed out that is not good. */
  readonly badToken: boolean;
}

/** Callers of all owners on every node, each answer judged by the provider of the owner. */
export class Callers {
  readonly reads: NotedRead[] = [];
  readonly #readers: readonly Readers[];

  constructor(stage: Stage, ratePerSecond: number) {
    const { owners, nodes, brief, lasting } = stage;
    this.#readers = [false, true].map((lasts) => startReaders({
      urls: nodes.map(({ appUrl }) => appUrl),
      owners: onEveryNode(owners.filter((owner) => owner.lasts === lasts).map(({ id }) => id), nodes.length),
      ratePerSecond: ratePerSecond / 2,
      judge: (lasts ? lasting : brief).isLive,
      onRead: (read) => { this.#note(read, lasts); },
    }));
  }

  get failed(): number {
    return this.reads.filter(({ why }) => why !== undefined).length;
  }

  /** Sends no more, and waits for the answers still out. */
  async stop(): Promise<void> {
    await Promise.all(this.#readers.map((readers) => readers.stop()));
  }

  #note({ owner, sentAt, endedAt, why, token }: EndedRead, lasts: boolean): void {
    this.reads.push({ owner, sentAt, endedAt, lasts, why, badToken: token !== undefined && why !== undefined });
  }
}

/** Readers take owners and nodes in turn, each in a circle: circles of lengths without a common divisor make every pair. */
function onEveryNode(owners: readonly string[], nodes: number): string[] {
  let length = owners.length;
  while (divisorOf(length, nodes) > 1) length++;
  return Array.from({ length }, (_, index) => owners[index % owners.length] ?? '');
}

function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}

export interface ReadSummary {
  readonly served: number;
  readonly slowestMs: number;
  readonly p99Ms: number;
  /** Failed reads by the code that callers were given. */
  readonly failed: ReadonlyMap<string, number>;
  /** How long those waited who were refused: the longest, ms. */
  readonly longestRefusalMs: number;
}

export function summaryOf(reads: readonly NotedRead[]): ReadSummary {
  const good = reads.filter(({ why }) => why === undefined);
  const bad = reads.filter(({ why }) => why !== undefined);
  return {
    served: good.length,
    slowestMs: Math.max(0, ...good.map(tookMs)),
    p99Ms: percentile(good, 0.99),
    failed: new Map([...Map.groupBy(bad, ({ why }) => why ?? '')].map(([why, all]) => [why, all.length])),
    longestRefusalMs: Math.max(0, ...bad.map(tookMs)),
  };
}

/** Within what time, ms, this share (0 to 1) of the reads ended. */
export function percentile(reads: readonly NotedRead[], share: number): number {
  return reads.map(tookMs).sort((a, b) => a - b)[Math.floor(reads.length * share)] ?? 0;
}

function tookMs({ sentAt, endedAt }: NotedRead): number {
  return endedAt - sentAt;
}
