import type { ErrorRequestHandler, RequestHandler } from 'express';

import type { ErrorCode } from '../domain/errors.ts';
import type { Logger } from '../runtime/log.ts';
import { prefersJson } from './accept.ts';
import { answer } from './answer.ts';
import { failureOf, textOf } from './error-mapping.ts';
import { routeOf } from './request-log.ts';

/** Told of every failure that a caller was given. */
export type FailureObserver = (route: string, code: ErrorCode) => void;

export function methodNotAllowed(allowed: string): RequestHandler {
  const body = `${textOf('TP0003')} (this path takes ${allowed})`;
  return (request, response) => {
    response.setHeader('Allow', allowed);
    answer(response, 405, body, prefersJson(request.headers.accept));
  };
}

export function notFound(contents: string): RequestHandler {
  const body = `${textOf('TP0003')} (there is nothing at this path)\n\n${contents}`;
  return (request, response) => { answer(response, 404, body, prefersJson(request.headers.accept)); };
}

/** Answers what a route threw; what nobody threw on purpose is logged as an error. */
export function failureAnswers(log: Logger, observe: FailureObserver): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { status, code, body, unexpected } = failureOf(error);
    response.locals['code'] = code;
    observe(routeOf(request), code);
    if (unexpected) log.error({ route: routeOf(request), err: withoutToken(error, response.locals as { tokenId?: string }) }, 'A request failed in a way that was not foreseen');
    answer(response, status, body, prefersJson(request.headers.accept));
  };
}

/** Name, message and stack, without the token that the caller put into the URL. */
function withoutToken(error: unknown, { tokenId = '' }: { readonly tokenId?: string }): object {
  if (!(error instanceof Error)) return { name: 'NotAnError', message: typeof error };
  const token = tokenId.trim();
  const hide = (text: string): string => (token === '' ? text : text.replaceAll(token, '[token]'));
  return { name: error.name, message: hide(error.message), stack: hide(error.stack ?? '') };
}
