/** The test runner's own promises: no silent skips, no silent failures, and a remedy in one line. */
import { describe, expect, test } from 'vitest';
import { countTests, describeSkipped } from './support/report.ts';
import { type Machine, openServers, providePostgres, provideRedisServer } from './support/servers.ts';

/** A machine that knows only what it is told, and writes down what it is asked to run. */
function machineWith(programs: readonly string[], isRoot: boolean, installs = true) {
  const known = new Set(programs);
  const ran: string[] = [];
  const machine: Machine = {
    isRoot,
    has: (program) => known.has(program),
    run: (command, args) => {
      ran.push([command, ...args].join(' '));
      if (installs && args.includes('redis-server')) known.add('redis-server');
      if (installs && args.includes('postgresql')) known.add('postgres');
      return installs;
    },
  };
  return { machine, ran };
}

describe('a redis-server', () => {
  test('on PATH is taken as it is', () => {
    const { machine, ran } = machineWith(['redis-server', 'apt-get'], true);
    expect(provideRedisServer(machine)).toEqual({ state: 'found' });
    expect(ran).toEqual([]);
  });

  test("is installed from Debian's where we are root", () => {
    const { machine, ran } = machineWith(['apt-get'], true);
    expect(provideRedisServer(machine)).toEqual({ state: 'installed' });
    expect(ran).toEqual([
      'apt-get update -qq',
      'apt-get install -y -qq --no-install-recommends redis-server',
    ]);
  });

  test.each([
    ['not root', machineWith(['apt-get'], false), /^sudo sh -c 'apt-get .* redis-server'$/],
    ['no Debian', machineWith([], true), /^put redis-server on PATH, or set REDIS_URL$/],
    ['an install that fails', machineWith(['apt-get'], true, false), /^apt-get update && apt-get install/],
  ])('with %s is missing, and the remedy is one line', async (_, { machine }, remedy) => {
    expect(provideRedisServer(machine)).toEqual({ state: 'missing', remedy: expect.stringMatching(remedy) });
    const opening = openServers({ DATABASE_URL: 'postgres://h:2' }, machine);
    await expect(opening).rejects.toThrow(/^the tests need a real Redis: [^\n]+$/);
  });

  test('is not started where REDIS_URL and DATABASE_URL name one', async () => {
    const { machine, ran } = machineWith([], false);
    const named = { REDIS_URL: 'redis://h:1', DATABASE_URL: 'postgres://h:2' };
    const servers = await openServers(named, machine);
    expect(servers.env).toEqual(named);
    await servers.stop();
    expect(ran).toEqual([]);
  });
});

describe('a PostgreSQL', () => {
  test("is taken as it is, or installed from Debian's where we are root", () => {
    expect(providePostgres(machineWith(['postgres'], true).machine)).toEqual({ state: 'found' });
    const { machine, ran } = machineWith(['apt-get'], true);
    expect(providePostgres(machine)).toEqual({ state: 'installed' });
    expect(ran).toContain('apt-get install -y -qq --no-install-recommends postgresql');
  });

  test.each([
    ['not root', machineWith(['apt-get'], false), /^sudo sh -c 'apt-get .* postgresql'$/],
    ['no Debian', machineWith([], true), /^put postgres and initdb on PATH, or set DATABASE_URL$/],
    ['an install that fails', machineWith(['apt-get'], true, false), /^apt-get update && apt-get install/],
  ])('with %s is missing, and the remedy is one line', async (_, { machine }, remedy) => {
    expect(providePostgres(machine)).toEqual({ state: 'missing', remedy: expect.stringMatching(remedy) });
    const opening = openServers({ REDIS_URL: 'redis://h:1' }, machine);
    await expect(opening).rejects.toThrow(/^the tests need a real PostgreSQL: [^\n]+$/);
  });
});

describe('the count', () => {
  const report = {
    testResults: [
      {
        name: '/p/tests/a.test.ts',
        status: 'failed',
        assertionResults: [
          { status: 'passed', fullName: 'a' },
          { status: 'failed', fullName: 'b' },
          { status: 'pending', fullName: 'c d' },
          { status: 'todo', fullName: 'e' },
        ],
      },
      { name: '/p/tests/unloadable.test.ts', status: 'failed', assertionResults: [] },
      {
        name: '/p/tests/f.test.ts',
        status: 'passed',
        assertionResults: [{ status: 'passed', fullName: 'f' }],
      },
    ],
  };

  test('has every test, and a file that could not be loaded as one failure', () => {
    expect(countTests(report, '/p')).toEqual({
      passed: 2,
      failed: 2,
      skipped: ['tests/a.test.ts > c d', 'tests/a.test.ts > e'],
    });
  });

  test('names every test that was skipped, unless tests were asked for by name', () => {
    const { skipped } = countTests(report, '/p');
    expect(describeSkipped(skipped, ['tests/a'])).toEqual([
      'skipped: tests/a.test.ts > c d',
      'skipped: tests/a.test.ts > e',
    ]);
    for (const args of [['-t', 'a'], ['--testNamePattern=a']]) {
      expect(describeSkipped(skipped, args)).toEqual(['2 left out by name']);
    }
  });
});
