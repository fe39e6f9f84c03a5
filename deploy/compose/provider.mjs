// A stand-in for the token endpoint of an OAuth2 provider (RFC 6749 section 6), for a laptop: it gives a new refresh token with each answer,
// and refuses one that comes a second time. It keeps nothing, so after a restart it takes every refresh token once.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const { PROVIDER_PORT: port = '8080' } = process.env;
const lifetimeSeconds = 120;
const clients = new Set(['client-1:laptop-only', 'client-2:laptop-only']);
const used = new Set();

const server = createServer(async (request, response) => {
  const answer = request.method === 'POST' && request.url === '/token' ? await refresh(request) : [404, { error: 'invalid_request' }];
  const [status, body] = answer;
  console.log(JSON.stringify({ time: new Date().toISOString(), status, ...(body.error && { error: body.error }) }));
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
});

async function refresh(request) {
  let form = '';
  for await (const piece of request.setEncoding('utf8')) form += piece;
  const token = new URLSearchParams(form).get('refresh_token');
  const [, basic = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (!clients.has(Buffer.from(basic, 'base64').toString())) return [401, { error: 'invalid_client' }];
  if (!token || used.has(token)) return [400, { error: 'invalid_grant' }];
  used.add(token);
  return [200, { access_token: newToken(), refresh_token: newToken(), expires_in: lifetimeSeconds, token_type: 'Bearer' }];
}

function newToken() {
  return randomBytes(24).toString('base64url');
}

server.listen(Number(port));
process.on('SIGTERM', () => process.exit(0));
