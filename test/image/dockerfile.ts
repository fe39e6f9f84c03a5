/** One instruction of a Dockerfile, continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** Build arguments before the first stage, with their defaults. */
  readonly arguments: ReadonlyMap<string, string>;
  readonly stages: readonly Stage[];
}

/** Reads as much of the format as our Dockerfile uses. */
export function parseDockerfile(source: string): Dockerfile {
  const lines = source.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, '').split('\n').filter((line) => line.trim() !== '');
  const instructions = lines.map((line) => ({ name: line.slice(0, line.indexOf(' ')), text: line.slice(line.indexOf(' ') + 1) }));
  const first = instructions.findIndex(({ name }) => name === 'FROM');
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const instruction of instructions.slice(first)) {
    const from = instruction.name === 'FROM' ? /^(\S+)(?: AS (\S+))?$/.exec(instruction.text) : null;
    if (from) stages.push({ name: from[2] ?? 'final', base: from[1]!, instructions: [] });
    else stages.at(-1)!.instructions.push(instruction);
  }
  return { arguments: new Map(instructions.slice(0, first).map(({ text }) => keyAndValue(text))), stages };
}

/** The last instruction of this name, as it stands there. */
export function textOf(stage: Stage, name: string): string {
  const found = stage.instructions.findLast((instruction) => instruction.name === name);
  if (!found) throw new Error(`the stage has no ${name}`);
  return found.text;
}

/** Words of an instruction in the form of a JSON array. */
export function wordsOf(stage: Stage, name: string): string[] {
  const text = textOf(stage, name);
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}

/** What `ENV` or `LABEL` set, quotes taken away. */
export function pairsOf(stage: Stage, name: 'ENV' | 'LABEL'): Record<string, string> {
  return Object.fromEntries([...textOf(stage, name).matchAll(/([\w.]+)=("[^"]*"|\S+)/g)].map(([, key, value]) => [key!, value!.replaceAll('"', '')]));
}

function keyAndValue(text: string): [string, string] {
  const [key, ...value] = text.split('=');
  return [key!, value.join('=')];
}
