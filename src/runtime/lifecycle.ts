/** Something that runs. `stop` is complete when it resolves, may be called twice, and before `start`. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts services in order and stops them in reverse; a failed start stops what had been started.
 * A stop during the start waits for the service that is starting, starts no more, and leaves nothing running.
 */
export class Lifecycle implements Service {
  readonly name: string;
  readonly #services: readonly Service[];
  readonly #onStopFailure: (name: string, error: unknown) => void;
  readonly #started: Service[] = [];
  #starting: Promise<void> = Promise.resolve();
  #ending: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(name: string, services: readonly Service[], onStopFailure: (name: string, error: unknown) => void) {
    this.name = name;
    this.#services = services;
    this.#onStopFailure = onStopFailure;
  }

  async start(): Promise<void> {
    this.#stopping = false;
    this.#starting = this.#startAll();
    await this.#starting;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#starting.catch(() => undefined);
    await this.#stopAll();
  }

  async #startAll(): Promise<void> {
    for (const service of this.#services) {
      if (this.#stopping) return;
      this.#started.push(service);
      try {
        await service.start();
      } catch (error) {
        await this.#stopAll();
        throw error;
      }
    }
  }

  /** Whoever comes second waits for the first. */
  async #stopAll(): Promise<void> {
    this.#ending = this.#ending.then(async () => {
      for (let service = this.#started.pop(); service !== undefined; service = this.#started.pop()) await this.#stopOne(service);
    });
    await this.#ending;
  }

  async #stopOne(service: Service): Promise<void> {
    try {
      await service.stop();
    } catch (error) {
      this.#onStopFailure(service.name, error);
    }
  }
}

/** Services that start one after the other and stop all at the same time. */
export function together(name: string, services: readonly Service[]): Service {
  return {
    name,
    start: async () => { for (const service of services) await service.start(); },
    stop: async () => {
      const failed = (await Promise.allSettled(services.map((service) => service.stop()))).filter((end) => end.status === 'rejected');
      if (failed.length > 0) throw new AggregateError(failed.map((end) => end.reason as unknown));
    },
  };
}

/** Work that is done once, at the start. */
export function atStart(name: string, work: () => Promise<void> | void): Service {
  return { name, start: async () => work(), stop: () => Promise.resolve() };
}

/** Work that is done once, at the end. */
export function atStop(name: string, work: () => Promise<void> | void): Service {
  return { name, start: () => Promise.resolve(), stop: async () => work() };
}

/** Repeats `work` with `pauseMs` between two rounds until stopped; a failing round is reported and the loop goes on. */
export class Repeating implements Service {
  readonly name: string;
  readonly #pauseMs: () => number;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #abort: AbortController | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(name: string, pauseMs: () => number, work: (signal: AbortSignal) => Promise<void>, onFailure: (error: unknown) => void) {
    this.name = name;
    this.#pauseMs = pauseMs;
    this.#work = work;
    this.#onFailure = onFailure;
  }

  async start(): Promise<void> {
    if (this.#abort) return;
    this.#abort = new AbortController();
    this.#loop = this.#run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#loop;
    this.#abort = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#work(signal);
      } catch (error) {
        this.#report(error, signal);
      }
      await pause(this.#pauseMs(), signal);
    }
  }

  /** A round that was told to end may fail of it. */
  #report(error: unknown, signal: AbortSignal): void {
    if (!signal.aborted) this.#onFailure(error);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
