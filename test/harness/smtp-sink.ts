import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { SMTPServerSession } from 'smtp-server';
import { readMail } from './mail-text.ts';
import { createCertificateAuthority } from './provider/certificate.ts';

export interface SmtpSinkOptions {
  /** The one account that may send; without it anybody may. */
  readonly auth?: { readonly username: string; readonly password: string };
  /** Offers STARTTLS, with a certificate signed by the authority in `caPem`. With `auth` it is then required. */
  readonly starttls?: boolean;
  /** Refuses from the start; see {@link SmtpSink.failWith}. */
  readonly failWith?: SmtpFailure;
}

/** At which command the server refuses, and with which answer. Codes from 400 are transient, from 500 permanent. */
export interface SmtpFailure {
  readonly at: 'connect' | 'auth' | 'recipient' | 'data';
  readonly code: number;
  readonly message?: string;
  /** For `recipient`: only this address. */
  readonly address?: string;
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly overTls: boolean;
  readonly username: string | null;
}

/** Starts an SMTP server in this process, on a free port of 127.0.0.1, that keeps what it gets. */
export async function startSmtpSink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const sink = new SmtpSink(options);
  await sink.start();
  return sink;
}

export class SmtpSink {
  /** The authority to trust, when STARTTLS is offered. */
  readonly caPem: string | null;
  /** In order of arrival; addresses are those of the envelope. */
  readonly mails: ReceivedMail[] = [];
  readonly #server: SMTPServer;
  readonly #waiting: (() => void)[] = [];
  #failure: SmtpFailure | null;

  constructor({ auth, starttls = false, failWith }: SmtpSinkOptions) {
    this.#failure = failWith ?? null;
    const authority = starttls ? createCertificateAuthority('Mail Test Authority') : null;
    this.caPem = authority?.caPem ?? null;
    const certificate = authority?.issue(['localhost', '127.0.0.1']);
    this.#server = new SMTPServer({
      authOptional: auth === undefined,
      allowInsecureAuth: !starttls,
      disabledCommands: starttls ? [] : ['STARTTLS'],
      ...(certificate ? { cert: certificate.certPem, key: certificate.keyPem } : {}),
      disableReverseLookup: true,
      closeTimeout: 200,
      onConnect: (_session, done) => { done(this.#failureAt('connect')); },
      onAuth: (given, _session, done) => {
        const failure = this.#failureAt('auth');
        const right = auth === undefined || (given.username === auth.username && given.password === auth.password);
        if (failure) done(failure);
        else done(right ? null : refusal(535, 'Authentication failed'), { user: right ? given.username : undefined });
      },
      onRcptTo: ({ address }, _session, done) => { done(this.#failureAt('recipient', address)); },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => { done(this.#receive(Buffer.concat(chunks), session)); });
      },
    });
    // Clients that break off are reported here; that is their affair.
    this.#server.on('error', () => undefined);
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  /** Refuses from now on, until called with null. */
  failWith(failure: SmtpFailure | null): void {
    this.#failure = failure;
  }

  /** The first mail, there already or yet to come, that satisfies the predicate. */
  async waitForMail(predicate: (mail: ReceivedMail) => boolean = () => true, timeoutMs = 10_000): Promise<ReceivedMail> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.mails.find(predicate);
      if (found) return found;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no such mail within ${timeoutMs} ms; ${this.mails.length} arrived: ${this.mails.map(({ subject }) => subject).join('; ')}`);
      await this.#nextMail(left);
    }
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    if (!this.#server.server.listening) return;
    await new Promise<void>((resolve) => { this.#server.close(() => { resolve(); }); });
  }

  #receive(source: Buffer, session: SMTPServerSession): Error | null {
    const failure = this.#failureAt('data');
    if (failure) return failure;
    const { mailFrom, rcptTo } = session.envelope;
    const { subject, text } = readMail(source.toString('latin1'));
    const from = mailFrom === false ? '' : mailFrom.address;
    const username: unknown = session.user;
    this.mails.push({
      from,
      to: rcptTo.map(({ address }) => address),
      subject,
      text,
      overTls: session.secure,
      username: typeof username === 'string' ? username : null,
    });
    for (const wake of this.#waiting.splice(0)) wake();
    return null;
  }

  #failureAt(at: SmtpFailure['at'], address?: string): Error | null {
    const failure = this.#failure;
    if (failure?.at !== at || (failure.address !== undefined && failure.address !== address)) return null;
    return refusal(failure.code, failure.message ?? 'Refused for a test');
  }

  async #nextMail(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
