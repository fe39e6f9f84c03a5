import { createRequire } from 'node:module';
import { basename } from 'node:path';

import { Router } from 'express';
import type { RequestHandler, Response } from 'express';

import { prefersPage } from './accept.ts';
import { openApiDocument } from './openapi.ts';

/** Nothing from elsewhere, no script in the page; the viewer sets a few styles in its markup. */
const pagePolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ');

const viewerFiles = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'] as const;

const startScript = `'use strict';
const element = document.getElementById('definition');
SwaggerUIBundle({ url: element.dataset.url, domNode: element, deepLinking: true, validatorUrl: null });
`;

/** The definition of the API: for people at `/swagger`, for machines at `/swagger?path=tokenservice` and `/swagger/openapi.json`. */
export function swaggerRoutes(version: string): Router {
  const definition = JSON.stringify(openApiDocument(version), undefined, 2);
  const router = Router({ caseSensitive: true });
  const sendDefinition: RequestHandler = (_request, response) => { send(response, 'application/json', definition); };
  router.get('/swagger', (request, response, next) => {
    response.vary('Accept');
    if (request.query['path'] !== undefined || !prefersPage(request.headers.accept)) {
      sendDefinition(request, response, next);
      return;
    }
    response.setHeader('Content-Security-Policy', pagePolicy);
    send(response, 'text/html', pageAt(request.path.endsWith('/') ? '.' : './swagger'));
  });
  router.get('/swagger/openapi.json', sendDefinition);
  router.use('/swagger/assets', viewerAssets());
  return router;
}

function viewerAssets(): Router {
  const require = createRequire(import.meta.url);
  const assets = Router();
  for (const file of viewerFiles) {
    const path = require.resolve(`swagger-ui-dist/${file}`);
    assets.get(`/${basename(path)}`, (_request, response) => { response.sendFile(path, { maxAge: '1h', dotfiles: 'allow' }); });
  }
  assets.get('/start.js', (_request, response) => { send(response, 'text/javascript', startScript); });
  return assets;
}

/** Addresses are relative, so that the page also works where a proxy serves it beneath another path. */
function pageAt(base: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Token Pool Service</title>
  <link rel="stylesheet" href="${base}/assets/swagger-ui.css">
  <link rel="icon" type="image/png" href="${base}/assets/favicon-32x32.png">
</head>
<body>
  <div id="definition" data-url="${base}/openapi.json"></div>
  <script src="${base}/assets/swagger-ui-bundle.js"></script>
  <script src="${base}/assets/start.js"></script>
</body>
</html>
`;
}

function send(response: Response, type: string, body: string): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.type(type).send(body);
}
