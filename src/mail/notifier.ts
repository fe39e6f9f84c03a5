import { setTimeout as delay } from 'node:timers/promises';

import type { Transporter } from 'nodemailer';

import { messages } from '../domain/errors.ts';
import type { Service } from '../runtime/lifecycle.ts';
import type { Logger } from '../runtime/log.ts';
import type { Message } from './messages.ts';
import { mailTransport, type MailServer } from './transport.ts';

export interface Mail extends Message {
  readonly to: readonly string[];
}

export type MailOutcome = 'sent' | 'failed' | 'dropped';

export interface NotifierOptions {
  readonly onOutcome?: (outcome: MailOutcome) => void;
  /** Mails that may wait; the oldest gives way. Default 500. */
  readonly queueLimit?: number;
  /** Waits before the second, third and fourth try, ms. */
  readonly retryWaitsMs?: readonly number[];
}

const defaults = { onOutcome: () => undefined, queueLimit: 500, retryWaitsMs: [1000, 5000, 15_000] };
const farewellMs = 5000;

/** Sends mails in the background, one after the other: whoever notifies neither waits nor fails. */
export class Notifier implements Service {
  readonly name = 'mail';
  readonly #server: MailServer;
  readonly #logger: Logger;
  readonly #options: Required<NotifierOptions>;
  readonly #queue: Mail[] = [];
  #transport: Transporter | undefined;
  #abort = new AbortController();
  #sending: Promise<void> | undefined;
  #isRunning = false;
  #saidNoHost = false;

  constructor(server: MailServer, logger: Logger, options: NotifierOptions = {}) {
    this.#server = server;
    this.#logger = logger;
    this.#options = { ...defaults, ...options };
  }

  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#abort = new AbortController();
    this.#isRunning = true;
    this.#saidNoHost = false;
    if (this.#server.host !== '') this.#transport = mailTransport(this.#server);
    this.#wake();
  }

  /** Sends what is queued, once and within 5 s; what is left then is dropped. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#abort.abort();
    await Promise.race([this.#sending, delay(farewellMs, undefined, { ref: false })]);
    while (this.#queue.length > 0) this.#drop();
    this.#transport?.close();
    this.#transport = undefined;
  }

  notify(mail: Mail): void {
    if (mail.to.length === 0) this.#logger.debug({ subject: mail.subject }, `TPS0027:${messages.TPS0027}`);
    else if (this.#server.host === '') this.#sayOnce(mail);
    else this.#enqueue(mail);
  }

  #sayOnce({ subject, to }: Mail): void {
    this.#logger[this.#saidNoHost ? 'debug' : 'warn']({ subject, recipients: to.length }, 'No mail server is configured; this mail is not sent');
    this.#saidNoHost = true;
  }

  #enqueue(mail: Mail): void {
    if (this.#queue.length >= this.#options.queueLimit) this.#drop();
    this.#queue.push(mail);
    this.#wake();
  }

  #drop(): void {
    const mail = this.#queue.shift();
    this.#logger.warn({ subject: mail?.subject }, 'A mail is dropped: too many are waiting, or the service ends');
    this.#options.onOutcome('dropped');
  }

  #wake(): void {
    if (this.#transport) this.#sending ??= this.#sendAll(this.#transport).finally(() => (this.#sending = undefined));
  }

  async #sendAll(transport: Transporter): Promise<void> {
    for (let mail = this.#queue.shift(); mail !== undefined; mail = this.#queue.shift()) {
      this.#options.onOutcome(await this.#send(mail, transport));
    }
  }

  async #send(mail: Mail, transport: Transporter): Promise<'sent' | 'failed'> {
    for (const wait of [...this.#options.retryWaitsMs, undefined]) {
      try {
        await transport.sendMail({ from: this.#server.from, to: [...mail.to], subject: mail.subject, text: mail.text });
        return 'sent';
      } catch (error) {
        const { code, responseCode } = error as { code?: string; responseCode?: number };
        const fields = { subject: mail.subject, recipients: mail.to.length, code, responseCode };
        if (wait === undefined || !(await this.#waited(wait))) {
          this.#logger.error(fields, `TPS0028:${messages.TPS0028}`);
          return 'failed';
        }
        this.#logger.warn({ ...fields, againInMs: wait }, `TPS0028:${messages.TPS0028}`);
      }
    }
    return 'failed';
  }

  /** @returns false when the service ends meanwhile */
  async #waited(ms: number): Promise<boolean> {
    return delay(ms, true, { signal: this.#abort.signal }).catch(() => false);
  }
}
