// The package's own types cannot be resolved through its `exports`; these are the parts the service uses.
declare module 'redlock' {
  import type { Cluster, Redis } from 'ioredis';

  export interface ExecutionStats {
    readonly votesAgainst: Map<Redis | Cluster, Error>;
  }

  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }

  export class Lock {
    readonly value: string;
    expiration: number;
    release(): Promise<unknown>;
    extend(durationMs: number): Promise<Lock>;
  }

  export default class Redlock {
    constructor(clients: Iterable<Redis | Cluster>, settings: { retryCount: number });
    on(event: 'error', listener: (error: Error) => void): this;
    acquire(resources: string[], durationMs: number): Promise<Lock>;
  }
}
