import type { Check } from '../evidence.ts';
import { clockTime, Tally } from './tally.ts';

/** Judged by the provider that issued the token, as it stood when the read was sent. */
export const onlyGoodTokens: Check = ({ answers }) => {
  const tally = new Tally('No token was handed out that was expired, revoked, unknown or another owner\'s');
  for (const { owner, sentAt, status, why, servedBy, grantId, sequence } of answers) {
    if (status === 200) tally.case(why && `${clockTime(sentAt)} ${owner}: ${why} (${grantId ?? 'no grant'}, access token ${sequence ?? '?'}), by ${servedBy ?? '?'}`);
  }
  return tally.finding();
};
