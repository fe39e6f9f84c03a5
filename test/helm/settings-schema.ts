import { keyNodes } from '../../src/config/keys.ts';
import type { KeyNode } from '../../src/config/keys.ts';

/** Keys of config.yml that other values of the chart decide, or that each node must have for itself. */
const decided = [
  'database.url', 'database.user', 'database.password', 'database.ca',
  'server',
  'tslMailConfig.password',
  'redis.url', 'redis.sentinels', 'redis.masterName', 'redis.sentinelUsername', 'redis.sentinelPassword', 'redis.cluster',
  'redis.username', 'redis.password', 'redis.db', 'redis.tls',
  'cluster.nodeId',
  'refresh.caFile',
  'sealing',
  'journal',
];

export interface Schema {
  readonly type?: string;
  readonly description?: string | undefined;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly additionalProperties?: boolean | Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** The JSON schema of the values under `config`: every key of the service that may stand there, with its range. */
export function settingsSchema(): Schema {
  return sectionSchema('', 'Settings of the service: docs/configuration.md');
}

function sectionSchema(path: string, description?: string): Schema {
  const children = keyNodes.filter(({ path: own }) => isChild(own, path) && !decided.includes(own));
  const properties = Object.fromEntries(children.map((node) => [nameOf(node.path), nodeSchema(node)]));
  const left = Object.entries(properties).filter(([, schema]) => schema.properties === undefined || Object.keys(schema.properties).length > 0);
  return { type: 'object', ...(description !== undefined && { description }), additionalProperties: false, properties: Object.fromEntries(left) };
}

function nodeSchema(node: KeyNode): Schema {
  const { path, kind, facts } = node;
  if (kind === 'list') return { type: 'array', description: facts?.about, items: sectionSchema(`${path}[]`) };
  if (kind === 'section' && keyNodes.some(({ path: own }) => isChild(own, path))) return sectionSchema(path);
  if (kind === 'section') return { type: 'object', description: facts?.about, additionalProperties: { type: 'string' } };
  return { description: `${facts?.about ?? ''}. Default: ${facts?.default ?? ''}; allowed: ${facts?.allowed ?? ''}`, ...valueSchema(facts?.allowed ?? '') };
}

/** From the words in which the service tells people what is allowed. */
function valueSchema(allowed: string): Schema {
  const [, kind, low, high] = /^(whole number|number), ([\d.]+) to ([\d.]+)(?: ms)?$/.exec(allowed) ?? [];
  if (kind !== undefined) return { type: kind === 'number' ? 'number' : 'integer', minimum: Number(low), maximum: Number(high) };
  if (allowed === 'true or false') return { type: 'boolean' };
  if (/^[A-Za-z]+(, [A-Za-z]+)+$/.test(allowed)) return { enum: allowed.split(', ') };
  return { type: 'string' };
}

function isChild(path: string, parent: string): boolean {
  if (parent !== '' && !path.startsWith(`${parent}.`)) return false;
  const rest = parent === '' ? path : path.slice(parent.length + 1);
  return rest !== '' && !rest.includes('.') && !rest.endsWith('[]');
}

function nameOf(path: string): string {
  return path.split('.').at(-1) ?? path;
}
