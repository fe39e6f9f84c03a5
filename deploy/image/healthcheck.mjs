// What the container's healthcheck runs: ends with 0 where the admin port answers `/live`, by http or https. Alive, not ready: a node that waits
// for its stores is to be left in peace. An admin port that config.yml names, and not the environment, is not found; then name another command.
import http from 'node:http';
import https from 'node:https';

const { TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_PORT: port, TOKENPOOL_SERVER_ADMIN_CONNECTORS_0_BIND_HOST: bound } = process.env;
const host = bound && !['0.0.0.0', '::'].includes(bound) ? bound : '127.0.0.1';

function isAlive(client) {
  return new Promise((resolve) => {
    // Whether the certificate bears this name is no question of life.
    const request = client.get({ host, port: port || 8282, path: '/live', timeout: 2_000, rejectUnauthorized: false }, ({ statusCode }) => resolve(statusCode === 200));
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}

process.exit((await isAlive(http)) || (await isAlive(https)) ? 0 : 1);
