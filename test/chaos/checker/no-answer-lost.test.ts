import { describe, expect, it } from 'vitest';

import { forgedLedger, forgedNode } from './forged-ledger.ts';
import { diedMeanwhile, isRefusalOfRepetition, isUnheardRefusal, wordWasLost } from './no-answer-lost.ts';
import { sendingsOf } from './sendings.ts';

describe('The death of a courier is the cause of a doubt that came 10 ms after the request, by when it was noted', () => {
  const [sending] = sendingsOf(forgedLedger({ stations: ['idle', 'claimed a', 'sending a', 'in_doubt a'] }), 1);

  it.each<[number, string, boolean]>([
    [-500, 'well before the request', false],
    [-1, 'as it was brought about', true],
    [5, 'in between', true],
    [300, 'when it was seen, after the doubt', true],
    [1500, 'long after the doubt', false],
  ])('%i ms: %s', (ms, _when, isCause) => {
    expect(diedMeanwhile([{ node: forgedNode, at: sending!.at + ms }], sending!)).toBe(isCause);
  });

  it('also where it had the errand and MySQL marked it only 2 s later', () => {
    const deaths = [{ node: forgedNode, at: sending!.at - 1500 }];
    expect(diedMeanwhile(deaths, { ...sending!, takenAt: sending!.at - 2000 })).toBe(true);
    expect(diedMeanwhile(deaths, sending!)).toBe(false);
  });

  it('but not that of another node', () => {
    expect(diedMeanwhile([{ node: 'node-2', at: sending!.at + 5 }], sending!)).toBe(false);
  });
});

describe('A refusal is a cause', () => {
  const [first, second] = sendingsOf(forgedLedger({ policy: 'grace', graceMs: 1000, stations: ['idle', 'claimed a', 'sending a', 'in_doubt a', 'in_doubt b', 'sending b', 'in_doubt b'] }), 1);

  it('where the token had been in doubt before', () => {
    expect(isRefusalOfRepetition(second!, { outcome: 'held off' })).toBe(true);
  });

  it('but not of the first request, and a grant is none', () => {
    expect(isRefusalOfRepetition(first!, { outcome: 'held off' })).toBe(false);
    for (const outcome of ['refreshed', 'repeated in grace'] as const) expect(isRefusalOfRepetition(second!, { outcome })).toBe(false);
  });
});

describe('A refusal that nobody heard is a cause', () => {
  const [sending] = sendingsOf(forgedLedger({ stations: ['idle', 'claimed a', 'sending a', 'in_doubt a'] }), 1);
  const death = { node: forgedNode, at: sending!.at + 5 };
  const trouble = { from: sending!.at + 2, until: sending!.at + 8 };

  it('where the service that asked died and Redis was in trouble', () => {
    expect(isUnheardRefusal(sending!, { outcome: 'held off' }, { nodeDeaths: [death], redisTroubles: [trouble] })).toBe(true);
  });

  it('but not where the service lived, where Redis had word of it, or where it was granted', () => {
    expect(isUnheardRefusal(sending!, { outcome: 'held off' }, { nodeDeaths: [], redisTroubles: [trouble] })).toBe(false);
    expect(isUnheardRefusal(sending!, { outcome: 'held off' }, { nodeDeaths: [death], redisTroubles: [] })).toBe(false);
    expect(isUnheardRefusal(sending!, { outcome: 'held off' }, { nodeDeaths: [death], redisTroubles: [{ from: 0, until: sending!.at - 10_000 }] })).toBe(false);
    expect(isUnheardRefusal(sending!, { outcome: 'refreshed' }, { nodeDeaths: [death], redisTroubles: [trouble] })).toBe(false);
  });
});

describe('Word that nothing was sent is lost', () => {
  const [marked] = sendingsOf(forgedLedger({ stations: ['idle', 'claimed a', 'sending a', 'in_doubt a'] }), 1);
  const late = { ...marked!, takenAt: marked!.at - 9000 };
  const death = { node: forgedNode, at: late.takenAt + 2000 };
  const trouble = { from: late.takenAt + 1000, until: late.takenAt + 3000 };

  it('with the service and Redis, also before the mark of the sending was carried out', () => {
    expect(wordWasLost(late, late.takenAt, { nodeDeaths: [death], redisTroubles: [trouble] })).toBe(true);
    expect(wordWasLost(late, late.at, { nodeDeaths: [death], redisTroubles: [trouble] })).toBe(false);
  });

  it('and not with one of them alone', () => {
    expect(wordWasLost(late, late.takenAt, { nodeDeaths: [], redisTroubles: [trouble] })).toBe(false);
    expect(wordWasLost(late, late.takenAt, { nodeDeaths: [death], redisTroubles: [] })).toBe(false);
  });
});
