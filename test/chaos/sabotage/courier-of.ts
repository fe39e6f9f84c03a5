import childProcess, { type ChildProcess, type ForkOptions } from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

type Fork = (entry: string, args: readonly string[], options: ForkOptions) => ChildProcess;

/** The courier of this process is sabotaged like it. @returns the process id of the one that runs now */
export function followIntoCourier(preload: string, environment: Readonly<Record<string, string>>): () => number | undefined {
  let courier: ChildProcess | undefined;
  const fork = childProcess.fork.bind(childProcess) as Fork;
  const followed: Fork = (entry, args, options) => {
    courier = fork(entry, args, { ...options, execArgv: [...(options.execArgv ?? []), '--import', preload], env: { ...options.env, ...environment } });
    return courier;
  };
  childProcess.fork = followed as typeof childProcess.fork;
  syncBuiltinESMExports();
  return () => (courier?.exitCode === null && courier.signalCode === null ? courier.pid : undefined);
}
