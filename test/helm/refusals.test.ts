import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';

import { helm, template, withoutHelm } from './chart.ts';

const folder = mkdtempSync(join(tmpdir(), 'tps-values-'));
afterAll(() => { rmSync(folder, { recursive: true }); });

type Values = Record<string, unknown>;

let files = 0;
async function complaint(values: Values): Promise<string> {
  files += 1;
  const file = join(folder, `${files}.yaml`);
  writeFileSync(file, stringify(values));
  const { ok, stderr } = await template('default-minimal', '-f', file);
  return ok ? 'taken' : stderr;
}

const secret = 'hunter2-secret';

describe.skipIf(helm === undefined)(`wrong values are refused by name${withoutHelm}`, () => {
  const SCHEMA: [name: string, values: Values, where: RegExp, what: RegExp][] = [
    ['a key that does not exist', { replicas: 3 }, /\(root\)|at ''/, /replicas/],
    ['one within a section', { service: { application: { ports: 80 } } }, /service[./]application/, /ports/],
    ['a setting that does not exist', { config: { refresh: { concurency: 3 } } }, /config[./]refresh/, /concurency/],
    ['a setting out of range', { config: { cluster: { leaseTime: 5 } } }, /config[./]cluster[./]leaseTime/, /1,?000/],
    ['a setting of another type', { config: { isMaster: 'perhaps' } }, /config[./]isMaster/, /boolean/],
    ['a setting that another value decides', { config: { server: {} } }, /config/, /server/],
    ['a password among the settings', { config: { tslMailConfig: { password: secret } } }, /config[./]tslMailConfig/, /password/],
    ['text for a number', { replicaCount: 'three' }, /replicaCount/, /integer/],
    ['a port that there is not', { externalMysql: { port: 70_000 } }, /externalMysql[./]port/, /65,?535/],
    ['a port of the system', { containerPorts: { admin: 80 } }, /containerPorts[./]admin/, /1,?024/],
    ['an unknown TLS mode', { externalMysql: { tls: { mode: 'VERIFY' } } }, /externalMysql[./]tls[./]mode/, /VERIFY_IDENTITY/],
    ['a repository with a tag', { image: { repository: 'identity/token-pool-service:2.0.0' } }, /image[./]repository/, /pattern/],
    ['a runbook that is no address', { prometheusRule: { runbook: 'docs' } }, /prometheusRule[./]runbook/, /https/],
    ['a sentinel without a host', { externalRedis: { sentinel: { nodes: [{ port: 1 }] } } }, /sentinel[./]nodes[./]0/, /host/],
    ['a sealing key without an id', { sealing: { keys: [{ key: 'a' }] } }, /sealing[./]keys[./]0/, /id/],
    ['a percentage over 100', { podDisruptionBudget: { maxUnavailable: '150%' } }, /podDisruptionBudget[./]maxUnavailable/, /pattern|integer/],
    ['an interval without a unit', { serviceMonitor: { interval: '15' } }, /serviceMonitor[./]interval/, /pattern/],
    ['an access mode that shares the journal', { journal: { persistence: { accessModes: ['ReadWriteMany'] } } }, /accessModes/, /ReadWriteOnce/],
    ['a memory that is no quantity', { resources: { limits: { memory: '1 GB' } } }, /resources[./]limits[./]memory/, /pattern/],
    ['a pull policy of another case', { image: { pullPolicy: 'always' } }, /image[./]pullPolicy/, /Always/],
  ];

  test.each(SCHEMA)('%s', async (_, values, where, what) => {
    const said = await complaint(values);
    expect(said).toContain("values don't meet the specifications of the schema");
    expect(said).toMatch(where);
    expect(said).toMatch(what);
    expect(said).not.toContain(secret);
  });

  const RELATIONS: [name: string, values: Values, said: string][] = [
    ['no database', { externalMysql: { host: '' } }, 'externalMysql.host is missing: name the host of your database'],
    ['a database host with its port', { externalMysql: { host: 'mysql:3306' } }, 'the port belongs into externalMysql.port'],
    ['a database host with a login', { externalMysql: { host: `mysql://root:${secret}@mysql` } }, 'the login into externalMysql.username'],
    ['two databases', { mysql: { enabled: true } }, 'externalMysql.host and mysql.enabled exclude one another'],
    ['no Redis', { externalRedis: { url: '' } }, 'No Redis is named: set one of externalRedis.url'],
    ['two of Redis', { redis: { enabled: true } }, 'redis.enabled and externalRedis.url exclude one another'],
    ['credentials in a URL', { externalRedis: { url: `redis://:${secret}@redis` } }, 'externalRedis.url holds credentials'],
    ['a URL of another kind', { externalRedis: { url: 'http://redis' } }, 'externalRedis.url is not of the form redis://host:port'],
    ['two servers in a URL', { externalRedis: { url: 'redis://a:6379,b:6379' } }, 'Several servers are named in externalRedis.sentinel.nodes or externalRedis.cluster.nodes'],
    ['renewals that come too late', { config: { cluster: { renewEvery: 1_667 } } }, 'config.cluster.renewEvery (1667 ms) is too long for a config.cluster.leaseTime of 3000 ms'],
    ['Sentinel without a name', { externalRedis: { url: '', sentinel: { nodes: [{ host: 'a' }] } } }, 'externalRedis.sentinel.masterName is missing'],
    ['a database number in a Cluster', { externalRedis: { url: '', db: 1, cluster: { nodes: [{ host: 'a' }] } } }, 'externalRedis.db must be 0'],
    ['a key of no Secret', { externalRedis: { url: '', existingSecret: { urlKey: 'url' } } }, 'externalRedis.existingSecret.name is missing'],
    ['a sealing key of the wrong length', { sealing: { keys: [{ id: 'a', key: btoa(secret) }] } }, 'sealing.keys[0].key is not base64 of 32 bytes'],
    ['a sealing key that is nowhere', { sealing: { keys: [{ id: 'a' }] } }, 'sealing.keys[0] needs either key or existingSecret'],
    ['two sealing keys of one id', { sealing: { keys: [{ id: 'a', existingSecret: { name: 's', key: 'k' } }, { id: 'a', existingSecret: { name: 's', key: 'k' } }] } }, 'sealing.keys[1].id is there a second time'],
    ['an active key that is not there', { sealing: { activeKey: 'b' } }, 'sealing.activeKey is not the id of one of sealing.keys'],
    ['one port for two', { containerPorts: { admin: 8181 } }, 'containerPorts.application and containerPorts.admin are the same'],
    ['more at least than at most', { autoscaling: { enabled: true, minReplicas: 20 } }, 'autoscaling.minReplicas is more than autoscaling.maxReplicas'],
    ['nothing to scale by', { autoscaling: { enabled: true, targetCPUUtilizationPercentage: 0 } }, 'autoscaling has nothing to go by'],
    ['an update that cannot begin', { updateStrategy: { maxSurge: 0 } }, 'updateStrategy.maxSurge and updateStrategy.maxUnavailable are both 0'],
    ['an Ingress to nowhere', { ingress: { enabled: true } }, 'ingress.hosts is empty'],
    ['a password of nobody', { migration: { password: secret } }, 'migration.username is missing'],
  ];

  test.each(RELATIONS)('%s', async (_, values, said) => {
    const found = await complaint(values);
    expect(found).toContain(said);
    expect(found).not.toContain(secret);
    expect(found).not.toContain(btoa(secret));
  });

  test('and right ones are not', async () => {
    expect(await complaint({ replicaCount: 5, config: { cluster: { leaseTime: 3_000, renewEvery: 1_666 } }, image: { repository: 'registry.example.com:5000/identity/token-pool-service' }, global: { anything: 1 } })).toBe('taken');
  });
});
