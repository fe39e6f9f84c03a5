import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startProvider } from '../harness/provider/provider.ts';
import type { Provider } from '../harness/provider/provider.ts';
import { findProgram } from '../harness/store-programs.ts';
import { runDocumented } from '../docs/commands.ts';
import { documentedSql } from '../docs/sql-blocks.ts';
import { refresh, tokenOf } from './caller.ts';
import { soon, useScene } from './scene.ts';
import type { OwnerOnScene } from './scene.ts';

/** The programs that the documented commands call. */
const missing = ['bash', 'mariadb-dump', 'mariadb', 'redis-cli'].filter((name) => !hasProgram(name));
const leftOut = missing.length === 0 ? '' : ` (left out: this machine has no ${missing.join(', ')})`;
const tokenSeconds = 120;
/** How old the first rows say that they are, s: due, at half of their life, 15 s after they were put in, and served for a minute more. */
const ageSeconds = 45;
const patient = { timeout: 60_000, interval: 40 };

describe.skipIf(missing.length > 0)(`a backup that was restored by docs/operations.md after its refresh tokens were used${leftOut}`, () => {
  const busy: OwnerOnScene[] = [];
  let long: OwnerOnScene;
  let constant: OwnerOnScene;
  let lenient: Provider;
  const scene = useScene({
    provider: { accessTokenSeconds: tokenSeconds },
    nodes: [{}, {}],
    config: { refreshWakeUpLeadTime: 60_000 },
    prepare: async (on) => {
      lenient = await startProvider({ accessTokenSeconds: tokenSeconds, rotate: false });
      for (let number = 1; number <= 3; number++) busy.push(await on.addOwner({ ownerId: `busy ${number}` }));
      long = await on.addOwner({ ownerId: 'long', row: { expiresInMs: 3_600_000 } });
      constant = await on.addOwner({ ownerId: 'constant', providerPolicy: 'non_rotating' }, lenient);
      await on.stores.query('UPDATE tsttoken SET createdtime = createdtime - INTERVAL ? SECOND', [ageSeconds]);
    },
  });
  let folder: string;
  /** Before the restore. */
  let lenientRefreshes: number;

  function documented(containing: string): Promise<void> {
    return runDocumented('operations.md', containing, { cwd: folder, env: { REDIS_URL: scene.stores.redis.url } });
  }

  /** The refresh token that the grant of the owner has come to. */
  function newest({ grant }: OwnerOnScene): string {
    return scene.provider.newest(grant.grantId)!.refreshToken;
  }

  const asBackedUp = new Map<OwnerOnScene, string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tps-backup-'));
    const { host, port, user, password } = scene.stores.mariaDb;
    await writeFile(join(folder, 'backup.cnf'), `[client]\nhost=${host}\nport=${String(port)}\nuser=${user}\npassword=${password}\n`, { mode: 0o600 });
    await vi.waitUntil(async () => (await scene.stores.query('SELECT 1 FROM tsttoken WHERE dueat IS NULL')).length === 0, patient);
    await documented('mariadb-dump');
    await documented("grep -q 'Dump completed'");
    for (const owner of busy) asBackedUp.set(owner, newest(owner));
    await vi.waitUntil(() => busy.every((owner) => newest(owner) !== asBackedUp.get(owner)), patient);
    await restore();
  }, 120_000);

  /** As docs/operations.md has it, "Restoring a backup". */
  async function restore(): Promise<void> {
    await Promise.all(scene.nodes.splice(0).map((node) => node.stop()));
    lenientRefreshes = lenient.account.refreshes;
    const [{ stopped } = { stopped: '' }] = await scene.stores.query<{ stopped: string }>("SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:%i:%s') AS stopped");
    await documented('redis-cli');
    for (const number of [1, 2]) await rm(scene.journalFolder(number), { recursive: true });
    await documented('| mariadb --defaults');
    await scene.stores.withConnection(async (connection) => {
      for (const sql of documentedSql('operations.md', 'No refresh token that may have been used', { stopped, jitter: 0.1 })) await connection.query(sql);
    });
    for (let number = 0; number < 2; number++) await scene.startNode();
    await scene.master();
  }

  afterAll(async () => {
    await lenient.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('was taken before the refreshes', () => {
    for (const owner of busy) expect(newest(owner)).not.toBe(asBackedUp.get(owner));
  });

  test('has callers get the access tokens of the backup while these live', async () => {
    for (const owner of busy) {
      const { status, body } = await tokenOf(scene.nodes[0]!, owner.id);
      expect({ status, body, expired: scene.provider.isLive(body).expired }).toEqual({ status: 200, body: owner.grant.accessToken, expired: false });
    }
  });

  test('has the other owners refreshed as ever', async () => {
    expect(await refresh(scene.nodes[0]!, long.id, long.grant.accessToken)).toMatchObject({ status: 200, body: scene.provider.newest(long.grant.grantId)!.accessToken });
    await expect.poll(() => lenient.account.refreshes, soon).toBeGreaterThan(lenientRefreshes);
    expect((await tokenOf(scene.nodes[1]!, constant.id)).status).toBe(200);
  });

  test('has the documented query name what needs a new grant', async () => {
    const [sql = ''] = documentedSql('operations.md', 'What needs a new grant');
    expect(await scene.stores.query(sql)).toMatchObject(busy.map(({ id }) => ({ ownerid: id, state: 'stopped' })));
  });

  test('is made good by new grants', async () => {
    for (const owner of busy) {
      const grant = scene.provider.createGrant({ owner: owner.id });
      await scene.stores.addToken(owner.did, grant);
      for (const node of scene.nodes) await expect.poll(async () => scene.provider.isLive((await tokenOf(node, owner.id)).body).grantId, soon).toBe(grant.grantId);
      expect(await refresh(scene.nodes[0]!, owner.id, grant.accessToken)).toMatchObject({ status: 200, body: scene.provider.newest(grant.grantId)!.accessToken });
    }
  }, 60_000);

  test('presented no refresh token twice', () => {
    expect(scene.provider.account).toMatchObject({ presentedTwice: 0, presentedAgain: 0, grantsRevoked: 0 });
  });
});

function hasProgram(name: string): boolean {
  try {
    return findProgram(name) !== '';
  } catch {
    return false;
  }
}
