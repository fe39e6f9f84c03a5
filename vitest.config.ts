import { defineConfig } from 'vitest/config';

/** Ours alone ends the output; see test/launch/summary-reporter.ts. */
const reporters = ['default', './test/launch/summary-reporter.ts'];

/** A condition that never comes true fails its test by this; a retry would only hide what failed. */
const patience = { testTimeout: 20_000, hookTimeout: 60_000, retry: 0 };

export default defineConfig({
  test: {
    reporters,
    globalSetup: ['./test/harness/global-setup.ts'],
    projects: [
      {
        test: {
          ...patience,
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/system/**'],
          pool: 'forks',
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...patience,
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          pool: 'forks',
          // Whole nodes under faults, whose bounds are times: beside other files they would measure those.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
