import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { transitKeys } from '../../../src/runtime/key-ring.ts';
import { tokenAuthOf } from '../../harness/provider/client-authentication.ts';
import { SecretWatch } from '../../system/secret-watch.ts';
import type { Check, Evidence } from '../evidence.ts';
import { clusterKeyOf } from './kept-answers.ts';
import { contentOfRedis } from './redis-keys.ts';
import { Tally } from './tally.ts';

export const noSecretInClear: Check = async (evidence) => {
  const tally = new Tally('No token, client secret, password or key stands in the clear in a log, a journal, an event or Redis');
  const watch = await watchFor(evidence);
  for (const [place, text] of await textsOf(evidence)) {
    const leaks = watch.leaksIn(place, text);
    if (leaks.length === 0) tally.case();
    for (const leak of leaks) tally.case(leak);
  }
  return tally.finding();
};

async function watchFor({ providers, record, nodePassword }: Evidence): Promise<SecretWatch> {
  const watch = new SecretWatch();
  for (const client of providers.flatMap(({ clients }) => clients)) {
    watch.guard(`the secret of ${client.id}`, client.secret);
    watch.guard(`the authentication of ${client.id}`, tokenAuthOf(client));
  }
  watch.guard('the password of the database', record.mariaDb.password);
  watch.guard('what the nodes log in with', nodePassword);
  const clusterKey = await clusterKeyOf(record);
  const keys = [['the key of the cluster', clusterKey], ...transitKeys([], clusterKey).map(({ key }) => ['the key for journals and Redis', key] as const)] as const;
  for (const [name, key] of keys) for (const [form, text] of formsOfKey(key.reveal())) watch.guard(`${name}, ${form}`, text);
  return watch;
}

/** @param key in base64 */
function formsOfKey(key: string): [form: string, text: string][] {
  const bytes = Buffer.from(key, 'base64');
  const hex = bytes.toString('hex');
  return [
    ['base64', bytes.toString('base64').replace(/=+$/, '')],
    ['base64url', bytes.toString('base64url')],
    ['hex', hex],
    ['hex in capitals', hex.toUpperCase()],
    ['its bytes as JSON', bytes.join(',')],
    ['its bytes as inspected', hex.replaceAll(/(..)(?=.)/g, '$1 ')],
  ];
}

async function textsOf({ logs, journalFolders, record, redis }: Evidence): Promise<[string, string][]> {
  const texts: [string, string][] = logs.map((log, index) => [`log ${index + 1}`, log]);
  for (const folder of journalFolders) {
    for (const name of await readdir(folder)) texts.push([`journal ${name}`, await readFile(join(folder, name), 'utf8')]);
  }
  texts.push(['tstevent', await eventsOf(record)]);
  for (const [key, value] of await contentOfRedis(redis)) texts.push([`Redis ${key}`, `${key}\n${value}`]);
  return texts;
}

async function eventsOf(record: Evidence['record']): Promise<string> {
  const events = await record.query<Record<string, unknown>>('SELECT * FROM tstevent ORDER BY eventdid');
  return events.map((event) => JSON.stringify(event)).join('\n');
}
