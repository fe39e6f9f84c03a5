import { format, inspect } from 'node:util';

import { describe, expect, test } from 'vitest';

import { Secret } from '../../src/domain/secret.ts';

const value = 'hush-5e1f';
const secret = new Secret(value);

describe('a secret', () => {
  test('gives its value to whoever asks for it by name', () => {
    expect(secret.reveal()).toBe(value);
  });

  test.each([
    ['as JSON', JSON.stringify({ nested: [secret] })],
    ['inspected', inspect({ nested: [secret] }, { depth: 9, showHidden: true })],
    ['in a template', `a ${secret as unknown as string}`],
    ['joined to a text', `token: ${[secret].join(',')}`],
    ['formatted', format('%s %o %O %j %i', secret, secret, secret, secret, secret)],
    ['as a string', String(secret)],
    ['spread into an object', inspect(Object.assign({}, secret))],
    ['cloned', inspect(structuredClone(secret))],
    ['by its keys', Object.keys(secret).join() + Reflect.ownKeys(secret).join()],
    ['in an error', inspect(new Error('failed', { cause: secret }))],
  ])('does not show %s', (_how, shown) => {
    expect(shown).not.toContain(value);
    expect(shown).not.toContain('hush');
  });

  test('says what it is where it would show', () => {
    expect(`${String(secret)} ${JSON.stringify(secret)} ${inspect(secret)}`).toBe('[secret] "[secret]" [secret]');
  });
});
