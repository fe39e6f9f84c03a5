import { z } from 'zod';

import { Secret } from '../../domain/secret.ts';
import { leaf, listOf, Refusal, section } from '../leaf.ts';
import { contentOf, optionalText } from '../leaves.ts';

const keyBytes = 32;
const idRule = { pattern: /^[A-Za-z0-9_-]{1,32}$/, allowed: '1 to 32 of A-Z a-z 0-9 _ -' };

const key = section(z.strictObject({
  id: optionalText('Name of the key; stands with every value it sealed', { ...idRule, shown: 'none, required' }),
  key: leaf<Secret | undefined>({ about: 'The key itself', allowed: 'base64 of 32 bytes', fallback: undefined, secret: true, read: readKey }),
  keyFile: leaf<Secret | undefined>({
    about: 'File with the key, in place of `key`', allowed: 'path of a file with base64 of 32 bytes', fallback: undefined, secret: true, read: readKeyFile,
  }),
}).superRefine(({ id, key: inline, keyFile }, context) => {
  const fault = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  if (id === undefined) fault('id', `missing; allowed: ${idRule.allowed}`);
  if (inline === undefined && keyFile === undefined) fault('key', 'missing, and keyFile too; allowed: base64 of 32 bytes in one of them');
  if (inline !== undefined && keyFile !== undefined) fault('key', 'found beside keyFile; allowed: one of them');
}).transform(({ id = '', key: inline, keyFile }) => ({ id, key: inline ?? keyFile ?? new Secret('') })));

export const sealingSection = section(z.strictObject({
  keys: listOf(key, 'Keys that seal tokens and client secrets in the database, and open what they sealed', 'none: they stand there in the clear', []),
  activeKey: optionalText('Id of the key that seals; the others only open', { ...idRule, shown: 'that of the first key' }),
}).superRefine(({ keys, activeKey }, context) => {
  const ids = keys.map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    if (ids.indexOf(id) < index) context.addIssue({ code: 'custom', path: ['keys', index, 'id'], message: `found "${id}" a second time; allowed: an id of its own` });
  }
  if (activeKey === undefined || ids.includes(activeKey)) return;
  context.addIssue({ code: 'custom', path: ['activeKey'], message: `found "${activeKey}"; allowed: the id of one of the keys (${ids.join(', ') || 'there are none'})` });
}).transform(({ keys, activeKey }) => ({ keys, activeKey: activeKey ?? keys[0]?.id })));

function readKey(text: string): Secret | Refusal {
  const plain = text.trim();
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(plain);
  if (isBase64 && Buffer.from(plain, 'base64').length === keyBytes) return new Secret(plain);
  return new Refusal(isBase64 ? `is ${Buffer.from(plain, 'base64').length} bytes long` : 'is not base64');
}

function readKeyFile(file: string): Secret | Refusal {
  const content = contentOf(file);
  return content instanceof Refusal ? content : readKey(content);
}
