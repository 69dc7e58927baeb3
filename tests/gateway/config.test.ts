import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, loadConfigText } from '../../gateway/config/load.ts';
import { formatPath, formatProblem, type Problem } from '../../gateway/config/problems.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { cpuMs } from '../support/busy.ts';

const folder = fileURLToPath(new URL('./bad-configs/', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'postern-config-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function problemsOf(text: string, env: Record<string, string> = {}): readonly Problem[] {
  const result = loadConfigText(text, 'gateway.config.yaml', env);
  return result.ok ? [] : result.problems;
}

describe('a config with a mistake is refused with exactly what its first lines say', () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const expected = text
      .split('\n')
      .filter((line) => line.startsWith('# '))
      .map((line) => line.slice(2));
    const result = loadConfigText(text, join(folder, name), {});
    const problems = result.ok ? [] : result.problems;
    const told = problems.map(({ line, column, path, message, hint }) =>
      `${line}:${column} ${path} | ${message} | ${hint}`.replaceAll(folder, ''),
    );
    expect(expected.length).toBeGreaterThan(0);
    expect(told).toEqual(expected);
  });
});

describe('a problem', () => {
  test('has the shape that check --json prints', () => {
    expect(problemsOf(smallConfig.replace('project: events:write }', 'project: events:wriet }'))).toEqual([
      {
        file: 'gateway.config.yaml',
        path: "apis.main.routes['POST /events'].allow.project",
        line: 18,
        column: 41,
        message: 'unknown scope "events:wriet"',
        hint: 'did you mean "events:write"?',
      },
    ]);
  });

  test('reads as one line on a terminal', () => {
    const [problem] = problemsOf(smallConfig.replace('version: 1', 'version: 3'));
    expect(problem && formatProblem(problem)).toBe(
      'gateway.config.yaml:1:10: version: the config version must be 1; write version: 1',
    );
  });

  test('paths quote what is not a plain word', () => {
    expect(formatPath(['apis', 'a', 'routes', "GET /it's", 'limits', 0])).toBe(
      "apis.a.routes['GET /it\\'s'].limits[0]",
    );
  });

  test('never repeats a secret that stands in the wrong place', () => {
    const secret = 'hunter2hunter2';
    const wrong = [
      `redis: redis://:${secret}@127.0.0.1:6379\n`,
      `redis: { url: "redis://:${secret}@127.0.0.1:6379" }\n`,
      `redis: { url: ["redis://:${secret}@127.0.0.1:6379"] }\n`,
      `store: { url: "postgres://postern:${secret}@db/postern" }\n`,
    ];
    for (const line of wrong) {
      const problems = problemsOf(smallConfig + line);
      expect(problems.length).toBeGreaterThan(0);
      expect(JSON.stringify(problems)).not.toContain(secret);
    }
    const env = { REDIS_URL: `http://:${secret}@127.0.0.1`, APP_URL: `http://u:${secret}@127.0.0.1:9001` };
    const referred = smallConfig.replace('url: http://127.0.0.1:9001', 'url: { env: APP_URL }');
    const problems = problemsOf(`${referred}redis: { url: { env: REDIS_URL } }\n`, env);
    expect(problems.map(({ message }) => message)).toEqual(['the url holds credentials', 'not a Redis url']);
    expect(JSON.stringify(problems)).not.toContain(secret);
  });
});

describe('a right config', () => {
  test('comes with every default', () => {
    const { listen, health, admin, store, redis, upstreams } = loaded(smallConfig);
    expect({ listen, health, admin, store, redis, upstreams }).toEqual({
      listen: {
        host: '0.0.0.0',
        trustedProxies: [],
        port: 8080,
        headerBytesMax: 16_384,
        bodyBytesMax: 10_485_760,
        announceMs: 5000,
        requestsMs: 20_000,
        streamsMs: 5000,
      },
      health: { host: '127.0.0.1', port: 8082 },
      admin: null,
      store: { path: '/etc/postern/data/postern.db' },
      redis: null,
      upstreams: new Map([
        [
          'app',
          {
            name: 'app',
            urls: [{ origin: 'http://127.0.0.1:9001', basePath: '' }],
            preserveHost: false,
            client: 'strict',
            health: null,
            connectMs: 1000,
            firstByteMs: 10_000,
            idleMs: 60_000,
          },
        ],
      ]),
    });
  });

  test('says what it says: addresses, references, base paths, timeouts', () => {
    writeFileSync(join(scratch, 'redis-url'), 'rediss://:pw@cache.internal:6380\n');
    const text = `${smallConfig
      .replace('url: http://127.0.0.1:9001', 'url: { env: APP_URL }, timeout: { idle: 5m }')
      .replace('version: 1', 'version: 1\nlisten: { address: "[::1]:0" }\nhealth: { address: localhost:0 }')}
store: { url: "sqlite:state/p.db" }
redis: { url: { file: redis-url }, required: true, instances: 3 }
`;
    const config = loaded(
      text,
      { APP_URL: 'https://App.internal/v2/' },
      join(scratch, 'gateway.config.yaml'),
    );
    expect(config.listen).toMatchObject({ host: '::1', port: 0 });
    expect(config.health).toEqual({ host: 'localhost', port: 0 });
    expect(config.store).toEqual({ path: join(scratch, 'state/p.db') });
    expect(config.redis).toEqual({ url: 'rediss://:pw@cache.internal:6380', required: true, instances: 3 });
    expect(config.upstreams.get('app')).toMatchObject({
      urls: [{ origin: 'https://app.internal', basePath: '/v2' }],
      idleMs: 300_000,
      connectMs: 1000,
    });
  });

  test('carries its fixtures with the place of each', () => {
    const config = loaded(`${smallConfig}fixtures:
  - { name: writes, request: POST /events?x=1, as: { project: { project: p1 } }, headers: { X-A: b }, expect: forward }
  - { name: reads, request: GET /events, as: { user: { projects: [a, b], scopes: [events:read] } }, expect: 403 }
  - { name: nobody, request: HEAD /events, expect: 401 credential_missing }
`);
    expect(config.fixtures).toEqual([
      {
        name: 'writes',
        method: 'POST',
        target: '/events?x=1',
        as: { type: 'project', attributes: new Map([['project', 'p1']]), scopes: null, origins: [] },
        headers: new Map([['X-A', 'b']]),
        body: null,
        pinned: new Map(),
        from: null,
        nth: null,
        expect: 'forward',
        configPath: ['fixtures', 0],
      },
      {
        name: 'reads',
        method: 'GET',
        target: '/events',
        as: {
          type: 'user',
          attributes: new Map([['projects', ['a', 'b']]]),
          scopes: ['events:read'],
          origins: [],
        },
        headers: new Map(),
        body: null,
        pinned: new Map(),
        from: null,
        nth: null,
        expect: { status: 403, code: null },
        configPath: ['fixtures', 1],
      },
      {
        name: 'nobody',
        method: 'HEAD',
        target: '/events',
        as: null,
        headers: new Map(),
        body: null,
        pinned: new Map(),
        from: null,
        nth: null,
        expect: { status: 401, code: 'credential_missing' },
        configPath: ['fixtures', 2],
      },
    ]);
    expect(config.positionOf(['fixtures', 1, 'expect'])).toEqual({ line: 22, column: 109 });
    const found = { path: ['fixtures', 2], at: 'value' as const, message: 'got 200', hint: 'look' };
    expect(config.problemAt(found)).toMatchObject({
      path: 'fixtures[2]',
      line: 23,
      column: 5,
      message: 'got 200',
    });
  });

  test('has a version that changes with the text and with nothing else', () => {
    expect(loaded(smallConfig).policy.version).toBe(loaded(smallConfig).policy.version);
    expect(loaded(smallConfig).policy.version).not.toBe(loaded(`${smallConfig}# a comment\n`).policy.version);
    expect(loaded(smallConfig).policy.version).toMatch(/^[0-9a-f]{12}$/);
  });

  test('may use aliases', () => {
    const text = smallConfig
      .replace('POST /events: { allow: {', 'POST /events: { allow: &writers {')
      .replace('      GET /events', '      PUT /events: { allow: *writers }\n      GET /events');
    expect(loaded(text).policy.routes[1]?.access).toEqual(
      new Map([['project', { kind: 'all', scopes: ['events:write'] }]]),
    );
  });
});

describe('a hostile or broken file', () => {
  test.each([
    ['nothing', '', 'the file is empty'],
    ['only a comment', '# only a comment\n', 'the file is empty'],
    ['a text', 'just a text', 'expected a map, found "just a text"'],
    ['a list', '- a\n- b\n', 'expected a map, found a list'],
    ['an alias to nowhere', 'a: *nowhere\n', 'an alias has no anchor'],
    ['20,000 brackets', '['.repeat(20_000), 'the file is nested too deeply'],
    ['40 levels', `a: ${'['.repeat(40)}${']'.repeat(40)}\n`, 'the file is nested too deeply'],
    ['an alias inside itself', 'a: &a [*a]\n', 'the file is nested too deeply'],
    ['too much', `x: ${'a'.repeat(1_000_001)}\n`, 'the file is larger than 1 MB'],
    ['a map as a key', '? { a: 1 }\n: b\n', 'a key is not a plain text'],
  ])('%s is refused', (_, text, message) => {
    const [first] = problemsOf(text);
    expect(first?.message).toBe(message);
  });

  test('an alias bomb is refused at once', () => {
    const levels = Array.from({ length: 9 }, (_, i) => {
      const below = i === 0 ? 'x' : `*l${i - 1}`;
      return `l${i}: &l${i} [${Array.from({ length: 9 }, () => below).join(', ')}]`;
    });
    const took = cpuMs();
    const [problem] = problemsOf(levels.join('\n'));
    expect(problem?.message).toBe('aliases are used more than 50 times');
    expect(took()).toBeLessThan(1000);
  });

  test('a file that is not there, is a folder, or is not text is a problem, not a crash', () => {
    writeFileSync(join(scratch, 'latin1.yaml'), Buffer.from([0x76, 0xe4, 0x0a]));
    const told = (file: string) => {
      const result = loadConfig(file, {});
      return result.ok ? [] : result.problems.map(({ message, line, column }) => [message, line, column]);
    };
    expect(told(join(scratch, 'nowhere.yaml'))).toEqual([['there is no such file', 1, 1]]);
    expect(told(scratch)).toEqual([['the file cannot be read (EISDIR)', 1, 1]]);
    expect(told(join(scratch, 'latin1.yaml'))).toEqual([['the file is not UTF-8 text', 1, 1]]);
  });

  test('no damage to a right config makes the loader throw or answer without a place', () => {
    const words = [
      '{',
      '}',
      '[',
      ']',
      ':',
      '\n',
      '  ',
      '"',
      '&a',
      '*a',
      '!x',
      '~',
      '0',
      'toString',
      'allow',
      '- ',
      '# ',
      '|',
      '>',
      '\t',
      '%',
    ];
    const damage = fc.tuple(fc.nat(smallConfig.length), fc.nat(12), fc.constantFrom(...words));
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (wounds) => {
        let text = smallConfig;
        for (const [at, cut, word] of wounds) text = text.slice(0, at) + word + text.slice(at + cut);
        for (const { line, column, message, hint } of problemsOf(text)) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(column).toBeGreaterThanOrEqual(1);
          expect(message).not.toMatch(/Invalid |\bundefined\b|\[object/);
          expect(hint).not.toBe('');
        }
      }),
      { numRuns: 1500 },
    );
  });
});

test('500 rows load and compile in well under a second', () => {
  const rows = Array.from(
    { length: 500 },
    (_, i) =>
      `      GET /v1/group${i % 50}/{id}/part${i}: { allow: { project: events:write, user: events:read | events:write }, limits: [all] }`,
  );
  const text = `${smallConfig}${rows.join('\n')}\nlimits: { all: { rate: 600/1m, per: [token] } }\n`;
  loaded(text);
  const times = Array.from({ length: 3 }, () => {
    const took = cpuMs();
    loaded(text);
    return took();
  });
  expect(loaded(text).policy.routes).toHaveLength(502);
  expect(Math.min(...times)).toBeLessThan(600);
});
