import { z } from 'zod';

import { clusterSection } from './sections/cluster.ts';
import { databaseSection } from './sections/database.ts';
import { httpSection, journalSection, metricsSection, startupSection } from './sections/limits.ts';
import { loggingSection } from './sections/logging.ts';
import { mailSection } from './sections/mail.ts';
import { redisSection } from './sections/redis.ts';
import { refreshSection } from './sections/refresh.ts';
import { sealingSection } from './sections/sealing.ts';
import { serverSection } from './sections/server.ts';
import { waitingKeys } from './sections/waiting.ts';

/** Every key there is: first those of the old service's file, then ours. */
export const schema = z.strictObject({
  database: databaseSection,
  server: serverSection,
  ...waitingKeys,
  logging: loggingSection,
  tslMailConfig: mailSection,
  redis: redisSection,
  cluster: clusterSection,
  refresh: refreshSection,
  sealing: sealingSection,
  journal: journalSection,
  metrics: metricsSection,
  http: httpSection,
  startup: startupSection,
});
