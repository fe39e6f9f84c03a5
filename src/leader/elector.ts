import type { LeaseTiming } from '../domain/lease.ts';
import type { TermTable } from '../mysql/terms.ts';
import type { Term } from '../pool/term.ts';
import type { RedisLease } from '../redis/lease.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import { HeldTerm } from './held-term.ts';

/** What only the master does. */
export interface Duties {
  start(term: Term): Promise<void>;
  stop(): Promise<void>;
}

export interface ElectorParts {
  readonly lease: RedisLease;
  readonly terms: TermTable;
  readonly timing: LeaseTiming;
  readonly duties: Duties;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells the others that the lease was given up. */
  readonly announceVacancy: () => Promise<void>;
  readonly onChange: (term: Term | undefined) => void;
}

/**
 * follower --lease acquired, epoch raised--> master --trust ran out, another term began, or stop--> follower
 *
 * The lease is the one in Redis; while Redis is away, the one in the database, which every master renews alongside.
 * Guaranteed: the duties are told to stop before the lease can be another's, as far as this process runs at all.
 * Not guaranteed: that there is one master only. A paused master may wake up and believe for a moment; its claims are fenced by the epoch.
 */
export class Elector implements Service {
  readonly name = 'elector';
  readonly #parts: ElectorParts;
  #term: HeldTerm | undefined;
  #starting: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #stopping = false;
  #wake: () => void = () => undefined;
  /** A word to stand now came while this node was doing something else. */
  #isCalled = false;
  /** ms until the lease of another runs out, as Redis last said. */
  #freeInMs = Infinity;
  #redisAwaySince: number | undefined;
  /** Until when the lease in a Redis that is back is left to the master of the lease in the database, monotonic ms. */
  #yieldsUntil: number | undefined;
  #asking: Promise<boolean | undefined> | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(parts: ElectorParts) {
    this.#parts = parts;
  }

  get term(): Term | undefined {
    return this.#term;
  }

   
  async start(): Promise<void> {
    this.#stopping = false;
    this.#loop = this.#run();
    this.#watchdog = setInterval(() => void this.#checkTrust(), this.#parts.timing.renewMs / 4);
  }

  /** Hands over at once: the lease is given up first, what is under way goes on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watchdog);
    this.#wake();
    await this.#loop;
    await this.#stepDown('this node stops');
    // Granted too late to become a term.
    await this.#parts.lease.release();
  }

  /** The lease may be free: stand now. */
  standNow(): void {
    if (this.#term) return;
    this.#isCalled = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        await (this.#term ? this.#renew(this.#term) : this.#stand());
      } catch (error) {
        this.#parts.logger.warn({ reason: String(error) }, 'The lease could not be dealt with; trying again');
      }
      await this.#pause(this.#term ? this.#parts.timing.renewMs : this.#untilNextStandMs());
    }
  }

  /** Half a renewal, more or less: the lease may be given up unheard. One that runs out before is stood for at that moment. */
  #untilNextStandMs(): number {
    const { timing, clock } = this.#parts;
    return Math.min(timing.renewMs * (0.4 + 0.2 * clock.random()), this.#freeInMs);
  }

  async #stand(): Promise<void> {
    const begunAt = this.#parts.clock.monotonic();
    this.#isCalled = false;
    this.#freeInMs = Infinity;
    const epoch = await this.#takeLease();
    if (epoch === undefined) return;
    const term = new HeldTerm(epoch, begunAt, this.#parts.timing.leaseMs, this.#parts.clock);
    if (this.#stopping || !term.isTrusted()) return this.#giveUpLease(term);
    this.#term = term;
    this.#parts.logger.info({ epoch }, 'This node is master');
    this.#parts.onChange(term);
    this.#starting = this.#parts.duties.start(term).catch((error: unknown) => {
      this.#parts.logger.error({ error }, 'The duties of the master could not be started');
      void this.#stepDown('the duties did not start');
    });
  }

  async #takeLease(): Promise<number | undefined> {
    const { lease, terms, timing } = this.#parts;
    const held = await this.#tryRedis(() => this.#acquireInTurn());
    if (held === undefined) return this.#redisIsAwayLong() ? terms.beginWithoutRedis(timing.leaseMs) : undefined;
    if (!held) return undefined;
    try {
      return await terms.begin(timing.leaseMs);
    } catch (error) {
      await lease.release();
      throw error;
    }
  }

  /**
   * When Redis comes back nobody holds the lease in it: whoever is master by the one in the database goes first, and work stays where it is.
   * @returns undefined while it does: a Redis that was only looked at counts as away, for it may refuse to be written to
   */
  async #acquireInTurn(): Promise<boolean | undefined> {
    const { lease, timing, clock } = this.#parts;
    // It may have been granted when this node had given up waiting for the answer.
    if (await lease.extend(timing.leaseMs)) return true;
    const endsInMs = await lease.endsInMs(timing.leaseMs).catch((error: unknown) => {
      this.#yieldsUntil = undefined;
      throw error;
    });
    if (endsInMs > 0) {
      this.#freeInMs = endsInMs;
      return false;
    }
    if (this.#redisAwaySince !== undefined) {
      this.#yieldsUntil ??= clock.monotonic() + 2 * timing.renewMs;
      if (clock.monotonic() < this.#yieldsUntil) return undefined;
    }
    return lease.acquire(timing.leaseMs);
  }

  async #renew(term: HeldTerm): Promise<void> {
    const { lease, terms, timing, clock } = this.#parts;
    const begunAt = clock.monotonic();
    const inDatabase = terms.renew(term.epoch, timing.leaseMs).catch(() => undefined);
    const inRedis = await this.#tryRedis(async () => (await lease.extend(timing.leaseMs)) || lease.acquire(timing.leaseMs));
    if (inRedis === false) return this.#stepDown('another node holds the lease');
    if (inRedis === true) {
      term.renewed(begunAt);
      void inDatabase.then((ours) => (ours === false ? this.#stepDown('another term has begun') : undefined));
      return;
    }
    const ours = await inDatabase;
    if (ours === false) return this.#stepDown('another term has begun');
    if (ours === true) term.renewed(begunAt);
  }

  async #checkTrust(): Promise<void> {
    if (this.#term && !this.#term.isTrusted()) await this.#stepDown('the lease could not be renewed in time');
  }

  async #stepDown(reason: string): Promise<void> {
    const term = this.#term;
    if (!term) return;
    this.#term = undefined;
    term.end();
    this.#parts.logger.info({ epoch: term.epoch, reason }, 'This node is no longer master');
    this.#parts.onChange(undefined);
    await Promise.all([this.#starting.then(() => this.#parts.duties.stop()), this.#giveUpLease(term)]);
  }

  async #giveUpLease(term: HeldTerm): Promise<void> {
    const { lease, terms, announceVacancy } = this.#parts;
    const inRedis = lease.release().then(announceVacancy).catch(() => undefined);
    await Promise.all([inRedis, terms.end(term.epoch).catch(() => undefined)]);
  }

  /** Whether the lease in Redis is held; undefined where Redis does not tell in time. One question at a time: a late answer counts for the next. */
  async #tryRedis(ask: () => Promise<boolean | undefined>): Promise<boolean | undefined> {
    this.#asking ??= this.#ask(ask).finally(() => (this.#asking = undefined));
    const { promise: late, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, this.#parts.timing.renewMs, undefined);
    try {
      return await Promise.race([this.#asking, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #ask(ask: () => Promise<boolean | undefined>): Promise<boolean | undefined> {
    try {
      const answer = await ask();
      if (answer !== undefined) this.#redisAwaySince = this.#yieldsUntil = undefined;
      return answer;
    } catch {
      this.#redisAwaySince ??= this.#parts.clock.monotonic();
      return undefined;
    }
  }

  #redisIsAwayLong(): boolean {
    return this.#redisAwaySince !== undefined && this.#parts.clock.monotonic() - this.#redisAwaySince > this.#parts.timing.leaseMs;
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopping || (this.#isCalled && !this.#term)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
