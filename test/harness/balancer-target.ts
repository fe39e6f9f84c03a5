import { Agent, get } from 'node:http';

/** Where one node listens; the handle of `startNode` is one. */
export interface TargetAddress {
  readonly appUrl: string;
  readonly adminUrl: string;
}

export interface HealthCheck {
  readonly path: string;
  readonly everyMs: number;
  readonly timeoutMs: number;
}

type Health = 'ready' | 'not ready' | 'silent';

/** One node as the balancer sees it: chosen while its readiness says so, passed over from its first failure on. */
export class BalancerTarget {
  readonly address: TargetAddress;
  readonly host: string;
  readonly port: number;
  readonly agent = new Agent({ keepAlive: true, maxSockets: 512 });
  requests = 0;
  ejections = 0;
  isHealthy = false;
  readonly #check: HealthCheck;
  readonly #unanswered = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #stopped = false;

  constructor(address: TargetAddress, check: HealthCheck) {
    const url = new URL(address.appUrl);
    this.address = address;
    this.host = url.hostname;
    this.port = Number(url.port);
    this.#check = check;
  }

  /** Looks once, and again and again until stopped. */
  async watch(): Promise<void> {
    clearTimeout(this.#timer);
    this.#checking ??= this.#look();
    await this.#checking;
  }

  /** It refused or broke a connection: not chosen until a check finds it ready, which is made at once. */
  eject(): void {
    if (this.isHealthy) this.ejections++;
    this.isHealthy = false;
    void this.watch();
  }

  /** Until `settled` is called, `giveUp` is called if the node falls silent. */
  awaitAnswer(giveUp: () => void): () => void {
    this.#unanswered.add(giveUp);
    return () => this.#unanswered.delete(giveUp);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.agent.destroy();
  }

  async #look(): Promise<void> {
    const health = await askHealth(`${this.address.adminUrl}${this.#check.path}`, this.#check.timeoutMs);
    this.#checking = undefined;
    if (this.#stopped) return;
    if (this.isHealthy && health !== 'ready') this.ejections++;
    this.isHealthy = health === 'ready';
    if (health === 'silent') for (const giveUp of [...this.#unanswered]) giveUp();
    this.#timer = setTimeout(() => { void this.watch(); }, this.#check.everyMs);
    this.#timer.unref();
  }
}

/** A node that drains answers, and says no; only one that does not answer is silent. */
async function askHealth(url: string, timeoutMs: number): Promise<Health> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? 'ready' : 'not ready');
    });
    request.on('error', () => { resolve('silent'); });
  });
}
