import { request } from 'node:http';

import type { NodeProcess } from '../harness/node-process.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string | undefined;
  readonly tookMs: number;
}

/** GET of the token of an owner, as callers send it. */
export function tokenOf(node: NodeProcess, ownerId: string, accept?: string): Promise<Answer> {
  return call('GET', `${node.appUrl}/tokenservice/${encodeURIComponent(ownerId)}`, accept);
}

export function restart(node: NodeProcess, ownerId: string): Promise<Answer> {
  return call('PUT', `${node.appUrl}/tokenservice/restart/${encodeURIComponent(ownerId)}`);
}

/** @param tokenId the access token, or the number of its row */
export function refresh(node: NodeProcess, ownerId: string, tokenId: string | number): Promise<Answer> {
  return call('PUT', `${node.appUrl}/tokenservice/refresh/${encodeURIComponent(ownerId)}/${encodeURIComponent(tokenId)}`);
}

/** Sends the path as it is written: `fetch` would take out `..` and blanks. */
export function call(method: 'GET' | 'PUT', url: string, accept?: string): Promise<Answer> {
  const begun = performance.now();
  const [, origin = '', path = ''] = /^(https?:\/\/[^/]+)(.*)$/s.exec(url) ?? [];
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ method, hostname, port, path, agent: false, headers: accept === undefined ? {} : { accept }, timeout: 60_000 }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8'), type: response.headers['content-type'], tookMs: performance.now() - begun }));
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} got no answer within a minute`))).on('error', reject).end();
  });
}
