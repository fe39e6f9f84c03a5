import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { masterOf } from '../harness/cluster.ts';
import { runOutage, type OutageFacts } from '../outages/outage.ts';
import { outagesOf } from '../outages/catalogue.ts';
import { setStage, type Stage } from '../outages/stage.ts';
import { promisesOf, type Promised } from '../outages/verdict.ts';

const tokenSeconds = 8;
const outageSeconds = 14;
const readsPerSecond = 60;

const stack = new AsyncDisposableStack();
let stage: Stage;
let facts: OutageFacts;
let promises: Promised[];

beforeAll(async () => {
  stage = await setStage({ owners: 16, nodes: 3, tokenSeconds, outlivedSeconds: outageSeconds }, stack);
  await sleep(tokenSeconds * 1000);
  const [outage] = outagesOf(stage, { redis: 0, mysql: outageSeconds, both: 0 });
  facts = await runOutage(stage, { ...outage!, meanwhile: killMaster }, { readsPerSecond, beforeSeconds: 1, afterSeconds: 4, tell: () => undefined });
  const briefSlots = stage.owners.filter(({ lasts }) => !lasts).flatMap(({ grants }) => grants).length;
  promises = promisesOf(facts, 'mysql', { recoveredMs: 20_000, waitMs: stage.waitMs, leastReads: 400, briefSlots, tokenSeconds });
}, 180_000);

afterAll(() => stack.disposeAsync(), 60_000);

/** What a master knew of tokens that expired while MySQL was away must not be lost with it. */
async function killMaster(): Promise<void> {
  await sleep(outageSeconds * 600);
  await (await masterOf(stage.nodes))?.kill();
}

describe(`While MySQL is away for ${outageSeconds} s, and the master is killed meanwhile, with tokens of ${tokenSeconds} s and tokens that live longer`, () => {
  it('every promise is kept: reads go on, nothing is sent, what expires is in the history, counted and mailed, and replaced when MySQL is back', () => {
    expect(promises.filter(({ kept }) => !kept)).toEqual([]);
  });

  it('tokens did expire, and callers of their owners waited in vain', () => {
    expect(facts.expired.length).toBeGreaterThan(3);
    expect(facts.reads.filter(({ why }) => why === 'TPS0005').length).toBeGreaterThan(10);
  });

  it('the mails say whose tokens, since when, what to do, and no secret', () => {
    const mails = stage.smtp.mails.filter(({ subject }) => subject.startsWith('[Token Generation Failed]- Token expired before it was refreshed in '));
    expect(mails.length).toBeGreaterThan(0);
    for (const { text } of mails) {
      expect(text).toMatch(/^Owner: brief \d+\/ü, token \d+: expired at \S+Z, replaced at \S+Z$/m);
      expect(text).toContain('What to do: ');
      expect(text).not.toMatch(/\b[ar]t_\d+_\d+_/);
    }
  });

  it('the log says that MySQL is away, which tokens expired, and that MySQL is back', () => {
    const output = stage.nodes.map((node) => node.output()).join('\n');
    expect(output).toContain('MySQL does not answer: until it does nothing is refreshed');
    expect(output).toContain('A token expired before it was replaced');
  });
});
