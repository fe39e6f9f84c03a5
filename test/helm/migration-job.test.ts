import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { createDatabase } from '../harness/database.ts';
import type { TestDatabase } from '../harness/database.ts';
import { loadOldest } from '../mysql/fixtures/scripts.ts';
import { accepted } from './accepted-schema.ts';
import { helm, objectOf, render, renderAnew, scenarios, withoutHelm } from './chart.ts';
import type { Rendered } from './chart.ts';
import { environmentOf, inFolder, layOut } from './pod-files.ts';
import { podsOf } from './pods.ts';

const patience = 60_000;
const made: string[] = [];
const created: TestDatabase[] = [];

afterAll(async () => {
  for (const folder of made) rmSync(folder, { recursive: true });
  for (const database of created) await database.drop();
});

async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createDatabase({ empty: true });
  created.push(database);
  return database;
}

/** The Job of a release with this database, run on this machine: its command, with its environment and its files. */
async function runJob(scenario: string, { host, port, schema, user, password }: TestDatabase): Promise<{ code: number; said: string }> {
  const settings = { 'externalMysql.host': host, 'externalMysql.port': port, 'externalMysql.database': schema, 'externalMysql.tls.mode': 'DISABLED', 'migration.username': user, 'migration.password': password };
  const objects = await renderAnew(scenario, ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]));
  const { spec } = podsOf([objectOf(objects, 'Job', '-migration')])[0]!;
  const folder = mkdtempSync(join(tmpdir(), 'tps-job-'));
  made.push(folder);
  layOut(objects, spec, folder);
  const [program = '', ...args] = spec.containers[0]!.command!.map((word) => inFolder(word, folder).replace(`${folder}/bin/`, '/bin/'));
  const env = { PATH: process.env['PATH'] ?? '', TMPDIR: folder, ...environmentOf(spec.containers[0]!, folder) };
  return new Promise((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) => { resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }); });
  });
}

describe.skipIf(helm === undefined)(`the migration Job as it is rendered${withoutHelm}`, () => {
  test('sets up the database that the values name, as the user that they name', async () => {
    const database = await emptyDatabase();
    expect(await runJob('sentinel', database)).toEqual({ code: 0, said: 'The database has no table of the service.\nRunning baseline.sql.\nThe database is at schema 2.0.0.\n' });
    await accepted(database);
  }, patience);

  test('takes a database of version 1 over where the values say so, and only there', async () => {
    const database = await emptyDatabase();
    await loadOldest(database);
    expect(await runJob('sentinel', database)).toMatchObject({ code: 1, said: expect.stringContaining('set migration.fromVersion1=true') as string });
    expect(await runJob('everything-on', database)).toMatchObject({ code: 0 });
    await accepted(database);
  }, patience);

  test.each(scenarios.filter((scenario) => scenario !== 'cluster'))('comes before the release in the scenario %s, or where the chart brings the database along, before its upgrades', async (scenario) => {
    const objects = await render(scenario);
    const ofHook = ({ metadata }: Rendered): readonly (string | undefined)[] => [metadata.annotations?.['helm.sh/hook'], metadata.annotations?.['helm.sh/hook-weight']];
    const when = scenario === 'try-out' ? 'pre-upgrade' : 'pre-install,pre-upgrade';
    expect(ofHook(objectOf(objects, 'Job', '-migration'))).toEqual([when, '0']);
    for (const object of objects.filter(({ kind, metadata }) => kind !== 'Job' && metadata.name.endsWith('-migration'))) expect(ofHook(object)).toEqual([when, '-10']);
  }, patience);

  test('is not there where it is turned off', async () => {
    expect((await render('cluster')).filter(({ metadata }) => metadata.name.endsWith('-migration'))).toEqual([]);
  }, patience);
});
