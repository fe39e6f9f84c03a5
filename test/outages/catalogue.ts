import type { OutageOptions } from './options.ts';
import type { Outage } from './outage.ts';
import type { Stage } from './stage.ts';

export interface PlannedOutage extends Outage {
  readonly kind: 'redis' | 'mysql' | 'both';
}

/** The outages in their order: each store dies without warning, and Redis comes back empty. */
export function outagesOf({ stores: { redis, mariaDb } }: Stage, { redis: ofRedis, mysql, both }: Pick<OutageOptions, 'redis' | 'mysql' | 'both'>): PlannedOutage[] {
  const all: PlannedOutage[] = [
    { kind: 'redis', name: 'Redis', seconds: ofRedis, begin: () => redis.kill(), end: () => redis.restart() },
    { kind: 'mysql', name: 'MySQL', seconds: mysql, begin: () => mariaDb.kill(), end: () => mariaDb.restart() },
    {
      kind: 'both',
      name: 'MySQL and Redis',
      seconds: both,
      begin: async () => { await Promise.all([redis.kill(), mariaDb.kill()]); },
      end: async () => { await Promise.all([redis.restart(), mariaDb.restart()]); },
    },
  ];
  return all.filter(({ seconds }) => seconds > 0);
}
