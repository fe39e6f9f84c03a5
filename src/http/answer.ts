import type { ServerResponse } from 'node:http';

const plain = 'text/plain; charset=utf-8';
const json = 'application/json';

/**
 * Sends a whole answer that no cache may keep. The header goes out as one flat array and an ASCII body as latin1:
 * the cheapest form that `node:http` has.
 */
export function answer(response: ServerResponse, status: number, body: string, asJson: boolean): void {
  const bytes = Buffer.byteLength(body);
  response.writeHead(status, ['Content-Type', asJson ? json : plain, 'Content-Length', String(bytes), 'Cache-Control', 'no-store']);
  response.end(body, bytes === body.length ? 'latin1' : 'utf8');
}
