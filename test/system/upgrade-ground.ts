import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { createConnection } from 'mysql2/promise';
import { vi } from 'vitest';

import { startBalancer } from '../harness/balancer.ts';
import type { Balancer } from '../harness/balancer.ts';
import { runScript, withSchema } from '../harness/baseline.ts';
import { ClusterStores, masterOf } from '../harness/cluster.ts';
import { startNode } from '../harness/node-process.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startProvider } from '../harness/provider/provider.ts';
import type { Provider } from '../harness/provider/provider.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';
import { startReaders } from '../harness/readers.ts';
import type { EndedRead, Readers } from '../harness/readers.ts';
import { startMariaDb, startRedis } from '../harness/stores.ts';
import { migrations, readScript } from '../mysql/fixtures/scripts.ts';
import { documentedSql } from '../docs/sql-blocks.ts';
import { refresh } from './caller.ts';
import { JavaMaster } from './java-master.ts';

const schema = 'token_service';
const tokenSeconds = 30;
/** Of the old service, which refreshes every 12 s with it, all tokens in the same moment. */
export const leadMs = 18_000;
/** How old the first tokens say that they are, s: the old service refreshes them 2 s after its start. */
const ageSeconds = 10;
const historyRows = 20_000;
const patient = { timeout: 20_000, interval: 20 };

export interface UpgradeOwner { readonly id: string; readonly grants: readonly IssuedGrant[] }

/** An installation of version 1.1.8: its database with a history, its service, a balancer before it and callers. */
export class UpgradeGround {
  readonly owners: UpgradeOwner[] = [];
  readonly nodes: NodeProcess[] = [];
  /** The longest that a caller was given a token for which the old service had stored another, ms. */
  longestBehindMs = 0;
  stores!: ClusterStores;
  provider!: Provider;
  java!: JavaMaster;
  balancer!: Balancer;
  readers!: Readers;
  #started = 0;

  async start(): Promise<void> {
    const [mariaDb, redis, provider] = await Promise.all([startMariaDb(), startRedis(), startProvider({ accessTokenSeconds: tokenSeconds, clients: [client('a'), client('b')] })]);
    const { host, port, user, password } = mariaDb;
    this.provider = provider;
    this.stores = new ClusterStores(mariaDb, redis, () => createConnection({ host, port, user, password, database: schema, timezone: 'Z', dateStrings: false }));
    await runScript(mariaDb, `CREATE DATABASE ${schema}`);
    await runScript(mariaDb, await readFile(new URL('../mysql/fixtures/schema-1.0.1.sql', import.meta.url), 'utf8'), schema);
    await this.migrate(migrations.slice(0, 2));
    await this.#fill();
    await this.startJava();
    this.balancer = await startBalancer({ targets: [this.java], checkEveryMs: 100, checkTimeoutMs: 10_000 });
    this.readers = startReaders({ urls: [this.balancer.url], owners: this.owners.map(({ id }) => id), ratePerSecond: 60, judge: provider.isLive, onRead: (read) => this.#lookAt(read) });
  }

  async stop(): Promise<void> {
    await this.readers.stop();
    await this.balancer.stop();
    await Promise.all(this.nodes.map((node) => node.stop(10_000)));
    await Promise.all([this.java.end(), this.stores.remove(), this.provider.stop()]);
  }

  async startJava(): Promise<void> {
    this.java = new JavaMaster(this.stores.mariaDb, schema, leadMs);
    await this.java.start();
  }

  async migrate(scripts: readonly string[] = migrations.slice(2)): Promise<void> {
    for (const name of scripts) await runScript(this.stores.mariaDb, `SET SESSION lock_wait_timeout = 10;\n${withSchema(await readScript(name), schema)}`);
  }

  async startNode(own: Readonly<Record<string, unknown>>): Promise<NodeProcess> {
    const number = ++this.#started;
    const times = { refreshWakeUpLeadTime: leadMs, cluster: { nodeId: `node-${number}`, leaseTime: 2000 }, refresh: { jitter: 0, reconcileEvery: 200 } };
    const node = await startNode({ config: this.stores.config(`${this.stores.redis.dataFolder}/journal-${number}`, { ...times, ...own }) });
    this.nodes.push(node);
    await node.waitReady();
    return node;
  }

  /** One node after the other, the master last, is stopped in order and started with other settings. */
  async restartNodes(own: Readonly<Record<string, unknown>>): Promise<void> {
    const master = await masterOf(this.nodes);
    for (const node of this.nodes.toSorted((a, b) => Number(a === master) - Number(b === master))) {
      await node.stop();
      this.balancer.remove(node);
      this.nodes.splice(this.nodes.indexOf(node), 1);
      await this.balancer.add(await this.startNode(own));
    }
  }

  /** Runs the last statement of a piece of the documentation after its others, on one connection. */
  async ask<T>(title: string, values: Readonly<Record<string, number>> = {}): Promise<T[]> {
    return this.stores.withConnection(async (connection) => {
      let result: unknown;
      for (const sql of documentedSql('upgrade.md', title, values)) [result] = await connection.query(sql);
      return result as T[];
    });
  }

  /** Until the documented query says that nothing is under way, and nothing falls due for so long. */
  async untilQuietFor(seconds: number): Promise<void> {
    await vi.waitUntil(async () => {
      const [next] = await this.ask<{ due_in_s: number }>('What the old service refreshes next', { lead: leadMs });
      return next !== undefined && Number(next.due_in_s) >= seconds;
    }, patient);
  }

  /** Until the old service has refreshed each grant once more. */
  async untilRefreshed(): Promise<void> {
    const counts = (): Map<string, number> => new Map(this.grantIds().map((grantId) => [grantId, this.#refreshesOf(grantId)]));
    const before = counts();
    await vi.waitUntil(() => [...counts()].every(([grantId, count]) => count > before.get(grantId)!), { timeout: 40_000, interval: 50 });
  }

  /** Has a new node refresh each token, and gives what it answered and what it should have. */
  async refreshAll(): Promise<{ answered: string[]; newest: string[] }> {
    const current = this.owners.flatMap(({ id, grants }) => grants.map(({ grantId }) => ({ id, grantId, token: this.#newest(grantId) })));
    const answers = await Promise.all(current.map(({ id, token }) => refresh(this.nodes[0]!, id, token)));
    return { answered: answers.map(({ body }) => body), newest: current.map(({ grantId }) => this.#newest(grantId)) };
  }

  /** Until the valid rows are those of the newest tokens of each grant. */
  async untilStored(): Promise<void> {
    await vi.waitUntil(async () => {
      const rows = await this.stores.query<{ refreshtoken: string }>("SELECT refreshtoken FROM tsttoken WHERE isvalid = 1 AND refreshtoken NOT LIKE 'sealed:%'");
      const newest = this.grantIds().map((grantId) => this.provider.newest(grantId)!.refreshToken);
      return rows.map(({ refreshtoken }) => refreshtoken).sort().join() === newest.sort().join();
    }, patient);
  }

  grantIds(): string[] {
    return this.owners.flatMap(({ grants }) => grants.map(({ grantId }) => grantId));
  }

  #newest(grantId: string): string {
    return this.provider.newest(grantId)!.accessToken;
  }

  #refreshesOf(grantId: string): number {
    return this.provider.account.presentations.filter((presentation) => presentation.grantId === grantId && presentation.outcome === 'refreshed').length;
  }

  /** Owners with a token, one of them with two; and what years of use leave behind. */
  async #fill(): Promise<void> {
    for (const [index, clients] of [[0], [0], [0], [1], [0, 1]].entries()) {
      const id = `gateway ${index}`;
      const { insertId } = (await this.stores.query(
        'INSERT INTO `tsxwho` (`ownerid`, `tokenurl`, `defaultconnectionresettime`, `isvalid`, `reattmptcount`, `retrymax`, `retrydelay` ) VALUES (?, ?, 50, 1, 0, 5, 200)',
        [id, this.provider.tokenUrl],
      )) as unknown as { insertId: number };
      this.owners.push({ id, grants: clients.map((of) => this.provider.createGrant({ client: of, owner: id })) });
      for (const grant of this.owners.at(-1)!.grants) await this.stores.addToken(insertId, grant);
    }
    await this.stores.query('UPDATE tsttoken SET createdtime = createdtime - INTERVAL ? SECOND', [ageSeconds]);
    // A chain, in the order of its ids, that ends in a token which nobody renewed.
    await this.stores.query('ALTER TABLE tsttoken AUTO_INCREMENT = 101');
    const numbers = `SELECT seq FROM seq_1_to_${historyRows}`;
    await this.stores.query(`INSERT INTO tsttoken (tsxwhodid, tokenauth, tokenvalidity, accesstoken, refreshtoken, parenttokendid, isvalid, createdtime) SELECT 1, 'YTpi', 3600000, REPEAT('a', 200), REPEAT('r', 200), NULLIF(seq + 99, 100), 0, '2020-01-01' FROM (${numbers}) n`);
    await this.stores.query(`INSERT INTO tstevent (jobname, text, event, status) SELECT 'CREATE_NEW_TOKEN', REPEAT('t', 400), '2002', '4003' FROM (${numbers}) n`);
  }

  #lookAt({ token, sentAt }: EndedRead): void {
    const grantId = token?.judgement.grantId;
    if (!grantId) return;
    const newest = this.provider.newest(grantId)!.accessToken;
    const savedAt = this.java.savedAt.get(newest);
    if (token.text !== newest && savedAt !== undefined) this.longestBehindMs = Math.max(this.longestBehindMs, sentAt - savedAt);
  }
}

function client(id: string): { id: string; secret: string } {
  return { id, secret: randomBytes(12).toString('base64url') };
}
