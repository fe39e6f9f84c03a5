import { describe, expect, it } from 'vitest';

import type { TokenAnswer } from '../../src/domain/refresh-outcome.ts';
import { Secret } from '../../src/domain/secret.ts';
import { ErrandRunner, type Errand, type ErrandRecorder } from '../../src/oauth/errand.ts';
import { heardLog } from './heard-log.ts';

const errand: Errand = {
  attempt: 'a1',
  version: 42,
  ownerDid: 7,
  issuedAt: 0,
  tokenUrl: 'https://login.example.org/token',
  auth: new Secret(btoa('client:secret')),
  refreshToken: new Secret('rt'),
  retryStatuses: [502],
};
const granted: TokenAnswer = { kind: 'granted', grant: { accessToken: new Secret('at'), refreshToken: null, validityMs: null } };
const never = (): Promise<void> => new Promise(() => undefined);
const fails = (): Promise<void> => Promise.reject(new Error('no space left'));

function running(answer: TokenAnswer, recorder: Partial<ErrandRecorder> = {}) {
  const steps: string[] = [];
  const log = heardLog();
  const endpoint = { refresh: async () => (steps.push('sent'), answer) };
  const done = async (step: string): Promise<void> => void steps.push(step);
  const whole: ErrandRecorder = { mayLeave: () => Promise.resolve(true), sending: () => done('sending'), granted: () => [done('journal'), done('pending')], unused: () => done('pending'), ended: (phase) => done(phase), ...recorder };
  const faults: string[] = [];
  return { steps, log, faults, runner: new ErrandRunner(endpoint, whole, log, (fault) => void faults.push(fault)) };
}

async function expectIdleOnlyAfter(recording: PromiseWithResolvers<void>, runner: ErrandRunner): Promise<void> {
  let idle = false;
  const becomesIdle = runner.idle().then(() => (idle = true));
  await Promise.resolve();
  expect(idle).toBe(false);
  recording.resolve();
  await becomesIdle;
}

describe('An errand', () => {
  it('is recorded as leaving before it leaves, and kept before it is answered', async () => {
    const { runner, steps } = running(granted);
    expect(await runner.run(errand)).toBe(granted);
    expect(steps).toEqual(['sending', 'sent', 'journal', 'pending']);
  });

  it.each<[TokenAnswer, string[]]>([
    [{ kind: 'unreachable', detail: '' }, ['not_left', 'pending']],
    [{ kind: 'in_doubt', status: null, detail: '' }, ['in_doubt']],
    [{ kind: 'invalid_grant', status: 400, detail: '' }, ['refused', 'pending']],
    [{ kind: 'unavailable', status: 503, retryAfterMs: null, detail: '' }, ['refused', 'pending']],
  ])('answered by %j is recorded as %j', async (answer, records) => {
    const { runner, steps } = running(answer);
    await runner.run(errand);
    await runner.idle();
    expect(steps).toEqual(['sending', 'sent', ...records]);
  });

  it('that failed is answered at once, and the runner is idle when the next master can hear of it', async () => {
    const failure: TokenAnswer = { kind: 'refused', status: 400, detail: '' };
    const kept: PromiseWithResolvers<void> = Promise.withResolvers();
    const { runner } = running(failure, { unused: () => kept.promise });
    expect(await runner.run(errand)).toBe(failure);
    await expectIdleOnlyAfter(kept, runner);
  });

  it.each<[string, ErrandRecorder['mayLeave']]>([
    ['is not held', () => Promise.resolve(false)],
    ['cannot be moved on', fails as () => Promise<never>],
    ['is moved on too late', () => new Promise((resolve) => setTimeout(resolve, 1600, true))],
  ])('whose claim %s is given back unsent, and the next master can hear of that', async (_how, mayLeave) => {
    const ends: unknown[] = [];
    const { runner, steps } = running(granted, { mayLeave, unused: async ({ attempt }, end) => void ends.push([attempt, end.kind]) });
    expect(await runner.run(errand)).toEqual({ kind: 'given_back' });
    await runner.idle();
    expect([steps, ends]).toEqual([['sending'], [['a1', 'given_back']]]);
  });

  it('goes on where the disk cannot be written to, and says so', async () => {
    const { runner, steps, log, faults } = running(granted, { sending: fails });
    expect(await runner.run(errand)).toBe(granted);
    expect(steps).toEqual(['sent', 'journal', 'pending']);
    expect(log.lines).toEqual([expect.stringContaining('error The course of an attempt could not be recorded')]);
    expect(faults).toEqual(['journal']);
  });

  it('waits no longer than a second for a disk that hangs', async () => {
    const { runner, steps, faults } = running(granted, { sending: never });
    const begun = performance.now();
    await runner.run(errand);
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(steps).toContain('sent');
    expect(faults).toEqual(['journal']);
  });

  it('is not answered before one place has it', async () => {
    const places = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()] as const;
    const { runner, steps } = running(granted, { granted: () => (steps.push('granted'), [places[0].promise, places[1].promise]) });
    let answered = false;
    const answer = runner.run(errand).then(() => (answered = true));
    await expect.poll(() => steps).toContain('granted');
    expect(answered).toBe(false);
    places[1].resolve(undefined);
    await answer;
    places[0].resolve(undefined);
    await runner.idle();
  });

  it('is answered when one place has it, while the other is still tried', async () => {
    const slow: PromiseWithResolvers<void> = Promise.withResolvers();
    const { runner } = running(granted, { granted: () => [slow.promise, Promise.resolve()] });
    await runner.run(errand);
    await expectIdleOnlyAfter(slow, runner);
  });

  it('is answered where no place has it, and that is an error', async () => {
    const { runner, log, faults } = running(granted, { granted: () => [fails(), fails()] });
    expect(await runner.run(errand)).toBe(granted);
    expect(log.lines).toContainEqual(expect.stringMatching(/^error A granted answer could not be kept.*"attempt":"a1"/));
    expect(faults.sort()).toEqual(['journal', 'unkept']);
  });

  it('of which Redis alone does not get the answer is kept, and no fault of the journal', async () => {
    const { runner, faults } = running(granted, { granted: () => [Promise.resolve(), fails()] });
    await runner.run(errand);
    await runner.idle();
    expect(faults).toEqual([]);
  });
});
