import { readFile } from 'node:fs/promises';

/** How many of the secrets stand in one of the files, in full. */
export async function secretsIn(files: readonly string[], secrets: Iterable<string>): Promise<number> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return [...secrets].filter((secret) => texts.some((text) => text.includes(secret))).length;
}
