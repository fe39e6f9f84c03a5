import express from 'express';
import type { Express } from 'express';

import type { Logger } from '../runtime/log.ts';
import { bodyLimit } from './body-limit.ts';
import { failureAnswers, methodNotAllowed, notFound } from './failure-answers.ts';
import type { FailureObserver } from './failure-answers.ts';
import type { PoolVerbs } from './pool-verbs.ts';
import { requestLog } from './request-log.ts';
import { swaggerRoutes } from './swagger-routes.ts';
import { routes, tokenRoutes } from './token-routes.ts';

export interface TokenAppOptions {
  readonly verbs: PoolVerbs;
  readonly log: Logger;
  /** Whether each request is logged at debug. */
  readonly logRequests: boolean;
  /** Of the service, for the definition. */
  readonly version: string;
  /** Callers that may wait for a token at once, on this node. */
  readonly maxWaiting: number;
  readonly onFailure: FailureObserver;
}

const contents = `This port answers:
GET /tokenservice/{ownerId}                       a valid access token
PUT /tokenservice/restart/{ownerId}               restarts the owner's pool
PUT /tokenservice/refresh/{ownerId}/{tokenId}     replaces a token now
GET /swagger                                      the definition of this API
A slash within an id is written %2F.
`;

/** Everything that the application port answers. */
export function tokenApp(options: TokenAppOptions): Express {
  const app = bareExpress();
  if (options.logRequests) app.use(requestLog(options.log));
  app.use(bodyLimit);
  app.use(tokenRoutes(options.verbs, options.maxWaiting));
  app.use(swaggerRoutes(options.version));
  app.all([routes.restart, routes.refresh], methodNotAllowed('PUT'));
  app.all([routes.acquire, '/swagger', '/swagger/openapi.json'], methodNotAllowed('GET, HEAD'));
  app.use(notFound(contents));
  app.use(failureAnswers(options.log, options.onFailure));
  return app;
}

/** Express without what costs time or tells about itself. */
export function bareExpress(): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').set('query parser', 'simple').set('env', 'production');
  return app;
}
