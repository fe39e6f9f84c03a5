import { createHash } from 'node:crypto';
import { Agent, request as startRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createHistogram } from 'node:perf_hooks';
import type { RecordableHistogram } from 'node:perf_hooks';
import type { Judgement, TokenJudge } from './provider/judgement.ts';

export interface ReadersOptions {
  /** One address is a balancer's; of several nodes each is asked in turn. */
  readonly urls: readonly string[];
  readonly owners: readonly string[];
  readonly ratePerSecond: number;
  /** The provider's own knowledge, or one that asks several providers. */
  readonly judge: TokenJudge;
  /** An unanswered read fails after this, default 15 000. */
  readonly timeoutMs?: number;
  /** A read that takes longer has waited, default 500. */
  readonly waitMs?: number;
  /** Reads under way at most, default 256; beyond that they are held back, see `late`. */
  readonly atOnce?: number;
  /** Told of every read when it has ended; it gets the token and must not keep it. */
  readonly onRead?: (read: EndedRead) => void;
}

/** One read, however it ended; times are epoch ms. */
export interface EndedRead {
  readonly owner: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** The node, `host:port`, where a balancer says it (`x-served-by`). */
  readonly servedBy: string | undefined;
  readonly status: number | null;
  /** As in {@link FailedRead}; undefined for a good answer. */
  readonly why: string | undefined;
  /** What was handed out and what its provider knows of it; undefined without a token. */
  readonly token: { readonly text: string; readonly judgement: Judgement } | undefined;
}

export interface FailedRead {
  readonly at: string;
  readonly url: string;
  readonly status: number | null;
  /** The service's code (`TPS0005`), an error code (`ECONNRESET`), or what is wrong with the token. */
  readonly why: string;
  readonly tookMs: number;
  /** The token's fingerprint, when one was given. */
  readonly token?: string;
}

export interface ReadsReport {
  readonly reads: number;
  /** Reads without a good answer: no answer, a failure, or a token that is not the owner's, unknown, expired or revoked. */
  readonly failed: number;
  readonly slowestMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Tokens that had expired already when the read was sent. */
  readonly expired: number;
  /** Tokens that had been revoked already when the read was sent. */
  readonly revoked: number;
  readonly wrongOwner: number;
  readonly unknown: number;
  /** Reads that took longer than `waitMs`. */
  readonly waits: number;
  /** Reads that went on to the next node because one refused or broke the connection; no failures. */
  readonly movedOn: number;
  /** How often reads had to be held back because too many were under way: above 0, the rate was not kept. */
  readonly late: number;
  readonly failures: readonly FailedRead[];
  /** The first of the reads that waited: when (s from the start), how long (ms), for whom. */
  readonly slow: readonly { readonly at: number; readonly tookMs: number; readonly owner: string }[];
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly servedBy: string | undefined;
}

interface Verdict {
  readonly why: string | undefined;
  readonly faults: readonly TokenFault[];
  readonly token: EndedRead['token'];
}

/** Callers of `GET /tokenservice/{owner}` at a steady rate, each answer judged by the provider that issued the token. */
export class Readers {
  readonly #options: Required<Omit<ReadersOptions, 'onRead'>> & Pick<ReadersOptions, 'onRead'>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 512 });
  readonly #latency: RecordableHistogram = createHistogram();
  readonly #failures: FailedRead[] = [];
  readonly #slow: { at: number; tookMs: number; owner: string }[] = [];
  readonly #startedAt = performance.now();
  readonly #counts = { reads: 0, failed: 0, expired: 0, revoked: 0, wrongOwner: 0, unknown: 0, waits: 0, movedOn: 0, late: 0 };
  readonly #underWay = new Set<Promise<void>>();
  #slowestMs = 0;
  #begun = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReadersOptions) {
    if (options.urls.length === 0 || options.owners.length === 0) throw new RangeError('readers need an address and an owner');
    this.#options = { timeoutMs: 15_000, waitMs: 500, atOnce: 256, ...options };
  }

  start(): void {
    this.#timer = setInterval(() => { this.#sendDue(); }, 5);
  }

  /** Sends no more, waits for the answers still out, and reports. */
  async stop(): Promise<ReadsReport> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    this.#agent.destroy();
    return this.report();
  }

  /** So far. */
  report(): ReadsReport {
    const ms = (percentile: number): number => this.#latency.count === 0 ? 0 : this.#latency.percentile(percentile) / 1000;
    return { ...this.#counts, slowestMs: this.#slowestMs, p50Ms: ms(50), p99Ms: ms(99), failures: [...this.#failures], slow: [...this.#slow] };
  }

  /** As many as the clock says should have been sent by now; a blocked event loop does not lower the rate. */
  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#startedAt) / 1000) * this.#options.ratePerSecond);
    while (this.#begun < due) {
      if (this.#underWay.size >= this.#options.atOnce) {
        this.#counts.late++;
        return;
      }
      const read = this.#read(this.#begun++);
      this.#underWay.add(read);
      void read.finally(() => this.#underWay.delete(read));
    }
  }

  async #read(index: number): Promise<void> {
    const { owners, waitMs } = this.#options;
    const owner = owners[index % owners.length] ?? '';
    const sentAt = Date.now();
    const startedAt = performance.now();
    const { url, outcome } = await this.#askInTurn(owner, index);
    const tookMs = performance.now() - startedAt;
    this.#counts.reads++;
    this.#latency.record(Math.max(1, Math.round(tookMs * 1000)));
    this.#slowestMs = Math.max(this.#slowestMs, tookMs);
    if (tookMs > waitMs) this.#countWait(owner, startedAt, tookMs);
    const { status, servedBy } = outcome instanceof Error ? { status: null, servedBy: undefined } : outcome;
    const verdict = this.#judge(owner, outcome, sentAt);
    this.#count(verdict, { at: new Date(sentAt).toISOString(), url, status, tookMs });
    this.#options.onRead?.({ owner, sentAt, endedAt: Date.now(), servedBy, status, why: verdict.why, token: verdict.token });
  }

  #countWait(owner: string, startedAt: number, tookMs: number): void {
    this.#counts.waits++;
    if (this.#slow.length < 300) this.#slow.push({ at: Math.round((startedAt - this.#startedAt) / 100) / 10, tookMs: Math.round(tookMs), owner });
  }

  /** As a balancer does: a node that refuses or breaks the connection before answering is followed by the next. */
  async #askInTurn(owner: string, index: number): Promise<{ url: string; outcome: Answer | Error }> {
    const { urls } = this.#options;
    const path = `/tokenservice/${encodeURIComponent(owner)}`;
    for (let tried = 0; ; tried++) {
      const url = `${urls[(index + tried) % urls.length] ?? ''}${path}`;
      const outcome = await ask(url, this.#agent, this.#options.timeoutMs).catch(asError);
      if (!(outcome instanceof Error) || !isBroken(outcome) || tried + 1 >= urls.length) return { url, outcome };
      this.#counts.movedOn++;
    }
  }

  #judge(owner: string, outcome: Answer | Error, sentAt: number): Verdict {
    if (outcome instanceof Error) return { why: codeOf(outcome), faults: [], token: undefined };
    if (outcome.status !== 200) return { why: /^TPS?\d{4}/.exec(outcome.body)?.[0] ?? 'no code', faults: [], token: undefined };
    const judgement = this.#options.judge(outcome.body, sentAt);
    const faults = faultsOf(judgement, owner);
    return { why: faults.length > 0 ? faults.join(' and ') : undefined, faults, token: { text: outcome.body, judgement } };
  }

  #count({ why, faults, token }: Verdict, read: Omit<FailedRead, 'why' | 'token'>): void {
    for (const fault of faults) this.#counts[fault]++;
    if (why === undefined) return;
    this.#counts.failed++;
    if (this.#failures.length < 20) this.#failures.push({ ...read, why, ...(token && { token: fingerprint(token.text) }) });
  }
}

/** Starts reading at once. */
export function startReaders(options: ReadersOptions): Readers {
  const readers = new Readers(options);
  readers.start();
  return readers;
}

type TokenFault = 'unknown' | 'expired' | 'revoked' | 'wrongOwner';

function faultsOf({ known, expired, revoked, owner }: Judgement, wanted: string): TokenFault[] {
  if (!known) return ['unknown'];
  const faults: TokenFault[] = [];
  if (expired) faults.push('expired');
  if (revoked) faults.push('revoked');
  if (owner !== null && owner !== wanted) faults.push('wrongOwner');
  return faults;
}

function ask(url: string, agent: Agent, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = startRequest(url, { agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => { resolve(answerOf(response, Buffer.concat(chunks).toString('utf8'))); });
      response.on('error', reject);
    });
    const timer = setTimeout(() => request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })), timeoutMs);
    request.on('error', reject);
    request.on('close', () => { clearTimeout(timer); });
    request.end();
  });
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, body: string): Answer {
  const servedBy = headers['x-served-by'];
  return { status: statusCode, body, servedBy: typeof servedBy === 'string' ? servedBy : undefined };
}

function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}

function isBroken(error: Error): boolean {
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(codeOf(error));
}
