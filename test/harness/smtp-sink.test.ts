import { createTransport } from 'nodemailer';
import { afterEach, expect, test } from 'vitest';
import { startSmtpSink } from './smtp-sink.ts';
import type { SmtpSink, SmtpSinkOptions } from './smtp-sink.ts';

let sink: SmtpSink;

afterEach(() => sink.stop());

interface Sent {
  readonly to?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
}

async function send(mail: Sent, account?: { user: string; pass: string }): Promise<unknown> {
  const transport = createTransport({
    host: '127.0.0.1',
    port: sink.port,
    requireTLS: sink.caPem !== null,
    ...(sink.caPem === null ? {} : { tls: { ca: sink.caPem } }),
    ...(account ? { auth: account } : {}),
  });
  try {
    return await transport.sendMail({ from: 'pool@example.org', to: 'ops@example.org', subject: 'Hello', text: 'Hello', ...mail });
  } finally {
    transport.close();
  }
}

async function start(options?: SmtpSinkOptions): Promise<void> {
  sink = await startSmtpSink(options);
}

test('a mail arrives with its envelope, subject and text', async () => {
  await start();
  await send({ to: 'one@example.org, two@example.org', subject: '[Failed] "acme"', text: 'first\nsecond' });
  const mail = await sink.waitForMail();
  expect(mail).toMatchObject({ from: 'pool@example.org', to: ['one@example.org', 'two@example.org'], subject: '[Failed] "acme"', overTls: false });
  expect(mail.text.trimEnd()).toBe('first\nsecond');
});

const long = 'Zürich = "größer" als 日本語; '.repeat(12).trim();

test.each([
  ['quoted-printable', `ü=${'a'.repeat(200)}`],
  ['base64', '日本語の本文。'.repeat(30)],
])('text and a folded subject with other letters are decoded (%s)', async (_encoding, text) => {
  await start();
  await send({ subject: long, text });
  const mail = await sink.waitForMail();
  expect(mail.subject).toBe(long);
  expect(mail.text.trimEnd()).toBe(text);
});

test('of a mail in several forms the plain text is read', async () => {
  await start();
  await send({ text: 'plain ü', html: '<b>rich</b>' });
  expect((await sink.waitForMail()).text.trimEnd()).toBe('plain ü');
});

test('with STARTTLS and an account, only that account sends, and over TLS', async () => {
  await start({ starttls: true, auth: { username: 'pool', password: 'right' } });
  await expect(send({}, { user: 'pool', pass: 'wrong' })).rejects.toMatchObject({ responseCode: 535 });
  await expect(send({})).rejects.toMatchObject({ responseCode: 530 });
  await send({}, { user: 'pool', pass: 'right' });
  expect(await sink.waitForMail()).toMatchObject({ overTls: true, username: 'pool' });
  expect(sink.mails).toHaveLength(1);
});

test.each([
  ['connect', 421],
  ['recipient', 550],
  ['data', 452],
] as const)('it refuses at %s with %i until told otherwise', async (at, code) => {
  await start({ failWith: { at, code } });
  await expect(send({})).rejects.toMatchObject({ responseCode: code });
  expect(sink.mails).toEqual([]);
  sink.failWith(null);
  await send({});
  expect(sink.mails).toHaveLength(1);
});

test('waiting ends when the mail comes, and fails in time when it does not', async () => {
  await start();
  const awaited = sink.waitForMail(({ subject }) => subject === 'second');
  await send({ subject: 'first' });
  await send({ subject: 'second' });
  expect((await awaited).subject).toBe('second');
  await expect(sink.waitForMail(({ subject }) => subject === 'third', 30)).rejects.toThrow('no such mail within 30 ms; 2 arrived: first; second');
});
