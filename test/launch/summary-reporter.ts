import { writeFileSync } from 'node:fs';

import type { Reporter, TestModule, TestRunEndReason, TestSuite, Vitest } from 'vitest/node';

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * One closing line, `N passed, N failed, N skipped`. What is not a test but went wrong counts as a failure too: a
 * file that cannot be loaded, a hook, an unhandled rejection, a test that never came to run.
 */
export default class SummaryReporter implements Reporter {
  onInit(vitest: Vitest): void {
    // A run that breaks before its end has no other line than this one.
    if (!vitest.config.watch) report({ passed: 0, failed: 1, skipped: 0 }, false);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], reason: TestRunEndReason): void {
    const counts = modules.map(countModule).reduce(add, { passed: 0, failed: unhandledErrors.length, skipped: 0 });
    const unexplained = reason !== 'passed' && counts.failed === 0;
    report(unexplained ? { ...counts, failed: 1 } : counts, true);
  }
}

/** The launcher prints the line itself, after everything else; without it the line is printed here. */
function report({ passed, failed, skipped }: Counts, atEnd: boolean): void {
  const line = `${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`;
  const file = process.env['TEST_SUMMARY_FILE'];
  if (file !== undefined) writeFileSync(file, line);
  else if (atEnd) process.once('exit', () => { process.stdout.write(`${line}\n`); });
}

function countModule(module: TestModule): Counts {
  const counts = { passed: 0, failed: faultsOf(module), skipped: 0 };
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'pending') counts.failed += faultsOf(module) > 0 ? 0 : 1;
    else counts[state] += 1;
  }
  return counts;
}

/** Files and suites that failed by themselves: their import, their hooks. */
function faultsOf(module: TestModule): number {
  const broken = (part: TestModule | TestSuite): number => (part.errors().length > 0 ? 1 : 0);
  return broken(module) + [...module.children.allSuites()].map(broken).reduce((sum, one) => sum + one, 0);
}

function add(left: Counts, right: Counts): Counts {
  return { passed: left.passed + right.passed, failed: left.failed + right.failed, skipped: left.skipped + right.skipped };
}
