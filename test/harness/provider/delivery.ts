import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import type { Behaviour } from './behaviour.ts';

/** Brings an answer to the client, or does not, as the behaviour has it. @returns whether all of it was handed to the connection */
export async function deliver(response: ServerResponse, answer: Answer, behaviour: Behaviour | null, released: Promise<void>): Promise<boolean> {
  switch (behaviour?.kind) {
    case 'drop-request':
    case 'lose-answer':
      response.socket?.destroy();
      return false;
    case 'cut-body':
      return cutBody(response, answer);
    case 'trickle':
      return trickle(response, answer, behaviour.ms);
    case 'slow':
      await sleep(behaviour.ms);
      break;
    case 'hang':
      await released;
      break;
    default:
  }
  return send(response, answer);
}

/** Sends the whole answer; a client that has gone is none of our concern. @returns whether all of it was handed to the connection */
export async function send(response: ServerResponse, { status, headers, body }: Answer): Promise<boolean> {
  if (response.destroyed) return false;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  return ended(response, body);
}

function ended(response: ServerResponse, rest?: string): Promise<boolean> {
  return new Promise((resolve) => {
    response.once('close', () => resolve(response.writableFinished));
    response.end(rest);
  });
}

function cutBody(response: ServerResponse, { status, headers, body }: Answer): boolean {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.write(body.slice(0, Math.floor(body.length / 2)), () => response.socket?.destroy());
  return false;
}

async function trickle(response: ServerResponse, { status, headers, body }: Answer, ms: number): Promise<boolean> {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.flushHeaders();
  const piece = Math.ceil(body.length / 10);
  for (let at = 0; at < body.length && !response.destroyed; at += piece) {
    await sleep(ms / 10);
    response.write(body.slice(at, at + piece));
  }
  return response.destroyed ? false : ended(response);
}
