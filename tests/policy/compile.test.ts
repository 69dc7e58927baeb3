import { describe, expect, test } from 'vitest';
import type { Policy, Route } from '../../policy/types.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const policyOf = (text: string): Policy => loaded(text).policy;

function rowOf(text: string, id: string): Route {
  const route = policyOf(text).routes.find((row) => row.id === id);
  if (route === undefined) throw new Error(`no row ${id}`);
  return route;
}

/** The small config with these lines as the only rows of its only api. */
function withRows(rows: string, api = '', rest = ''): string {
  const head = smallConfig.slice(0, smallConfig.indexOf('    routes:'));
  return `${head}${api}    routes:\n${rows}${rest}`;
}

describe('a compiled row', () => {
  test('takes from its api what it does not say itself, and every default is the safe one', () => {
    expect(rowOf(smallConfig, 'main POST /events')).toEqual({
      id: 'main POST /events',
      api: 'main',
      method: 'POST',
      pattern: '/events',
      hosts: [],
      paths: [[{ kind: 'literal', text: 'events' }]],
      upstream: 'app',
      serve: null,
      access: new Map([['project', { kind: 'all', scopes: ['events:write'] }]]),
      sources: [
        { kind: 'bearer' },
        { kind: 'header', name: 'x-user-token' },
        { kind: 'cookie', name: 'session' },
      ],
      bind: [],
      originPin: { kind: 'origin', name: 'origin', whenMissing: 'deny' },
      addressPin: null,
      observe: null,
      limits: [],
      cors: null,
      errors: null,
      bodyBytesMax: 10_485_760,
      body: null,
      bundlePins: [],
      credentials: 'strip',
      pathParameters: false,
      websocket: false,
    });
  });

  test('says everything a row can say', () => {
    const text = withRows(
      '      GET /p/{p}: { allow: { user: any_scope }, bind: { p: { equals: token.attribute.projects, else: 404 } }, limits: [a], cors: web, body: { max: 8MiB }, path_parameters: allow, pins: [loose] }\n',
      '    hosts: [API.example.com]\n    cors: sdk\n',
      `limits: { a: { rate: 5/10s, per: [token, attribute.user], steps: 10, on_redis_down: closed } }
cors:
  sdk: { origins: any }
  web: { origins: [https://app.example.com:443], methods: [GET], headers: [X-User-Token], expose: [Retry-After], credentials: true, max_age: 10m }
pins:
  loose: { kind: origin, when_missing: allow }
  site: { kind: origin, when_missing: deny }
`,
    );
    expect(rowOf(text, 'main GET /p/{p}')).toMatchObject({
      hosts: ['api.example.com'],
      access: new Map([['user', { kind: 'any' }]]),
      bind: [{ param: 'p', attribute: 'projects', refuseAs: 404 }],
      originPin: { name: 'loose', whenMissing: 'allow' },
      limits: [
        {
          name: 'a',
          quota: 5,
          windowMs: 10_000,
          steps: 10,
          per: [{ kind: 'token' }, { kind: 'attribute', name: 'user' }],
          onRedisDown: 'closed',
        },
      ],
      cors: {
        name: 'web',
        origins: ['https://app.example.com'],
        methods: ['GET'],
        headers: ['X-User-Token'],
        expose: ['Retry-After'],
        credentials: true,
        maxAgeS: 600,
      },
      bodyBytesMax: 8_388_608,
      pathParameters: true,
      websocket: false,
    });
  });

  test.each([
    ['allow: public', 'pass'],
    ['allow: public, credentials: strip', 'strip'],
    ['allow: { user: any_scope }', 'strip'],
  ])('{ %s } has credentials: %s', (body, credentials) => {
    expect(rowOf(withRows(`      GET /a: { ${body} }\n`), 'main GET /a').credentials).toBe(credentials);
  });

  test('body: { max: none } has no cap, and rows that name none have the cap of listen.max.body', () => {
    const rows = '      PUT /a: { allow: public, body: { max: none } }\n      PUT /b: { allow: public }\n';
    const text = `${withRows(rows)}listen: { max: { body: 1MiB } }\n`;
    expect(rowOf(text, 'main PUT /a').bodyBytesMax).toBeNull();
    expect(rowOf(text, 'main PUT /b').bodyBytesMax).toBe(1_048_576);
  });

  test('cors: off on a row switches the block of its api off', () => {
    const rows = '      GET /a: { allow: public, cors: off }\n      GET /b: { allow: public }\n';
    const text = withRows(rows, '    cors: sdk\n', 'cors: { sdk: { origins: any } }\n');
    expect(rowOf(text, 'main GET /a').cors).toBeNull();
    expect(rowOf(text, 'main GET /b').cors).toMatchObject({ name: 'sdk', origins: 'any', maxAgeS: 86_400 });
  });
});

describe('the error style of a row', () => {
  const rows = `      GET /a: { allow: public }
      GET /b: { allow: public, errors: second }
      GET /c: { allow: public, errors: off }
`;
  const styles =
    'errors: { first: { body: "{code}" }, second: { challenge: off, status: { rate_limited: 420 } } }\n';

  test("is its own before its api's, and none where it says off", () => {
    const text = withRows(rows, '    errors: first\n', styles);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => rowOf(text, `main GET /${name}`).errors);
    expect([a?.name, b?.name, c]).toEqual(['first', 'second', null]);
    expect(b).toMatchObject({ contentType: 'application/json', challenge: false });
    expect(b?.wordings.get('rate_limited')).toEqual({ status: 420, code: null, body: null });
    expect(a?.wordings.get('store_unavailable')?.body).toEqual({ kind: 'field', field: 'code' });
  });

  test('is none where neither says one, and off on an api is none too', () => {
    const second = rows.replace('off', 'first');
    expect(rowOf(withRows(second, '', styles), 'main GET /a').errors).toBeNull();
    expect(rowOf(withRows(second, '    errors: off\n', styles), 'main GET /a').errors).toBeNull();
  });
});

describe('the origin pin of a row that names none', () => {
  const row = '      GET /a: { allow: { user: any_scope } }\n';
  test.each([
    ['no pin is defined', '', { name: 'origin', whenMissing: 'deny' }],
    [
      'one is',
      'pins: { site: { kind: origin, when_missing: allow } }\n',
      { name: 'site', whenMissing: 'allow' },
    ],
    [
      'two are',
      'pins:\n  one: { kind: origin, when_missing: allow }\n  two: { kind: origin, when_missing: allow }\n',
      { name: 'origin', whenMissing: 'deny' },
    ],
  ])('where %s', (_, pins, pin) => {
    expect(rowOf(withRows(row, '', pins), 'main GET /a').originPin).toMatchObject(pin);
  });

  test('a row opts out by the name of the pin, defined or built in', () => {
    const off = (name: string) => `      GET /a: { allow: { user: any_scope }, pins: { ${name}: off } }\n`;
    expect(rowOf(withRows(off('origin')), 'main GET /a').originPin).toBeNull();
    const pins = 'pins: { site: { kind: origin, when_missing: deny } }\n';
    expect(rowOf(withRows(off('site'), '', pins), 'main GET /a').originPin).toBeNull();
  });
});

describe('an api', () => {
  test('under two prefixes is the same rows: one id, one object, the path as sent', () => {
    const policy = policyOf(
      withRows('      GET /a/{x}: { allow: public }\n', '    prefixes: ["", /api/v2]\n'),
    );
    expect(policy.routes).toHaveLength(1);
    const [bare] = policy.find('any.test', '/a/1');
    const [prefixed] = policy.find('any.test', '/api/v2/a/2');
    expect(bare?.route).toBe(policy.routes[0]);
    expect(prefixed?.route).toBe(policy.routes[0]);
    expect(prefixed?.params.get('x')).toBe('2');
    expect(policy.find('any.test', '/api/v1/a/2')).toEqual([]);
  });

  test('reads only the sources of the types it lists', () => {
    const text = withRows('      GET /a: { allow: { project: any_scope } }\n', '    types: [project]\n');
    expect(rowOf(text, 'main GET /a').sources).toEqual([{ kind: 'bearer' }]);
  });

  test('rows of one shape are no conflict where hosts, methods or prefixes keep them apart', () => {
    const policy = policyOf(
      withRows(
        '      GET /a: { allow: public }\n      PUT /a: { allow: public }\n',
        '',
        `  named: { to: app, hosts: [one.test], routes: { GET /a: { allow: public } } }
  other: { to: app, hosts: [two.test], routes: { GET /a: { allow: public } } }
  below: { to: app, prefixes: [/below], routes: { GET /a: { allow: public } } }
`,
      ),
    );
    expect(policy.find('one.test', '/a').map(({ route }) => route.id)).toEqual([
      'named GET /a',
      'main GET /a',
      'main PUT /a',
    ]);
  });
});

describe('token types', () => {
  test('are what the config says', () => {
    const policy = policyOf(
      smallConfig.replace(
        '{ prefix: pio_live_,',
        '{ prefix: pio_live_, aliases: [pio_], issue: { length: 40, alphabet: hex }, hash: { use: bcrypt, then: sha256 },',
      ),
    );
    expect(policy.types.get('project')).toEqual({
      name: 'project',
      prefix: 'pio_live_',
      prefixes: ['pio_live_', 'pio_'],
      issue: { length: 40, alphabet: 'hex' },
      hash: { use: 'bcrypt', cost: 10, lookupChars: 12, thenSha256: true },
      sources: [{ kind: 'bearer' }],
      scopes: { fixed: ['events:write'] },
      attributes: new Map([['project', { required: true, list: false }]]),
    });
    expect(policy.types.get('user')?.scopes).toEqual({ grantable: ['events:read', 'events:write'] });
    expect(policy.types.get('user')?.attributes.get('projects')).toEqual({ required: false, list: true });
  });

  test('are found by the longest prefix first', () => {
    const policy = policyOf(
      smallConfig.replace('{ prefix: pio_live_,', '{ prefix: pio_live_, aliases: [pio_, pio_live_v2_],'),
    );
    expect(policy.prefixes.map(({ prefix, type }) => [prefix, type?.name])).toEqual([
      ['pio_live_v2_', 'project'],
      ['pio_live_', 'project'],
      ['pio_', 'project'],
      ['u_', 'user'],
    ]);
  });

  test('say their format, checksum and peppers, and hold no pepper', () => {
    const env = { A: 'a pepper '.repeat(4) };
    const { policy } = loaded(
      smallConfig
        .replace('prefix: u_\n', 'format: id_pipe_random\n')
        .replace(
          '{ prefix: pio_live_,',
          '{ prefix: pio_live_, checksum: required, hash: { use: sha256, pepper: [{ env: A }, none] },',
        ),
      env,
    );
    expect(policy.types.get('user')).toMatchObject({ format: 'id_pipe_random', prefixes: [] });
    expect(policy.types.get('project')).toMatchObject({
      checksum: true,
      hash: { use: 'sha256', pepper: 'or_none' },
    });
    const always = smallConfig.replace(
      '{ prefix: pio_live_,',
      '{ prefix: pio_live_, hash: { use: sha256, pepper: [{ env: A }] },',
    );
    expect(loaded(always, env).policy.types.get('project')?.hash).toEqual({
      use: 'sha256',
      pepper: 'always',
    });
  });

  test('without a prefix are allowed for sha256', () => {
    const policy = policyOf(smallConfig.replace('prefix: u_\n', 'issue: { length: 32 }\n'));
    expect(policy.types.get('user')).toMatchObject({ prefix: '', prefixes: [] });
    expect(policy.prefixes.map(({ prefix }) => prefix)).toEqual(['pio_live_']);
  });
});

describe('identity', () => {
  test('names are reserved by themselves, folded, beside the namespace', () => {
    const { identity } = policyOf(
      `${smallConfig}identity: { reserve: [X-Acme-*, X-Tenant], headers: { X-User-ID: token.attribute.user, X-Row: route.id } }\n`,
    );
    expect(identity.reservedPrefixes).toEqual(['x-postern-', 'x-acme-']);
    expect([...identity.reservedNames]).toEqual(['x-tenant', 'x-user-id', 'x-row']);
    expect(identity.headers).toEqual([
      { name: 'X-User-ID', from: { kind: 'token.attribute', name: 'user' } },
      { name: 'X-Row', from: { kind: 'route.id' } },
    ]);
  });

  test('X-Postern-* stays reserved when the list is empty', () => {
    const { identity } = policyOf(`${smallConfig}identity: { reserve: [] }\n`);
    expect(identity.reservedPrefixes).toEqual(['x-postern-']);
  });
});

test('the policy cannot be changed, not even inside its maps', () => {
  const policy = policyOf(smallConfig) as unknown as {
    routes: { id: string; access: Map<string, unknown> }[];
    types: Map<string, { scopes: { fixed: string[] } }>;
    identity: { reservedNames: Set<string> };
  };
  const [row] = policy.routes;
  expect(() => Object.assign(row ?? {}, { id: 'x' })).toThrow(TypeError);
  expect(() => row?.access.set('user', { kind: 'any' })).toThrow('the policy is frozen');
  expect(() => policy.types.delete('project')).toThrow('the policy is frozen');
  expect(() => policy.types.get('project')?.scopes.fixed.push('x')).toThrow(TypeError);
  expect(() => policy.identity.reservedNames.add('x')).toThrow('the policy is frozen');
  expect(() => policy.routes.push({ id: 'x', access: new Map() })).toThrow(TypeError);
});

test('a limit has 60 steps unless it says otherwise; exact is steps of 1 ms', () => {
  const text = `${smallConfig}limits:
  a: { rate: 5/10s, per: [address] }
  b: { rate: 5/10s, per: [address], steps: 7, exact: false }
  c: { rate: 1000/24h, per: [address], exact: true }
`;
  expect([...policyOf(text).limits.values()].map(({ steps }) => steps)).toEqual([60, 7, 86_400_000]);
});

test('the failure budget is off unless it is written', () => {
  expect(policyOf(smallConfig).failureBudget).toBeNull();
  const text = `${smallConfig}failure_budget: { rate: 20/1m, per: address }\n`;
  expect(policyOf(text).failureBudget).toEqual({ quota: 20, windowMs: 60_000 });
});
