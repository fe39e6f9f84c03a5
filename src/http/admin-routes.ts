import { Router } from 'express';
import type { Express, RequestHandler } from 'express';

import type { Logger } from '../runtime/log.ts';
import { answer } from './answer.ts';
import { failureAnswers, methodNotAllowed, notFound } from './failure-answers.ts';
import { runChecks } from './health-checks.ts';
import type { HealthCheck } from './health-checks.ts';
import { bareExpress } from './token-app.ts';

export interface AdminOptions {
  /** One for each dependency, by its name. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
  /** Whether load may be sent to this node; the reason is for people. */
  readonly isReady: () => { readonly ready: boolean; readonly reason?: string };
  readonly metrics: { readonly contentType: string; readonly expose: () => Promise<string> };
  /** The cluster as this node sees it; goes out as JSON. */
  readonly cluster: () => Promise<object> | object;
  readonly log: Logger;
}

const contents = `GET /ping          pong
GET /live          200 as long as the process answers
GET /ready         200 when load may be sent here, else 503 and the reason
GET /healthcheck   JSON, one entry for each dependency; 500 when one is not healthy
GET /metrics       Prometheus metrics
GET /cluster       JSON, the cluster as this node sees it
`;

/** Everything that the admin port answers. */
export function adminApp(options: AdminOptions): Express {
  const app = bareExpress();
  const routes = adminRoutes(options);
  app.use(routes);
  app.all(['/', '/ping', '/live', '/ready', '/healthcheck', '/metrics', '/cluster'], methodNotAllowed('GET, HEAD'));
  app.use(notFound(`This port answers:\n${contents}`));
  app.use(failureAnswers(options.log, () => undefined));
  return app;
}

function adminRoutes({ checks, isReady, metrics, cluster }: AdminOptions): Router {
  const router = Router({ caseSensitive: true });
  router.get('/', says(contents));
  router.get('/ping', says('pong'));
  router.get('/live', says('alive'));
  router.get('/ready', (_request, response) => {
    const { ready, reason } = isReady();
    answer(response, ready ? 200 : 503, ready ? 'ready' : `not ready: ${reason ?? 'no reason given'}`, false);
  });
  router.get('/healthcheck', async (_request, response) => {
    const results = await runChecks(checks);
    const healthy = Object.values(results).every((result) => result.healthy);
    answer(response, healthy ? 200 : 500, JSON.stringify(results), true);
  });
  router.get('/metrics', async (_request, response) => {
    response.setHeader('Content-Type', metrics.contentType).setHeader('Cache-Control', 'no-store').end(await metrics.expose());
  });
  router.get('/cluster', async (_request, response) => {
    answer(response, 200, JSON.stringify(await cluster(), undefined, 2), true);
  });
  return router;
}

function says(text: string): RequestHandler {
  return (_request, response) => { answer(response, 200, text, false); };
}
