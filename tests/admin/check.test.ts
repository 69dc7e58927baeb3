import { describe, expect, test } from 'vitest';
import { deskConfig, Terminal } from './terminal.ts';

const noRedis = {
  path: 'limits',
  line: 14,
  column: 1,
  message: 'no redis: limits are counted in this process, so N processes let N times as much through',
  hint: 'run one process, or write redis: { url: { env: REDIS_URL } }',
};

const brokenPromise = `${deskConfig}fixtures:
  - { name: anyone writes, request: POST /events, expect: forward }
`;

describe('postern check', () => {
  test('of a good config says what is in it, its warnings too', async () => {
    expect(await new Terminal().spawn('check')).toEqual({
      code: 0,
      stdout: `gateway.config.yaml:14:1: limits: ${noRedis.message}; ${noRedis.hint} (warning)
gateway.config.yaml: ok (4 rows, 3 token types, 0 fixtures passed, 1 warning)
`,
      stderr: '',
    });
  });

  test('of a good config has the shape that scripts rely on', async () => {
    const told = await new Terminal().spawn('check', '--json');
    expect(told.code).toBe(0);
    expect(JSON.parse(told.stdout)).toEqual({ ok: true, problems: [], warnings: [noRedis] });
  });

  test('tells every problem at once, with its place and what to write instead', async () => {
    const config = deskConfig
      .replace('project: events:write, legacy', 'projct: events:write, legacy')
      .replace('limits: [ingest]', 'limits: [ingst]')
      .replace('version: 1', 'version: 1\nlisten: { adress: 127.0.0.1:8080 }');
    const terminal = new Terminal(config);
    expect(await terminal.run('check')).toEqual({
      code: 78,
      stdout: `./gateway.config.yaml:2:11: listen.adress: unknown key "adress"; did you mean "address"?
./gateway.config.yaml:23:32: apis.main.routes['POST /events'].allow.projct: unknown token type "projct"; did you mean "project"?
./gateway.config.yaml:23:87: apis.main.routes['POST /events'].limits[0]: unknown limit "ingst"; did you mean "ingest"?
3 problems
`,
      stderr: '',
    });
    const json = await terminal.json('check');
    expect(json.ok).toBe(false);
    expect(json.problems[0]).toEqual({
      path: 'listen.adress',
      line: 2,
      column: 11,
      message: 'unknown key "adress"',
      hint: 'did you mean "address"?',
    });
  });

  test('runs the fixtures, and one that fails is a problem', async () => {
    const terminal = new Terminal(brokenPromise);
    expect(await terminal.run('check')).toMatchObject({
      code: 78,
      stdout: expect.stringMatching(
        /^\.\/gateway\.config\.yaml:27:59: fixtures\[0\]\.expect: fixture "anyone writes" expects forward and gets 401 credential_missing \(no token in bearer\); to see why: postern explain POST \/events --config /,
      ),
    });
    expect(await terminal.json('check')).toMatchObject({ ok: false, problems: [{ line: 27, column: 59 }] });
  });

  test('gives a hint that shows why when it is pasted', async () => {
    const terminal = new Terminal(brokenPromise);
    const [problem] = (await terminal.json('check')).problems;
    const words = problem.hint.replace('to see why: postern ', '').split(' ');
    const told = await terminal.spawn(...words, '--table');
    expect(told.stdout).toContain('refused: 401 credential_missing (row main POST /events)');
  });
});
