import { describe, expect, it } from 'vitest';

import { catalogue } from './faults/catalogue.ts';
import type { Fault } from './faults/fault.ts';
import { Plan } from './plan.ts';

const faults = catalogue('single');

function kinds(seed: number, episodes: number, from: readonly Fault[] = faults): string[] {
  const plan = new Plan(seed, from);
  return Array.from({ length: episodes }, () => plan.next()).flatMap(({ first, second, offsetMs, pauseMs }) => [`${first.fault.kind} ${first.seed} ${offsetMs} ${pauseMs}`, `${second.fault.kind} ${second.seed}`]);
}

describe('A plan', () => {
  it('is the same for the same seed', () => {
    expect(kinds(7, 200)).toEqual(kinds(7, 200));
  });

  it('is another for another seed', () => {
    expect(kinds(7, 50)).not.toEqual(kinds(8, 50));
  });

  it('pairs faults of different families', () => {
    const plan = new Plan(1, faults);
    for (let index = 0; index < 500; index++) {
      const { first, second } = plan.next();
      expect(first.fault.family).not.toBe(second.fault.family);
    }
  });

  it('gives each fault of a family its turn before any has a second', () => {
    const plan = new Plan(3, faults);
    const drawn = Array.from({ length: 400 }, () => plan.next()).flatMap(({ first, second }) => [first.fault, second.fault]);
    for (const family of new Set(faults.map((fault) => fault.family))) {
      const all = faults.filter((fault) => fault.family === family).map(({ kind }) => kind);
      const round = drawn.filter((fault) => fault.family === family).slice(0, all.length).map(({ kind }) => kind);
      expect(new Set(round).size, family).toBe(round.length);
    }
  });

  it('begins with what is wanted, one pair each, and nothing has a second turn for it', () => {
    const wanted = [faults.find(({ kind }) => kind === 'MySQL is frozen')!, faults.find(({ kind }) => kind === 'Redis is frozen')!];
    for (let seed = 0; seed < 50; seed++) {
      const plan = new Plan(seed, faults, wanted);
      const drawn = Array.from({ length: 100 }, () => plan.next());
      expect(drawn.slice(0, 2).map(({ first }) => first.fault)).toEqual(wanted);
      for (const { first, second } of drawn) expect(first.fault.family).not.toBe(second.fault.family);
      const ofMySql = drawn.flatMap(({ first, second }) => [first.fault, second.fault]).filter(({ family }) => family === 'mysql').map(({ kind }) => kind);
      expect(new Set(ofMySql.slice(0, 5)).size).toBe(5);
    }
  });

  it('is the same from one version to the next, as long as the faults are', () => {
    const few = [['mysql', 'a'], ['mysql', 'b'], ['redis', 'c'], ['process', 'd'], ['process', 'e'], ['point', 'f']].map(([family, kind]) => ({ family, kind, inflict: () => Promise.resolve(true) }) as Fault);
    expect(kinds(20261128, 3, few)).toMatchInlineSnapshot(`
      [
        "f 188736795 1129 638",
        "b 986060978",
        "c 279068118 1067 540",
        "f 300917228",
        "c 1307578250 253 642",
        "f 2034840105",
      ]
    `);
  });

  it('pairs what there is where there is one family only', () => {
    const { first, second } = new Plan(1, faults.filter(({ family }) => family === 'disk')).next();
    expect([first.fault.family, second.fault.family]).toEqual(['disk', 'disk']);
  });

  it('says so where there is nothing to plan', () => {
    expect(() => new Plan(1, [])).toThrow('no fault');
  });
});

describe('The catalogue', () => {
  it.each(['single', 'sentinel', 'cluster'] as const)('names each fault of a %s Redis once', (topology) => {
    const names = catalogue(topology).map(({ family, kind }) => `${family}: ${kind}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    ['before the claim', 'at before-claim'],
    ['after the claim', 'at after-claim'],
    ['before the journal', 'at before-journal'],
    ['after the journal', 'at after-journal'],
    ['before the request is sent', 'at before-send'],
    ['after it was sent', 'when the request arrived'],
    ['before the first byte of the answer', 'between request and first byte'],
    ['after its first byte, before it is whole', 'between first byte and last'],
    ['after the answer', 'at after-answer'],
    ['before the answer is kept', 'at before-keep'],
    ['after it was kept', 'at after-keep'],
    ['before it is recorded', 'at before-record'],
    ['after it was recorded', 'at after-record'],
    ['before it is published', 'at before-publish'],
    ['after it was published', 'at after-publish'],
    ['before the next refresh is scheduled', 'at before-schedule'],
    ['after that', 'at after-schedule'],
  ])('kills and pauses %s, a process alone and the whole node', (_where, point) => {
    for (const deed of ['killed', 'paused']) {
      const struck = catalogue('single').flatMap(({ kind }) => (kind.startsWith(`${deed} ${point} (`) ? [kind.slice(kind.indexOf('('))] : []));
      expect(struck, deed).toContain('(whole node)');
      expect(struck.some((whom) => whom === '(service)' || whom === '(courier)'), deed).toBe(true);
    }
  });

  it('pauses wherever it kills inside a refresh, and the other way about', () => {
    const points = (deed: string): Set<string> => new Set(catalogue('single').flatMap(({ family, kind }) => (family === 'point' && kind.startsWith(deed) ? [kind.slice(deed.length)] : [])));
    expect(points('killed').size).toBeGreaterThanOrEqual(2 * 14);
    expect(points('paused')).toEqual(points('killed'));
  });

  it('has failovers where there is something to fail over to', () => {
    expect(catalogue('sentinel').map(({ kind }) => kind)).toContain('Sentinel fails over from a killed primary');
    expect(catalogue('cluster').map(({ kind }) => kind)).toContain('a master of the Redis Cluster is killed');
  });
});
