import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { findProgram } from '../harness/store-programs.ts';

/** What stands in the name of tests that are left out without Prometheus. */
export const withoutPrometheus = programOrNone('promtool') === undefined || programOrNone('prometheus') === undefined ? ' (left out: this machine has no Prometheus)' : '';

export interface PromtoolAnswer {
  readonly ok: boolean;
  /** What it said, to both streams. */
  readonly output: string;
}

export async function promtool(...args: readonly string[]): Promise<PromtoolAnswer> {
  try {
    const { stdout, stderr } = await promisify(execFile)(findProgram('promtool'), args);
    return { ok: true, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    if (stdout === undefined || stderr === undefined) throw error;
    return { ok: false, output: stdout + stderr };
  }
}

function programOrNone(name: string): string | undefined {
  try {
    return findProgram(name);
  } catch {
    return undefined;
  }
}
