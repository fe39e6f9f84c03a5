import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';
import { Notifier, type MailOutcome, type NotifierOptions } from '../../src/mail/notifier.ts';
import type { MailServer } from '../../src/mail/transport.ts';
import { startSmtpSink, type SmtpSink, type SmtpSinkOptions } from '../harness/smtp-sink.ts';
import { heardLog } from '../oauth/heard-log.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

const account = { username: 'pool', password: 'the password' };
const mail = (subject = 'Hello') => ({ to: ['one@example.org', 'two@example.org'], subject, text: 'text' });

async function sinkWith(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const sink = await startSmtpSink(options);
  cleanUp.push(() => sink.stop());
  return sink;
}

function serverAt(port: number, options: Partial<MailServer> = {}): MailServer {
  return { host: '127.0.0.1', port, username: account.username, password: new Secret(account.password), startTls: false, authenticates: false, from: 'pool@example.org', ...options };
}

async function started(server: MailServer, options: NotifierOptions = {}) {
  const log = heardLog();
  const outcomes: MailOutcome[] = [];
  const notifier = new Notifier(server, log, { retryWaitsMs: [20, 20, 20], onOutcome: (outcome) => outcomes.push(outcome), ...options });
  cleanUp.push(() => notifier.stop());
  await notifier.start();
  return { notifier, log, outcomes };
}

describe('A mail', () => {
  it('goes to all recipients of the owner', async () => {
    const sink = await sinkWith();
    const { notifier, outcomes } = await started(serverAt(sink.port));
    notifier.notify(mail('[Token Generation Failed]- Error occurs while connecting to "gw1"'));
    expect(await sink.waitForMail()).toMatchObject({
      from: 'pool@example.org',
      to: ['one@example.org', 'two@example.org'],
      subject: '[Token Generation Failed]- Error occurs while connecting to "gw1"',
    });
    await expect.poll(() => outcomes).toEqual(['sent']);
  });

  it('goes over TLS and by the account where the configuration says so', async () => {
    const sink = await sinkWith({ starttls: true, auth: account });
    const { notifier } = await started(serverAt(sink.port, { startTls: true, authenticates: true, ca: sink.caPem ?? '' }));
    notifier.notify(mail());
    expect(await sink.waitForMail()).toMatchObject({ overTls: true, username: 'pool' });
  });

  it('is not sent over a connection that cannot be trusted or offers no TLS', async () => {
    for (const sink of [await sinkWith({ starttls: true }), await sinkWith()]) {
      const { notifier, outcomes } = await started(serverAt(sink.port, { startTls: true }));
      notifier.notify(mail());
      await expect.poll(() => outcomes).toEqual(['failed']);
      expect(sink.mails).toEqual([]);
    }
  });

  it('is tried again when the server refuses for the moment', async () => {
    const sink = await sinkWith({ failWith: { at: 'data', code: 452 } });
    const { notifier, log, outcomes } = await started(serverAt(sink.port));
    notifier.notify(mail());
    await expect.poll(() => log.lines.length).toBeGreaterThan(0);
    sink.failWith(null);
    await sink.waitForMail();
    await expect.poll(() => outcomes).toEqual(['sent']);
  });

  it('that cannot be sent is given up after three more tries, and the next is sent', async () => {
    const sink = await sinkWith({ failWith: { at: 'auth', code: 535 }, auth: account });
    const { notifier, log, outcomes } = await started(serverAt(sink.port, { authenticates: true }));
    notifier.notify(mail('first'));
    await expect.poll(() => outcomes).toEqual(['failed']);
    expect(log.lines.map((line) => line.slice(0, 31))).toEqual([...Array<string>(3).fill('warn TPS0028:Email sending fail'), 'error TPS0028:Email sending fai']);
    expect(log.lines.join('\n')).not.toContain(account.password);
    sink.failWith(null);
    notifier.notify(mail('second'));
    expect((await sink.waitForMail()).subject).toBe('second');
  });

  it('without recipients is not sent (TPS0027)', async () => {
    const { notifier, log, outcomes } = await started(serverAt(1));
    notifier.notify({ ...mail(), to: [] });
    expect(log.lines).toEqual(['debug TPS0027:Sender mail list not defined {"subject":"Hello"}']);
    expect(outcomes).toEqual([]);
  });

  it('without a mail server is told to the log, loudly once per start', async () => {
    const { notifier, log } = await started(serverAt(587, { host: '' }));
    notifier.notify(mail('first'));
    notifier.notify(mail('second'));
    expect(log.lines).toEqual([
      'warn No mail server is configured; this mail is not sent {"subject":"first","recipients":2}',
      'debug No mail server is configured; this mail is not sent {"subject":"second","recipients":2}',
    ]);
  });
});

describe('The queue of mails', () => {
  it('gives up the oldest when it is full', async () => {
    const { port, close } = await blackHole();
    const { notifier, outcomes, log } = await started(serverAt(port), { queueLimit: 2 });
    for (const subject of ['being sent', 'oldest', 'b', 'c']) notifier.notify(mail(subject));
    expect(outcomes).toEqual(['dropped']);
    expect(log.lines).toEqual([expect.stringMatching(/^warn A mail is dropped.*"oldest"/)]);
    close();
  });

  it('is sent before the notifier stops', async () => {
    const sink = await sinkWith();
    const { notifier, outcomes } = await started(serverAt(sink.port));
    for (const subject of ['a', 'b', 'c']) notifier.notify(mail(subject));
    await notifier.stop();
    expect(outcomes).toEqual(['sent', 'sent', 'sent']);
    expect(sink.mails.map(({ subject }) => subject)).toEqual(['a', 'b', 'c']);
  });

  it('does not hold up the stop for longer than five seconds', async () => {
    const { port } = await blackHole();
    const { notifier, outcomes } = await started(serverAt(port));
    for (const subject of ['a', 'b', 'c']) notifier.notify(mail(subject));
    const begun = performance.now();
    await notifier.stop();
    expect(performance.now() - begun).toBeLessThan(6000);
    expect(outcomes.length).toBeGreaterThanOrEqual(2);
  });
});

/** A server that accepts connections and never says a word. */
async function blackHole(): Promise<{ port: number; close: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  cleanUp.push(close);
  return { port: (server.address() as AddressInfo).port, close };
}
