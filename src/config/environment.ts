import { didYouMean } from './faults.ts';
import type { Fault } from './faults.ts';
import { environmentPrefix, keyNodes } from './keys.ts';
import type { KeyNode } from './keys.ts';
import { Refusal } from './leaf.ts';
import { contentOf } from './leaves.ts';
import { isTree, parseInline } from './tree.ts';
import type { RawValue, Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the file itself, where the command line does not. */
export const configFileVariable = `${environmentPrefix}CONFIG`;

export interface Overlay {
  /** Environment variable by the path that it set. */
  readonly origins: ReadonlyMap<string, string>;
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

type Step = string | number;

interface Setting {
  readonly variable: string;
  readonly node: KeyNode;
  readonly steps: readonly Step[];
  readonly text: string;
}

/** What Kubernetes puts into every container for each Service of the namespace, here for those whose names begin with `tokenpool`. */
const serviceLink = /^TOKENPOOL_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const serviceAddress = /^(?:tcp|udp|sctp):\/\//;

/** Sets in the tree what the environment says: `TOKENPOOL_<KEY>`, and `TOKENPOOL_<KEY>_FILE` for the content of a file. */
export function overlayEnvironment(tree: Tree, environment: Environment): Overlay {
  const faults: Fault[] = [];
  const warnings: string[] = [];
  const settings: Setting[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(environmentPrefix) || variable === configFileVariable || text === undefined) continue;
    const found = readVariable(variable, text);
    if ('node' in found) settings.push(found);
    else if (isServiceLink(variable, text)) warnings.push(`${variable}: set by Kubernetes for a Service; ignored`);
    else faults.push(found);
  }
  // A whole list or section before its parts.
  settings.sort((a, b) => a.steps.length - b.steps.length || (a.steps.join() < b.steps.join() ? -1 : 1));
  const origins = new Map<string, string>();
  for (const setting of settings) faults.push(...apply(setting, tree, origins));
  return { origins, faults, warnings };
}

function readVariable(variable: string, text: string): Setting | Fault {
  const direct = placeOf(variable);
  if (direct) return { variable, text, ...direct };
  const held = variable.endsWith('_FILE') ? placeOf(variable.slice(0, -'_FILE'.length)) : undefined;
  if (!held) return { path: variable, problem: `unknown name${didYouMean(variable, knownNames(variable))}` };
  const content = contentOf(text);
  if (content instanceof Refusal) return { path: variable, problem: `found "${text}", which ${content.reason}; allowed: path of a readable file` };
  return { variable, text: content, ...held };
}

const patterns = keyNodes.map((node) => ({ node, pattern: new RegExp(`^${node.environment.replaceAll('<n>', '(\\d{1,3})')}$`) }));

function placeOf(variable: string): { node: KeyNode; steps: Step[] } | undefined {
  for (const { node, pattern } of patterns) {
    const [found, ...indexes] = pattern.exec(variable) ?? [];
    if (found === undefined) continue;
    const steps = node.path.replaceAll('[]', '.[]').split('.').map((part) => (part === '[]' ? Number(indexes.shift()) : part));
    return { node, steps };
  }
  return undefined;
}

/** With the numbers of the name that is compared, so that these do not count as differences. */
function knownNames(variable: string): string[] {
  const numbers = variable.match(/(?<=_)\d+(?=_|$)/g) ?? [];
  return keyNodes.map(({ environment }) => {
    const left = [...numbers];
    return environment.replaceAll('<n>', () => left.shift() ?? '0');
  });
}

function isServiceLink(variable: string, text: string): boolean {
  return serviceLink.test(variable) || (variable.endsWith('_PORT') && serviceAddress.test(text));
}

function apply({ variable, node, steps, text }: Setting, tree: Tree, origins: Map<string, string>): Fault[] {
  const path = steps.map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`)).join('');
  const earlier = origins.get(path);
  if (earlier !== undefined) return [{ path: variable, problem: `found beside ${earlier}; allowed: one of them` }];
  const value = node.kind === 'value' || text === '' ? text : parseInline(text);
  if (value === undefined) return [{ path: variable, problem: 'found a value that is not shown; allowed: JSON' }];
  if (!set(tree, steps, value)) return [{ path: variable, problem: 'leaves out an item of the list; allowed: numbers from 0 on, without a gap' }];
  origins.set(path, variable);
  return [];
}

function set(tree: Tree, steps: readonly Step[], value: RawValue): boolean {
  let holder: Tree | RawValue[] = tree;
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1];
    const held = next === undefined ? value : container(read(holder, step), next);
    if (!write(holder, step, held)) return false;
    if (next !== undefined) holder = held as Tree | RawValue[];
  }
  return true;
}

/** What is there already, if `next` fits into it; a `tls: true` gives way to a section. */
function container(found: RawValue | undefined, next: Step): Tree | RawValue[] {
  if (typeof next === 'number') return Array.isArray(found) ? found : [];
  return isTree(found) ? found : {};
}

function read(holder: Tree | RawValue[], step: Step): RawValue | undefined {
  return (holder as Record<Step, RawValue>)[step];
}

function write(holder: Tree | RawValue[], step: Step, value: RawValue): boolean {
  if (Array.isArray(holder) && Number(step) > holder.length) return false;
  (holder as Record<Step, RawValue>)[step] = value;
  return true;
}
