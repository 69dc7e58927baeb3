/** How the tests are run: real processes, three at a time on two cores since many of them wait; nothing global. */
import { defineConfig } from 'vitest/config';

/** Measure their own process: its memory, its event loop, its connections, its promptness. So each has one to itself. */
const alone = [
  'tests/streaming/timeouts.test.ts',
  'tests/streaming/vigil.test.ts',
  'tests/streaming/websocket.test.ts',
  'tests/store/bcrypt.test.ts',
  'tests/wire/survival.test.ts',
];

export default defineConfig({
  test: {
    globals: false,
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5000,
    // What is waited for has no time limit of its own, and much runs at once.
    expect: { poll: { timeout: 10_000, interval: 20 } },
    passWithNoTests: false,
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: alone },
      },
      // Most of what a file costs is loading the same modules again.
      {
        extends: true,
        test: {
          name: 'together',
          include: ['tests/**/*.test.ts'],
          exclude: [...alone, '**/node_modules/**'],
          isolate: false,
        },
      },
    ],
  },
});
