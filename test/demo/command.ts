/** What was typed cannot be understood; the message says what can. */
export class UsageError extends Error {}

/** Ctrl-C, or what ends a process in order. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

export interface Command<Options> {
  readonly usage: string;
  /** @throws UsageError */
  readonly readOptions: (args: readonly string[]) => Options;
  /** @param signal aborts with an {@link Interrupted} */
  readonly run: (options: Options, signal: AbortSignal) => Promise<number>;
}

/** Runs what `npm run` starts, and gives its exit code: 2 where the arguments cannot be understood. */
export async function carryOut<Options extends { readonly help: boolean }>({ usage, readOptions, run }: Command<Options>, args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (!options.help) return await run(options, signalled());
    process.stdout.write(usage);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
}

/** Aborts at the first Ctrl-C, upon which all is stopped in order; at the second the guards of what runs end it at once. */
function signalled(): AbortSignal {
  const controller = new AbortController();
  for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(128 + number);
      controller.abort(new Interrupted(128 + number));
    });
  }
  return controller.signal;
}
