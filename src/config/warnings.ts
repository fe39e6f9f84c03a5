import type { Config } from './config.ts';

/** ms that the next node may need, beyond the lease, to find a dead master and take its work over. */
const takeoverMargin = 1_000;

/** What is allowed and not wise. */
export function unwise(config: Omit<Config, 'warnings'>): string[] {
  return [...config.database.urlWarnings.map((text) => `database.url: ${text}`), ...timing(config), ...retrying(config), ...mail(config), ...sealing(config)];
}

function timing({ refreshWakeUpLeadTime, cluster }: Omit<Config, 'warnings'>): string[] {
  const least = cluster.leaseTime + takeoverMargin;
  if (refreshWakeUpLeadTime >= least) return [];
  return [`refreshWakeUpLeadTime: ${refreshWakeUpLeadTime} ms is less than the ${least} ms that a takeover may last (cluster.leaseTime + ${takeoverMargin}): a token may expire while there is no master`];
}

/** 503 says that nothing was done (RFC 9110, section 15.6.4). */
function retrying({ retryResponseCodes }: Omit<Config, 'warnings'>): string[] {
  const doubtful = retryResponseCodes.filter((status) => status >= 500 && status !== 503);
  if (doubtful.length === 0) return [];
  return [`retryResponseCodes: a provider that answers ${doubtful.join(' or ')} may have used the refresh token, which is presented again all the same; a provider that takes that for theft revokes the grant`];
}

function mail({ tslMailConfig: { host, from, isAuth, username, password } }: Omit<Config, 'warnings'>): string[] {
  if (host === undefined) return [];
  const found: string[] = [];
  if (from === undefined) found.push('tslMailConfig.from: missing; no mail can be sent without a sender');
  if (isAuth && (username === undefined || password === undefined)) found.push('tslMailConfig.username, password: missing, and isAuth is true; mails are sent without logging in');
  return found;
}

function sealing(config: Omit<Config, 'warnings'>): string[] {
  return config.sealing.keys.length > 0 ? [] : ['sealing.keys: there are none; tokens and client secrets stand in the database in the clear'];
}
