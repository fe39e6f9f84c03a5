import { parse } from 'yaml';

/** A key of values.yaml that its comment explains; it may hold a whole map, which then counts as one value. */
export interface ValueDoc {
  /** `externalMysql.tls.mode` */
  readonly path: string;
  readonly about: string;
  readonly byDefault: unknown;
}

/**
 * The keys of values.yaml in their order. A comment `# --` stands right above the key that it explains.
 * @throws Error that names every value without an explanation
 */
export function valueDocs(text: string): ValueDoc[] {
  const explained = explanations(text);
  const missing: string[] = [];
  const walk = (value: unknown, path: string): ValueDoc[] => {
    const about = explained.get(path);
    if (about !== undefined) return [{ path, about, byDefault: value }];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value).flatMap(([key, held]) => walk(held, path === '' ? key : `${path}.${key}`));
    missing.push(path);
    return [];
  };
  const docs = walk(parse(text), '');
  if (missing.length > 0) throw new Error(`values.yaml does not explain ${missing.join(', ')}`);
  return docs;
}

function explanations(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const parents: string[] = [];
  let comment: string | undefined;
  for (const line of text.split('\n')) {
    const [, about] = /^ *# -- (.*)$/.exec(line) ?? [];
    const [, indent, key = ''] = /^( *)([A-Za-z]\w*):/.exec(line) ?? [];
    if (indent !== undefined) {
      parents.splice(indent.length / 2, Infinity, key);
      if (comment !== undefined) found.set(parents.join('.'), comment);
    }
    comment = about;
  }
  return found;
}

/** README.md of the chart: what is written by hand, then a table for each part of values.yaml. */
export function chartReadme(intro: string, values: string): string {
  const groups = Map.groupBy(valueDocs(values), ({ path }) => (path.includes('.') ? path.split('.')[0]! : ''));
  const tables = [...groups].map(([group, docs]) => `${group === '' ? '### General' : `### ${group}`}\n\n| value | default | meaning |\n|---|---|---|\n${docs.map(row).join('\n')}\n`);
  return `<!-- Made by \`node test/helm/generate.ts\` from README.intro.md and values.yaml. -->\n${intro.trimEnd()}\n\n## Values\n\n${tables.join('\n')}`;
}

function row({ path, about, byDefault }: ValueDoc): string {
  return `| \`${path}\` | \`${JSON.stringify(byDefault)}\` | ${about.replaceAll('|', '\\|')} |`;
}
