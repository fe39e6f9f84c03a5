import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const docs = join(import.meta.dirname, '../../docs');

export type SqlDocument = 'operations.md' | 'upgrade.md' | 'database.md';
export const sqlDocuments: readonly SqlDocument[] = ['operations.md', 'upgrade.md', 'database.md'];

/** A piece of SQL as the documentation gives it. */
export interface SqlBlock {
  /** What its first line, a comment, says of it. */
  readonly title: string;
  readonly statements: readonly string[];
}

export function codeBlocks(document: SqlDocument, language: 'sql' | 'sh'): string[] {
  const text = readFileSync(join(docs, document), 'utf8');
  const blocks = text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n(.*?)^ *\`\`\`$`, 'gms'));
  return [...blocks].map(([, indent = '', code = '']) => code.split('\n').map((line) => line.slice(indent.length)).join('\n'));
}

export function sqlBlocks(document: SqlDocument): SqlBlock[] {
  return codeBlocks(document, 'sql').map((code) => ({ title: /^-- (.*)/.exec(code)?.[1] ?? '', statements: statementsOf(code) }));
}

/**
 * The statements of one block, ready to run.
 * @param title how its first line begins
 * @param values what an operator would put in for the variables of its first `SET`
 */
export function documentedSql(document: SqlDocument, title: string, values: Readonly<Record<string, number | string>> = {}): string[] {
  const block = sqlBlocks(document).find((candidate) => candidate.title.startsWith(title));
  if (!block) throw new Error(`docs/${document} has no SQL that begins with "-- ${title}"`);
  const [set = '', ...rest] = block.statements;
  return [Object.entries(values).reduce((text, [name, value]) => replaced(text, name, value), set), ...rest];
}

function replaced(set: string, name: string, value: number | string): string {
  const assignment = new RegExp(`@${name} = ('[^']*'|[^,']+)`);
  if (!assignment.test(set)) throw new Error(`"${set}" does not set @${name}`);
  return set.replace(assignment, `@${name} = ${typeof value === 'number' ? String(value) : `'${value}'`}`);
}

/** None of the documented statements holds a semicolon. */
function statementsOf(code: string): string[] {
  const bare = code.split('\n').map((line) => line.replace(/--.*$/, '')).join('\n');
  return bare.split(';').map((statement) => statement.trim()).filter((statement) => statement !== '');
}
