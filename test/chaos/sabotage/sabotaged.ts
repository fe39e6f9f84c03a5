import type { Guard } from './guards.ts';

export const sabotageVariable = 'SABOTAGE';

export interface Sabotage {
  /** Where orders are given; shared by all nodes of a run. */
  readonly folder: string;
  readonly node: string;
  /** The guards to leave out. */
  readonly guards: readonly Guard[];
}

/** For a node's environment. */
export function sabotaged(sabotage: Sabotage): Record<string, string> {
  return { [sabotageVariable]: JSON.stringify(sabotage), NODE_OPTIONS: `--import ${new URL('sabotage.ts', import.meta.url).href}` };
}

export function readSabotage(): Sabotage {
  const text = process.env[sabotageVariable];
  if (text === undefined) throw new Error(`${sabotageVariable} is not set`);
  return JSON.parse(text) as Sabotage;
}
