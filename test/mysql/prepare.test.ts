import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/domain/errors.ts';
import { prepareDatabase } from '../../src/mysql/prepare.ts';
import { SchemaOutdated } from '../../src/mysql/schema.ts';
import { createDatabase } from '../harness/database.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { silent, useTokenDatabase } from './token-database.ts';

const database = useTokenDatabase();

describe('a node that starts', () => {
  test('waits for a database that does not answer yet, and says so once', async () => {
    const said: string[] = [];
    const proxy = await startTcpProxy(database().schema.port);
    await proxy.cut();
    const prepared = prepareDatabase(database().open({ host: '127.0.0.1', port: proxy.port }), 15_000, { ...silent, warn: (_facts: object, text: string) => { said.push(text); } });
    await delay(700);
    await proxy.restore();
    await prepared;
    expect(said).toEqual([expect.stringContaining('15 s')]);
    await proxy.stop();
  });

  test('gives up on a database that never answers, when its patience ends', async () => {
    const begun = performance.now();
    await expect(prepareDatabase(database().open({ host: '127.0.0.1', port: 1 }), 300, silent)).rejects.toThrow(StoreUnavailable);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('does not wait where the schema is not its own', async () => {
    const empty = await createDatabase({ empty: true });
    await expect(prepareDatabase(database().open({ schema: empty.schema }), 60_000, silent)).rejects.toThrow(SchemaOutdated);
    await empty.drop();
  });
});
