/**
 * What `npm test` runs: real servers, then every test, then one plain line with the counts.
 * Arguments go to vitest: `npm test -- tests/policy`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fillCompileCache } from './support/compile-cache.ts';
import { type Counts, countTests, describeSkipped } from './support/report.ts';
import { openServers } from './support/servers.ts';

const root = resolve(import.meta.dirname, '..');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');

/** Runs vitest to its end. null: it left no report, so it did not get as far as the tests. */
async function runVitest(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ exitCode: number; counts: Counts | null }> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-report-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...env,
      // Programs that tests start by the name `node` must be this Node.
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    },
  });
  const passOn = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  const [code] = await once(child, 'exit');
  const counts = existsSync(report) ? countTests(JSON.parse(readFileSync(report, 'utf8')), root) : null;
  rmSync(folder, { recursive: true, force: true });
  return { exitCode: typeof code === 'number' ? code : 1, counts };
}

async function main(args: readonly string[]): Promise<number> {
  if (!existsSync(vitest)) throw new Error('vitest is not installed: run npm ci');
  const compiled = mkdtempSync(join(tmpdir(), 'postern-compiled-'));
  const [servers] = await Promise.all([openServers(process.env), fillCompileCache(root, compiled)]);
  try {
    // Half of what it costs to start one of the many processes is reading the same sources again.
    const env = { ...servers.env, NODE_COMPILE_CACHE: compiled };
    const { exitCode, counts } = await runVitest(args, env);
    const { passed, failed, skipped } = counts ?? { passed: 0, failed: 1, skipped: [] };
    for (const line of describeSkipped(skipped, args)) console.log(line);
    if (passed + failed === 0) console.log('no test ran: that is a failure');
    if (exitCode !== 0 && failed === 0) console.log('something failed outside the tests: see above');
    console.log(`${passed} passed, ${failed} failed`);
    return exitCode === 0 && (failed > 0 || passed === 0) ? 1 : exitCode;
  } finally {
    await servers.stop();
    rmSync(compiled, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
