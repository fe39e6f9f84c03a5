import type { GivenBack, Grant, RefreshFailure, TokenAnswer, UnusedEnd } from '../domain/refresh-outcome.ts';
import type { Logger } from '../runtime/log.ts';
import type { RecordingFault } from './courier-message.ts';
import type { RefreshCredentials } from './refresh-request.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** One refresh to be asked for: it is asked for once, and its answer is kept before it is told. */
export interface Errand extends RefreshCredentials {
  readonly attempt: string;
  /** The row whose refresh token is presented. */
  readonly version: number;
  readonly ownerDid: number;
  /** When it was handed over, epoch ms by the cluster's clock. */
  readonly issuedAt: number;
  /** `retryResponseCodes`. */
  readonly retryStatuses: readonly number[];
}

export type ErrandAnswer = TokenAnswer | GivenBack;

/** Where the course of an errand is recorded. */
export interface ErrandRecorder {
  /** Moves the claim on to `sending`. False: it is no longer held, so nothing may leave. */
  mayLeave(errand: Errand): Promise<boolean>;
  sending(errand: Errand): Promise<void>;
  granted(errand: Errand, grant: Grant): readonly [journal: Promise<void>, redis: Promise<void>];
  unused(errand: Errand, end: UnusedEnd): Promise<void>;
  ended(phase: 'refused' | 'not_left' | 'in_doubt', errand: Errand): Promise<void>;
}

/** How long recording may hold up an errand, each time, ms. */
export const recordingLimitMs = 1000;

/** How long moving the claim on, and noting it, may take, ms. */
const freshClaimMs = 1500;

/** Carries out errands; any number at a time. */
export class ErrandRunner {
  readonly #endpoint: Pick<TokenEndpoint, 'refresh'>;
  readonly #recorder: ErrandRecorder;
  readonly #logger: Logger;
  readonly #onFault: (fault: RecordingFault) => void;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(endpoint: Pick<TokenEndpoint, 'refresh'>, recorder: ErrandRecorder, logger: Logger, onFault: (fault: RecordingFault) => void) {
    this.#endpoint = endpoint;
    this.#recorder = recorder;
    this.#logger = logger;
    this.#onFault = onFault;
  }

  /** Records that the request leaves, sends it, keeps what was granted in at least one durable place if any can be reached. */
  run(errand: Errand): Promise<ErrandAnswer> {
    return this.#track(this.#carryOut(errand));
  }

  /** Resolves when no errand is under way and everything recorded has reached its place. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  async #carryOut(errand: Errand): Promise<ErrandAnswer> {
    const noted = this.#record(errand, 'sending', 'journal', this.#recorder.sending(errand), 'error').catch(() => undefined);
    const begun = performance.now();
    const [isHeld] = await Promise.all([this.#isHeld(errand), noted]);
    // What took long counts as not made: whoever settles the claim may have seen it grow old.
    if (!isHeld || performance.now() - begun > freshClaimMs) return this.#giveBack(errand);
    const answer = await this.#endpoint.refresh(errand, errand.retryStatuses);
    if (answer.kind === 'granted') await this.#keep(errand, answer.grant);
    else this.#note(errand, answer);
    return answer;
  }

  #giveBack(errand: Errand): GivenBack {
    const end = { kind: 'given_back' } as const;
    this.#leaveWord(errand, end);
    return end;
  }

  #note(errand: Errand, failure: RefreshFailure): void {
    this.#record(errand, failure.kind, 'journal', this.#recorder.ended(endOf(failure), errand), 'warn').catch(() => undefined);
    if (failure.kind !== 'in_doubt') this.#leaveWord(errand, failure);
  }

  /** Nobody waits for it: without it a token may come to be in doubt, and no more. */
  #leaveWord(errand: Errand, end: UnusedEnd): void {
    this.#record(errand, end.kind, 'redis', this.#recorder.unused(errand, end), 'warn').catch(() => undefined);
  }

  async #isHeld(errand: Errand): Promise<boolean> {
    return this.#recorder.mayLeave(errand).catch((error: unknown) => {
      this.#logger.debug({ attempt: errand.attempt, reason: String(error) }, 'A claim could not be moved on');
      return false;
    });
  }

  async #keep(errand: Errand, grant: Grant): Promise<void> {
    const [journal, redis] = this.#recorder.granted(errand, grant);
    const places = [this.#record(errand, 'granted', 'journal', journal, 'warn'), this.#record(errand, 'granted', 'redis', redis, 'warn')];
    await Promise.any(places).catch(() => {
      this.#onFault('unkept');
      this.#logger.error({ attempt: errand.attempt, ownerDid: errand.ownerDid }, 'A granted answer could not be kept; until it is recorded it is in memory only');
    });
  }

  /** Rejects when the record is not known to be in its place within the limit. */
  #record(errand: Errand, phase: string, place: 'journal' | 'redis', recording: Promise<void>, level: 'warn' | 'error'): Promise<void> {
    const bounded = within(recordingLimitMs, recording).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      if (place === 'journal') this.#onFault('journal');
      this.#logger[level]({ attempt: errand.attempt, phase, place, reason }, 'The course of an attempt could not be recorded in one of its places');
      throw error;
    });
    return this.#track(bounded);
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const forget = (): void => void this.#underWay.delete(work);
    work.then(forget, forget);
    return work;
  }
}

function endOf(failure: RefreshFailure): 'refused' | 'not_left' | 'in_doubt' {
  if (failure.kind === 'unreachable') return 'not_left';
  return failure.kind === 'in_doubt' ? 'in_doubt' : 'refused';
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
