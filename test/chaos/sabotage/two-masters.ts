import { existsSync } from 'node:fs';

type Ask = (this: Lease, leaseMs: number) => Promise<boolean>;

interface Lease {
  acquire: Ask;
  extend: Ask;
  endsInMs: (this: Lease, leaseMs: number) => Promise<number>;
}

/** While the file is there, every node gets the lease that asks for it: there is no election. */
export async function ignoreElection(root: URL, file: string): Promise<void> {
  const { RedisLease } = (await import(new URL('redis/lease.js', root).href)) as { RedisLease: { prototype: Lease } };
  const { acquire, extend, endsInMs } = RedisLease.prototype;
  const forced = (): boolean => existsSync(file);
  RedisLease.prototype.acquire = async function asked(leaseMs) {
    return forced() || acquire.call(this, leaseMs);
  };
  RedisLease.prototype.extend = async function asked(leaseMs) {
    return forced() || extend.call(this, leaseMs);
  };
  RedisLease.prototype.endsInMs = async function asked(leaseMs) {
    return forced() ? 0 : endsInMs.call(this, leaseMs);
  };
}
