/**
 * Makes compose-spec.json from schema/compose-spec.json of the Compose Specification (see README.md of this folder):
 *
 *   node test/compose/extract-schema.ts path/to/compose-spec.json
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [source] = process.argv.slice(2);
if (source === undefined) throw new Error('Name the file compose-spec.json of the specification');
const schema = JSON.parse(readFileSync(source, 'utf8')) as Record<string, unknown>;
const { definitions, ...top } = plain(schema) as { definitions: Record<string, unknown> };
const lines = Object.entries(definitions).map(([name, definition]) => `${JSON.stringify(name)}: ${JSON.stringify(definition)}`);
writeFileSync(join(import.meta.dirname, 'compose-spec.json'), `${JSON.stringify(top).slice(0, -1)}, "definitions": {\n${lines.join(',\n')}\n}}\n`);

/** Without prose and formats: what is left says what a file may hold. */
function plain(value: unknown, areNames = false): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== 'object' || value === null) return value;
  const left = Object.entries(value).filter(([key]) => areNames || !['description', 'title', '$comment', 'format', '$id', '$schema', 'default', 'examples'].includes(key));
  return Object.fromEntries(left.map(([key, held]) => [key, plain(held, ['properties', 'patternProperties', 'definitions'].includes(key) && !areNames)]));
}
