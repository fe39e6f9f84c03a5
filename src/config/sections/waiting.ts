import { leaf } from '../leaf.ts';
import { flag, milliseconds, wholeNumber } from '../leaves.ts';

/** Ranges of the keys whose values, where they are out of range, fall back to the default with a warning: the old service ran with such files. */
export const forgivingRanges = {
  waitingTimeForToken: [200, 20_000],
  retryAttempt: [1, 1_000_000],
  tokenReadretrAttempts: [0, 1_000_000],
  tokenReadretrAfter: [100, 86_400_000],
} as const;

/** The keys that stand at the top of the file. */
export const waitingKeys = {
  waitingTimeForToken: milliseconds(
    'A caller waits for a token at most this long, times `retryAttempt`. Out of range: the default, with a warning', 200, forgivingRanges.waitingTimeForToken,
  ),
  retryAttempt: wholeNumber('How many times `waitingTimeForToken` a caller waits. Out of range: the default, with a warning', 10_000, forgivingRanges.retryAttempt),
  isMaster: flag('Whether this node stands for election as the master; `false`: a read-only follower', true),
  tokenReadretrAttempts: wholeNumber(
    'Follower: how often it goes back to the database for a valid token. Out of range: the default, with a warning', 3, forgivingRanges.tokenReadretrAttempts,
  ),
  tokenReadretrAfter: milliseconds(
    'Follower: time between two of those looks. Out of range: the default, with a warning', 60_000, forgivingRanges.tokenReadretrAfter,
  ),
  refreshWakeUpLeadTime: milliseconds('Time before a token expires at which its refresh starts', 5_000, [0, 86_400_000]),
  retryResponseCodes: leaf<readonly number[]>({
    about: 'Answers of a token endpoint after which the refresh token counts as not used and is presented again, as where no connection could be made. 408, 425, 429 and 503 always are; others from 500 on are a warning',
    allowed: 'HTTP status codes, 100 to 599, with commas between them',
    fallback: [],
    shown: 'none',
    read: readCodes,
  }),
};

function readCodes(text: string): number[] | undefined {
  const codes = text.split(',').map((code) => code.trim()).filter(Boolean);
  return codes.every((code) => /^[1-5]\d\d$/.test(code)) ? [...new Set(codes.map(Number))] : undefined;
}
