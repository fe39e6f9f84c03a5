import { z } from 'zod';

import { section } from '../leaf.ts';
import { milliseconds, text, wholeNumber } from '../leaves.ts';

export const journalSection = section(z.strictObject({
  folder: text('Folder of the journal: answers of token endpoints are kept there until the database has them. Each node has its own, on a disk that outlives the process', 'journal'),
}));

export const metricsSection = section(z.strictObject({
  ownerLabels: wholeNumber('Owners that get series of their own in the metrics; the others are counted together', 100, [0, 100_000]),
}));

export const httpSection = section(z.strictObject({
  maxWaiting: wholeNumber('Callers that may wait for a token at once on this node', 10_000, [1, 1_000_000]),
  shutdownDelay: milliseconds('How long a service that stops goes on answering after `/ready` says no: until every balancer has noticed', 5_000, [0, 600_000]),
  shutdownGrace: milliseconds('Time that requests and refreshes under way are given after that', 10_000, [0, 600_000]),
}));

export const startupSection = section(z.strictObject({
  storeTimeout: milliseconds('How long the start waits for the database; Redis is not waited for', 60_000, [0, 3_600_000]),
}));
