import type { Request, RequestHandler, Response } from 'express';

import { fingerprint } from '../runtime/fingerprint.ts';
import type { Logger } from '../runtime/log.ts';
import type { FastPath } from './fast-path.ts';

/**
 * One debug line a request: the route's template, never the URL, which holds an access token where a refresh is asked for.
 */
export function requestLog(log: Logger): RequestHandler {
  return (request, response, next) => {
    const begun = performance.now();
    response.once('close', () => {
      log.debug({ ...describe(request, response), ms: Math.round(performance.now() - begun) }, 'request');
    });
    next();
  };
}

/** The same line for answers from memory. */
export function loggedFastPath(fast: FastPath, log: Logger): FastPath {
  return (request, response) => {
    const answered = fast(request, response);
    if (answered) log.debug({ method: 'GET', route: '/tokenservice/:ownerId', status: 200, from: 'memory' }, 'request');
    return answered;
  };
}

/** The template of the route that a request met, such as `/tokenservice/:ownerId`; `unknown` where it met none. */
export function routeOf(request: Request): string {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path.replaceAll(/[{}]/g, '') : 'unknown';
}

/** What a caller calls the owner where none was found can be a token, put into the wrong place. */
const mayBeAnything = new Set(['TPS0013', 'TP0001', 'TP0002']);

function describe(request: Request, response: Response): object {
  const { owner, code } = response.locals as { owner?: string; code?: string };
  return {
    method: request.method,
    route: routeOf(request),
    ...(owner === undefined ? {} : { owner: mayBeAnything.has(code ?? '') ? `unknown ${fingerprint(owner)}` : owner }),
    ...(code === undefined ? {} : { code }),
    status: response.writableFinished ? response.statusCode : 'caller gone',
  };
}
