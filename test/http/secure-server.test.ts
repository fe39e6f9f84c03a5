import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Listener } from '../../src/http/listener.ts';
import { secureServer } from '../../src/http/secure-server.ts';
import { KeptLog } from './running-app.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  for (const name of ['first', 'second']) makeCertificate(name);
});

afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

function file(name: string): string {
  return join(folder, name);
}

function makeCertificate(name: string): void {
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`),
  ], { stdio: 'ignore' });
}

/** The common name of the certificate that a port shows. */
async function nameShownAt(port: number): Promise<string | undefined> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

describe('an https connector', () => {
  test('answers over TLS, and stops without waiting for idle connections', async () => {
    const log = new KeptLog();
    const listener = new Listener({
      name: 'application',
      connector: { type: 'https', port: 0, bindHost: '127.0.0.1', certificateFile: file('first.crt'), keyFile: file('first.key') },
      app: (_request, response) => { response.end('secret hello'); },
      graceMs: 15_000,
      log,
    });
    await listener.start();
    const socket = connect({ port: listener.address().port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    expect(chunk.toString()).toContain('secret hello');
    const begun = performance.now();
    await listener.stop();
    expect(performance.now() - begun).toBeLessThan(8000);
  });

  test('takes over a renewed certificate while it runs, once the pair fits together', async () => {
    const log = new KeptLog();
    const [certificateFile, keyFile] = [file('live.crt'), file('live.key')];
    const put = (name: string): void => {
      writeFileSync(certificateFile, readFileSync(file(`${name}.crt`)));
      writeFileSync(keyFile, readFileSync(file(`${name}.key`)));
    };
    put('first');
    const server: Server = secureServer({ type: 'https', port: 0, certificateFile, keyFile }, {}, log, 20).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await nameShownAt(port)).toBe('first');
    writeFileSync(certificateFile, 'half a certificate');
    await expect.poll(() => log.lines.some(({ level }) => level === 'warn'), { timeout: 10_000 }).toBe(true);
    expect(await nameShownAt(port)).toBe('first');
    put('second');
    await expect.poll(() => nameShownAt(port), { timeout: 10_000 }).toBe('second');
    server.close();
  });

  test.each([
    ['no files', {}, 'needs both certificateFile and keyFile'],
    ['a file that is missing', { certificateFile: '/nowhere.crt', keyFile: '/nowhere.key' }, 'certificateFile /nowhere.crt cannot be read (ENOENT)'],
  ])('with %s says so', async (_what, files, message) => {
    const listener = new Listener({ name: 'application', connector: { type: 'https', port: 0, ...files }, app: () => undefined, graceMs: 1, log: new KeptLog() });
    await expect(listener.start()).rejects.toThrow(message);
  });

  test('with a key of another certificate says so', () => {
    const connector = { type: 'https', port: 0, certificateFile: file('first.crt'), keyFile: file('second.key') } as const;
    expect(() => secureServer(connector, {}, new KeptLog())).toThrow(/no certificate and key that belong together/);
  });
});
