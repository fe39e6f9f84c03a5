import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect } from 'node:net';
import { ProxiedDirection } from './proxied-direction.ts';

export type BlackHoleDirection = 'both' | 'toServer' | 'toClient';

export interface TcpProxyOptions {
  /** Default 127.0.0.1. */
  readonly targetHost?: string;
}

/** Starts a proxy on a free port of 127.0.0.1 in front of a server, with which the network between the two is broken. */
export async function startTcpProxy(targetPort: number, { targetHost = '127.0.0.1' }: TcpProxyOptions = {}): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetHost, targetPort);
  await proxy.restore();
  return proxy;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly toServer: ProxiedDirection;
  readonly toClient: ProxiedDirection;
}

/**
 * The network between a node and a store. Bytes under way in a black hole are kept and arrive after `restore`, as TCP
 * sends them again: so a command can reach a store long after the node gave it up. One thing differs from a lost
 * network: new connections are still accepted in a black hole (and then hear nothing).
 */
export class TcpProxy {
  readonly #host: string;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #port = 0;
  #delayMs = 0;
  #held: { toServer: boolean; toClient: boolean } = { toServer: false, toClient: false };

  constructor(host: string, targetPort: number) {
    this.#host = host;
    this.#targetPort = targetPort;
    this.#server = createServer({ allowHalfOpen: true }, (client) => { this.#open(client); });
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Every connection ends at once and new ones are refused, as when the machine behind is switched off and on. */
  async cut(): Promise<void> {
    if (this.#server.listening) {
      const closed = new Promise<void>((resolve) => { this.#server.close(() => { resolve(); }); });
      this.#endAll((socket) => socket.destroy());
      await closed;
    }
  }

  /** Nothing arrives any more, and nobody is told. */
  blackHole(direction: BlackHoleDirection = 'both'): void {
    this.#held = { toServer: direction !== 'toClient', toClient: direction !== 'toServer' };
    this.#applyToAll();
  }

  /** Every byte takes `ms` longer in each direction, from now on. */
  delay(ms: number): void {
    this.#delayMs = ms;
    this.#applyToAll();
  }

  /** Every connection there is gets a TCP reset, on both sides; new ones are welcome. */
  reset(): void {
    this.#endAll((socket) => socket.resetAndDestroy());
  }

  /** The network is whole again, on the same port and without delay; what was held arrives. */
  async restore(): Promise<void> {
    this.#held = { toServer: false, toClient: false };
    this.#delayMs = 0;
    this.#applyToAll();
    if (this.#server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await this.cut();
  }

  #open(client: Socket): void {
    const server = connect({ host: this.#host, port: this.#targetPort, allowHalfOpen: true });
    client.setNoDelay(true);
    server.setNoDelay(true);
    const link = { client, server, toServer: new ProxiedDirection(client, server), toClient: new ProxiedDirection(server, client) };
    this.#links.add(link);
    this.#apply(link);
    client.on('close', () => { this.#closed(link); });
    server.on('close', () => { this.#closed(link); });
  }

  #closed(link: Link): void {
    if (link.client.destroyed && link.server.destroyed) this.#links.delete(link);
  }

  #endAll(end: (socket: Socket) => void): void {
    for (const link of this.#links) {
      link.toServer.abandon();
      link.toClient.abandon();
      end(link.client);
      end(link.server);
    }
  }

  #applyToAll(): void {
    for (const link of this.#links) this.#apply(link);
  }

  #apply({ toServer, toClient }: Link): void {
    toServer.set({ held: this.#held.toServer, delayMs: this.#delayMs });
    toClient.set({ held: this.#held.toClient, delayMs: this.#delayMs });
  }
}
