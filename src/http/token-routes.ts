import { Router } from 'express';
import type { Request, RequestHandler, Response } from 'express';

import { ServiceError } from '../domain/errors.ts';
import { prefersJson } from './accept.ts';
import { answer } from './answer.ts';
import { ownerIdFrom, tokenIdFrom } from './owner-id.ts';
import type { PoolVerbs } from './pool-verbs.ts';

/** Ids are optional in the templates, so that a call that forgot them hears what is missing. */
export const routes = {
  acquire: '/tokenservice{/:ownerId}',
  restart: '/tokenservice/restart{/:ownerId}',
  refresh: '/tokenservice/refresh{/:ownerId{/:tokenId}}',
} as const;

/** The routes of `/tokenservice`. More than `maxWaiting` callers waiting for a token at once are turned away with TPS0005. */
export function tokenRoutes(verbs: PoolVerbs, maxWaiting: number): Router {
  const router = Router({ caseSensitive: true });
  const acquire = atMost(maxWaiting, (ownerId, signal) => verbs.acquire(ownerId, signal));
  router.put(routes.restart, handler(async ({ ownerId }, signal) => {
    await verbs.restart(ownerId, signal);
    return `Token pool restartd for :${ownerId}`;
  }));
  router.put(routes.refresh, handler(({ ownerId, tokenId }, signal) => verbs.refresh(ownerId, tokenIdFrom(tokenId), signal)));
  router.get(routes.acquire, handler(({ ownerId }, signal) => acquire(ownerId, signal)));
  return router;
}

interface Ids {
  readonly ownerId: string;
  readonly tokenId: string | undefined;
}

function handler(work: (ids: Ids, signal: AbortSignal) => Promise<string>): RequestHandler {
  return async (request, response) => {
    const ids = idsOf(request);
    Object.assign(response.locals, { owner: ids.ownerId, tokenId: ids.tokenId });
    const gone = abortedOnClose(response);
    const body = await work(ids, gone);
    if (!gone.aborted) answer(response, 200, body, prefersJson(request.headers.accept));
  };
}

function idsOf(request: Request): Ids {
  const { ownerId, tokenId } = request.params as { ownerId?: string; tokenId?: string };
  return { ownerId: ownerIdFrom(ownerId), tokenId };
}

function abortedOnClose(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => { gone.abort(new Error('The caller is gone')); });
  return gone.signal;
}

type Acquire = PoolVerbs['acquire'];

function atMost(max: number, acquire: Acquire): Acquire {
  let waiting = 0;
  return async (ownerId, signal) => {
    if (waiting >= max) throw new ServiceError('TPS0005');
    waiting += 1;
    try {
      return await acquire(ownerId, signal);
    } finally {
      waiting -= 1;
    }
  };
}
