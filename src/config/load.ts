import type { Config } from './config.ts';
import { settleOldFile } from './dropwizard.ts';
import { configFileVariable, overlayEnvironment } from './environment.ts';
import type { Environment } from './environment.ts';
import { ConfigError, faultsIn } from './faults.ts';
import { schema } from './schema.ts';
import { readTree } from './tree.ts';
import type { ReadTree } from './tree.ts';
import { unwise } from './warnings.ts';

/**
 * The settings of this process: defaults, over them the file, over it the environment (`TOKENPOOL_*`).
 * @param path of the file; undefined: what `TOKENPOOL_CONFIG` names, else no file
 * @throws ConfigError that names every fault at once
 */
export function loadConfig(path: string | undefined, environment: Environment = process.env): Config {
  const file = path ?? environment[configFileVariable];
  const { tree, faults, warnings }: ReadTree = file === undefined || file === '' ? { tree: {}, faults: [], warnings: [] } : readTree(file);
  const overlay = overlayEnvironment(tree, environment);
  const settled = settleOldFile(tree);
  const parsed = schema.safeParse(tree);
  const found = [...faults, ...overlay.faults, ...faultsIn(parsed.error?.issues ?? [], tree, overlay.origins)];
  if (!parsed.success || found.length > 0) throw new ConfigError(found);
  return deepFreeze({ ...parsed.data, warnings: [...warnings, ...overlay.warnings, ...settled, ...unwise(parsed.data)] });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const held of Object.values(value)) deepFreeze(held);
  return value;
}
