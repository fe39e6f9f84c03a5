import type { Topology } from '../world/redis-site.ts';
import { arrivalFaults } from './arrivals.ts';
import type { Fault } from './fault.ts';
import { networkFaults } from './networks.ts';
import { pointFaults } from './points.ts';
import { processFaults } from './processes.ts';
import { providerFaults } from './providers.ts';
import { failoverFault, mysqlFaults, redisFaults, singleRedisFaults } from './stores.ts';
import { surroundingFaults } from './surroundings.ts';

/** Every fault that a cluster of this layout can be given. */
export function catalogue(topology: Topology): readonly Fault[] {
  const common = [...processFaults, ...pointFaults, ...arrivalFaults, ...providerFaults, ...redisFaults, ...mysqlFaults, ...surroundingFaults];
  if (topology === 'single') return [...common, ...singleRedisFaults, ...networkFaults];
  // Clients of these find their servers by themselves: there is no way of theirs to break but by the servers.
  return [...common, failoverFault(topology), ...networkFaults.filter(({ kind }) => kind.includes('to MySQL'))];
}
