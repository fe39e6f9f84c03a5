import { createTransport, type Transporter } from 'nodemailer';

import type { Secret } from '../domain/secret.ts';

/** `tslMailConfig`. */
export interface MailServer {
  /** Empty: mails are not sent. */
  readonly host: string;
  /** 465 speaks TLS from the first byte (RFC 8314). */
  readonly port: number;
  readonly username: string;
  readonly password: Secret;
  /** `isStarttlsEnable`: the server must offer STARTTLS (RFC 3207), and its certificate is verified. */
  readonly startTls: boolean;
  /** `isAuth`. */
  readonly authenticates: boolean;
  readonly from: string;
  /** PEM of certificate authorities to trust instead of those of the runtime. */
  readonly ca?: string | undefined;
}

const timeouts = { connectionTimeout: 5000, greetingTimeout: 5000, dnsTimeout: 5000, socketTimeout: 10_000 };
const implicitTlsPort = 465;

export function mailTransport(server: MailServer): Transporter {
  const secure = server.port === implicitTlsPort;
  return createTransport({
    host: server.host,
    port: server.port,
    secure,
    requireTLS: server.startTls && !secure,
    ignoreTLS: !server.startTls && !secure,
    ...(server.authenticates ? { auth: { user: server.username, pass: server.password.reveal() } } : {}),
    ...(server.ca === undefined ? {} : { tls: { ca: server.ca } }),
    ...timeouts,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
