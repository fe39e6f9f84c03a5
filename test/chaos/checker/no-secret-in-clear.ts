import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { tokenAuthOf } from '../../harness/provider/client-authentication.ts';
import { SecretWatch } from '../../system/secret-watch.ts';
import type { Check, Evidence } from '../evidence.ts';
import { contentOfRedis } from './redis-keys.ts';
import { Tally } from './tally.ts';

export const noSecretInClear: Check = async (evidence) => {
  const tally = new Tally('No token, client secret or password stands in the clear in a log, a journal or Redis');
  const watch = watchFor(evidence);
  for (const [place, text] of await textsOf(evidence)) {
    const leaks = watch.leaksIn(place, text);
    if (leaks.length === 0) tally.case();
    for (const leak of leaks) tally.case(leak);
  }
  return tally.finding();
};

function watchFor({ providers, record }: Evidence): SecretWatch {
  const watch = new SecretWatch();
  for (const client of providers.flatMap(({ clients }) => clients)) {
    watch.guard(`the secret of ${client.id}`, client.secret);
    watch.guard(`the authentication of ${client.id}`, tokenAuthOf(client));
  }
  watch.guard('the password of the database', record.mariaDb.password);
  return watch;
}

async function textsOf({ logs, journalFolders, redis }: Evidence): Promise<[string, string][]> {
  const texts: [string, string][] = logs.map((log, index) => [`log ${index + 1}`, log]);
  for (const folder of journalFolders) {
    for (const name of await readdir(folder)) texts.push([`journal ${name}`, await readFile(join(folder, name), 'utf8')]);
  }
  for (const [key, value] of await contentOfRedis(redis)) texts.push([`Redis ${key}`, `${key}\n${value}`]);
  return texts;
}
