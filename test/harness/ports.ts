import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take the ports of outgoing connections: a server that is down for a
 * moment must find its port free again.
 */
const FIRST_PORT = 15_000;
const END_OF_PORTS = 32_000;

const handedOut = new Set<number>();

/** A TCP port of 127.0.0.1 on which nothing listens; never the same twice in one process. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, END_OF_PORTS);
    if (handedOut.has(port)) continue;
    if (await canListen(port)) {
      handedOut.add(port);
      return port;
    }
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => { resolve(false); });
    probe.listen(port, '127.0.0.1', () => {
      probe.close(() => { resolve(true); });
    });
  });
}
