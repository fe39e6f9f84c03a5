/** Where a port is opened. */
export interface Connector {
  readonly type: 'http' | 'https';
  /** 0 takes any free one. */
  readonly port: number;
  /** An address of this machine; all of them where it is left out. */
  readonly bindHost?: string | undefined;
  /** PEM, with the whole chain; https only. */
  readonly certificateFile?: string | undefined;
  /** PEM, without a password; https only. */
  readonly keyFile?: string | undefined;
}

/** Says what to do about a port that cannot be opened. */
export function cannotListen(name: string, { port, bindHost }: Connector, cause: unknown): Error {
  return new Error(`The ${name} port ${port} cannot be opened: ${advice(codeOf(cause), port, bindHost ?? 'all addresses')}`, { cause });
}

function advice(code: string, port: number, host: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `it is in use on ${host}. Stop the program that holds it, or give the connector another port`;
    case 'EACCES':
      return port < 1024
        ? 'ports below 1024 need a privilege. Take a higher one, or grant CAP_NET_BIND_SERVICE'
        : 'this user may not open it. Check the security policy of the machine';
    case 'EADDRNOTAVAIL':
      return `bindHost ${host} is no address of this machine. Correct it, or leave it out to listen on all`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `bindHost ${host} cannot be resolved. Correct it, or leave it out to listen on all`;
    default:
      return code;
  }
}

export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
