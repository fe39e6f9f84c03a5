import type { DatabaseOptions } from '../mysql/connection.ts';
import type { CourierSetup as OAuthSetup } from '../oauth/courier.ts';
import type { RedisEndpoint } from '../redis/endpoint.ts';
import type { RingKey } from '../runtime/key-ring.ts';

/** All that the courier is told; it reads neither configuration nor environment. */
export interface CourierSetup extends OAuthSetup {
  readonly journalFolder: string;
  readonly database: Omit<DatabaseOptions, 'observe'>;
  readonly redis: { readonly endpoint: RedisEndpoint; readonly prefix: string };
  /** The transit ring, as `KeyRing` takes it. */
  readonly ring: { readonly keys: readonly RingKey[]; readonly activeId?: string | undefined };
}
