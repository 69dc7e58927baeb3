/** How the tests are run: real processes, three at a time on two cores since many of them wait; nothing global. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globals: false,
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5000,
    passWithNoTests: false,
  },
});
