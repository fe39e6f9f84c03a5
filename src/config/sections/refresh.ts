import { z } from 'zod';

import { section } from '../leaf.ts';
import { flag, fraction, milliseconds, optionalNumber, readableFile, wholeNumber } from '../leaves.ts';

export const refreshSection = section(z.strictObject({
  concurrency: wholeNumber('Refreshes under way at once on the master', 50, [1, 1_000]),
  connectTimeout: milliseconds('Deadline for the connection to a token endpoint: name, TCP and TLS together', 3_000, [100, 120_000]),
  requestTimeout: milliseconds('Deadline for the request and its whole answer once connected', 10_000, [100, 600_000]),
  jitter: fraction('Refreshes start earlier by a random part of the lifetime of the token, up to this fraction of it', 0.1, [0, 0.5]),
  defaultLifetime: optionalNumber(
    'Lifetime of a token whose provider sends no `expires_in`', 'that of the token before it', [1_000, 31_536_000_000], 'ms',
  ),
  reconcileEvery: milliseconds('How often the master looks in the database for what its plan has missed', 1_000, [100, 3_600_000]),
  defaultRetryMax: wholeNumber('`retrymax` of an owner that has none: how often a failed refresh is tried again', 10, [0, 1_000_000]),
  defaultRetryDelay: milliseconds('`retrydelay` of an owner that has none: time between two tries', 20_000, [0, 86_400_000]),
  caFile: readableFile('PEM file of certificate authorities that are trusted for token endpoints beside those of the system'),
  allowHttp: flag('Whether a token URL may be plain http; each is warned of', true),
}));
