import type { z } from 'zod';

import type { Secret } from '../domain/secret.ts';
import type { schema } from './schema.ts';

/** The settings of this process: complete, checked, frozen to the bottom. Times are ms. Passwords and keys are `Secret`. */
export type Config = DeepReadonly<z.output<typeof schema>> & {
  /** What was accepted and has no effect, or is not wise; one line each, for the log at start-up. */
  readonly warnings: readonly string[];
};

export type DatabaseConfig = Config['database'];
export type ServerConfig = Config['server'];
export type ConnectorConfig = ServerConfig['applicationConnectors'][number];
export type LoggingConfig = Config['logging'];
export type MailConfig = Config['tslMailConfig'];
export type RedisConfig = Config['redis'];
export type ClusterConfig = Config['cluster'];
export type RefreshConfig = Config['refresh'];
export type SealingConfig = Config['sealing'];

type DeepReadonly<T> = T extends Secret
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;
