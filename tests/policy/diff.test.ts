/** What a change of config does to callers, told as a person would tell it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../policy/decide.ts';
import { diffPolicies } from '../../policy/diff.ts';
import type { Change } from '../../policy/diff-verdicts.ts';
import type { Policy } from '../../policy/types.ts';
import { loaded } from '../fixtures/config.ts';
import { factsOf, noon, tokenOf } from '../support/policy.ts';

type Parts = { types?: string; rows?: string; limits?: string; api?: string; rest?: string };

const usual = {
  types: `  user: { prefix: u_, grantable: [a, b, c], attributes: { org: required } }
  device: { prefix: d_, scopes: [a] }`,
  rows: '      GET /x: { allow: { user: a } }',
  limits: '  each: { rate: 10/1m, per: [address] }',
};

function policyOf({
  types = usual.types,
  rows = usual.rows,
  limits = usual.limits,
  api = '',
  rest = '',
}: Parts = {}): Policy {
  return loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 }, other: { url: http://127.0.0.1:9002 } }
token_types:
${types}
scopes: { a: One, b: Two, c: Three }
limits:
${limits}
${rest}
apis:
  main:
    to: app
${api}
    routes:
${rows}
`).policy;
}

const told = (changes: readonly Change[]) =>
  changes.map(
    ({ verdict, row, what, from, to }) => `${verdict} | ${row ?? '-'} | ${what} | ${from} -> ${to}`,
  );

const row = (text: string) => `      ${text}`;

describe('cells', () => {
  test.each([
    ['{ user: a }', '{ user: a, device: any_scope }', ['opened | cell device | refused -> any_scope']],
    ['{ user: a, device: a }', '{ user: a }', ['closed | cell device | a -> refused']],
    ['{ user: a }', '{ user: a | b }', ['loosened | cell user | a -> a | b']],
    ['{ user: a }', '{ user: a + b }', ['tightened | cell user | a -> a + b']],
    ['{ user: a }', '{ user: b }', ['changed | cell user | a -> b']],
    ['{ user: a }', '{ user: any_scope }', ['loosened | cell user | a -> any_scope']],
    ['{ user: a + b }', '{ user: b + a }', []],
    [
      '{ user: a }',
      'public',
      [
        'opened | cell nobody | a -> public',
        'loosened | cell user | a -> public',
        'opened | cell device | refused -> public',
      ],
    ],
  ])('from %s to %s', (from, to, expected) => {
    const changes = diffPolicies(
      policyOf({ rows: row(`GET /x: { allow: ${from} }`) }),
      policyOf({ rows: row(`GET /x: { allow: ${to} }`) }),
    ).filter(({ what }) => what.startsWith('cell'));
    const lines = changes.map(
      ({ verdict, what, from: was, to: is }) => `${verdict} | ${what} | ${was} -> ${is}`,
    );
    expect(lines.map((line) => line.replace('nobody | a ->', 'nobody | refused ->'))).toEqual(
      expected.map((line) => line.replace('nobody | a ->', 'nobody | refused ->')),
    );
  });

  test('a wider type opens a cell that nobody touched', () => {
    const rows = row('GET /x: { allow: { user: a, device: a } }');
    const narrow = usual.types.replace('scopes: [a]', 'grantable: [a, b]');
    const changes = diffPolicies(policyOf({ rows, types: narrow }), policyOf({ rows }));
    expect(told(changes)).toContain('loosened | main GET /x | cell device | a -> a');
  });

  test('a new row is compared with the row that served its path', () => {
    const before = policyOf({ rows: row('GET /{any}: { allow: { user: a } }') });
    const after = policyOf({
      rows: `${row('GET /{any}: { allow: { user: a } }')}\n${row('GET /x: { allow: public }')}`,
    });
    expect(told(diffPolicies(before, after))).toEqual([
      'opened | main GET /x | cell nobody | refused -> public',
      'loosened | main GET /x | cell user | a -> public',
      'opened | main GET /x | cell device | refused -> public',
      'changed | main GET /x | row | main GET /{any} -> main GET /x',
      'changed | main GET /x | credentials | strip -> pass',
    ]);
  });

  test('a row that is gone leaves its path to the next best, or to nobody', () => {
    const both = policyOf({
      rows: `${row('GET /{any}: { allow: { user: a } }')}\n${row('GET /x: { allow: { user: b } }')}`,
    });
    const one = policyOf({ rows: row('GET /{any}: { allow: { user: a } }') });
    expect(told(diffPolicies(both, one))).toEqual([
      'changed | main GET /{any} | cell user | b -> a',
      'changed | main GET /{any} | row | main GET /x -> main GET /{any}',
    ]);
    const none = policyOf({ rows: row('POST /x: { allow: { user: a } }') });
    expect(told(diffPolicies(one, none))).toEqual([
      'opened | main POST /x | cell user | no row -> a',
      'closed | main GET /{any} | cell user | a -> no row',
    ]);
  });

  test('a prefix and a host are ways in', () => {
    expect(told(diffPolicies(policyOf(), policyOf({ api: '    prefixes: ["", /api]' })))).toEqual([
      'opened | main GET /x | cell user | no row -> a',
    ]);
    expect(told(diffPolicies(policyOf(), policyOf({ api: '    hosts: [api.test]' })))).toEqual([
      'closed | main GET /x | cell user | a -> no row',
    ]);
  });
});

describe('rules', () => {
  const limited = (rate: string, more = '') => ({
    rows: row(`GET /x: { allow: { user: a }, limits: [each]${more} }`),
    limits: `  each: { ${rate} }`,
  });
  const usualRate = 'rate: 10/1m, per: [address]';
  test.each([
    ['rate: 20/1m, per: [address]', 'loosened'],
    ['rate: 10/30s, per: [address]', 'loosened'],
    ['rate: 5/1m, per: [address]', 'tightened'],
    ['rate: 20/2m, per: [address]', 'changed'],
    ['rate: 10/1m, per: [token]', 'changed'],
    ['rate: 10/1m, per: [address], on_redis_down: open', 'loosened'],
    ['rate: 10/1m, per: [address], on_redis_down: closed', 'tightened'],
    ['rate: 10/1m, per: [address], steps: 10', 'changed'],
  ])('limit %s', (rate, verdict) => {
    const changes = diffPolicies(policyOf(limited(usualRate)), policyOf(limited(rate)));
    expect(changes.map((change) => [change.verdict, change.row, change.what])).toEqual([
      [verdict, 'main GET /x', 'limit each'],
    ]);
  });

  test.each([
    ['', ', limits: [each]', 'tightened', 'limit each'],
    [', limits: [each]', '', 'loosened', 'limit each'],
    ['', ', pins: { origin: off }', 'loosened', 'pin origin'],
    [', body: { max: 1KiB }', ', body: { max: 2KiB }', 'loosened', 'body max'],
    [', body: { max: none }', ', body: { max: 2KiB }', 'tightened', 'body max'],
    ['', ', to: other', 'changed', 'upstream'],
    ['', ', path_parameters: allow', 'changed', 'pathParameters'],
  ])('from "%s" to "%s"', (from, to, verdict, what) => {
    const of = (more: string) => policyOf({ rows: row(`GET /x: { allow: { user: a }${more} }`) });
    expect(diffPolicies(of(from), of(to)).map((change) => [change.verdict, change.what])).toEqual([
      [verdict, what],
    ]);
  });

  test('a bind that comes or goes', () => {
    const of = (more: string) => policyOf({ rows: row(`GET /{org}: { allow: { user: a }${more} }`) });
    const bound = of(', bind: { org: token.attribute.org }');
    expect(told(diffPolicies(of(''), bound))).toEqual([
      'tightened | main GET /{org} | bind org | none -> {org} is org, else 403',
    ]);
    expect(diffPolicies(bound, of('')).map(({ verdict }) => verdict)).toEqual(['loosened']);
  });
});

describe('the rest', () => {
  test('types, identity and the failure budget are told by key', () => {
    const after = policyOf({
      types: usual.types.replace('prefix: u_', 'prefix: v_'),
      rest: 'identity: { headers: { X-Postern-Org: token.attribute.org } }\nfailure_budget: { rate: 20/1m, per: address }',
    });
    const whats = diffPolicies(policyOf(), after).map(({ verdict, what }) => `${verdict} ${what}`);
    expect(whats).toEqual([
      'changed type user prefix',
      'changed type user prefixes',
      'changed identity',
      'changed failureBudget',
    ]);
  });

  test('the same config in other words is no change', () => {
    const shuffled = policyOf({
      types: usual.types.split('\n').toReversed().join('\n'),
      rows: row('GET /x: { allow: { user: " a" }, limits: [] }'),
    });
    expect(diffPolicies(policyOf(), shuffled)).toEqual([]);
  });
});

test('whoever passes after and did not before is told of, for any two matrices', () => {
  const cell = fc.constantFrom('a', 'b', 'a + b', 'a | c', 'any_scope', null);
  const scopes = fc.subarray(['a', 'b', 'c']);
  const matrix = fc.record({
    x: fc.record({ user: cell, device: fc.constantFrom('a', 'any_scope', null) }),
    any: fc.record({ user: cell, device: fc.constantFrom('a', 'any_scope', null) }),
    grantable: scopes.filter((list) => list.length > 0),
  });
  const build = ({
    x,
    any,
    grantable,
  }: {
    x: object;
    any: object;
    grantable: readonly string[];
  }): Policy | null => {
    const rowText = (path: string, cells: object) => {
      const pairs = Object.entries(cells).filter(([, value]) => value !== null);
      return pairs.length === 0
        ? []
        : [
            row(
              `GET ${path}: { allow: { ${pairs.map(([type, value]) => `${type}: "${value}"`).join(', ')} } }`,
            ),
          ];
    };
    const rows = [...rowText('/x', x), ...rowText('/{any}', any), row('GET /z/z: { allow: public }')];
    const types = usual.types.replace('grantable: [a, b, c]', `grantable: [${grantable.join(', ')}]`);
    try {
      return policyOf({ types, rows: rows.join('\n') });
    } catch {
      // A cell that nobody could reach is a mistake of its own.
      return null;
    }
  };
  const passes = (policy: Policy, path: string, type: string, held: readonly string[]) => {
    const match = policy.find('any.test', path).find(({ route }) => route.method === 'GET');
    if (match === undefined) return false;
    const token = tokenOf({ type, scopes: held, attributes: new Map([['org', 'o']]) });
    return decide(policy, match, factsOf({ path }), token, noon).ok;
  };
  let compared = 0;
  fc.assert(
    fc.property(
      matrix,
      matrix,
      fc.constantFrom('/x', '/y'),
      fc.constantFrom('user', 'device'),
      scopes,
      (one, two, path, type, held) => {
        const [before, after] = [build(one), build(two)];
        if (before === null || after === null) return;
        compared++;
        const [was, is] = [passes(before, path, type, held), passes(after, path, type, held)];
        const cells = diffPolicies(before, after).filter(({ what }) => what === `cell ${type}`);
        const verdicts = new Set(cells.map(({ verdict }) => verdict));
        if (is && !was)
          expect(['opened', 'loosened', 'changed'].some((verdict) => verdicts.has(verdict as 'opened'))).toBe(
            true,
          );
        if (was && !is)
          expect(
            ['closed', 'tightened', 'changed'].some((verdict) => verdicts.has(verdict as 'closed')),
          ).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
  expect(compared).toBeGreaterThan(50);
});

test('how a host words what no row answers for is told host by host', () => {
  const configOf = (one: string, open: string, body = '{ a: "{code}" }') =>
    loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
errors: { plain: { body: ${body} }, other: { body: { b: "{code}" } } }
apis:
  one: { to: app, hosts: [one.example], errors: ${one}, routes: { "GET /one": { allow: public, errors: off } } }
  open: { to: app, errors: ${open}, routes: { "GET /open": { allow: public, errors: off } } }
`).policy;
  const plain = configOf('plain', 'plain');
  const lines = (after: Policy) => told(diffPolicies(plain, after));
  expect(lines(plain)).toEqual([]);
  expect(lines(configOf('other', 'plain'))).toEqual([
    'changed | - | errors without a row, one.example | plain -> RFC 9457',
    'changed | - | errors without a row, no host | plain -> RFC 9457',
  ]);
  expect(lines(configOf('other', 'other'))[1]).toBe(
    'changed | - | errors without a row, any other host | plain -> other',
  );
  expect(lines(configOf('plain', 'plain', '{ z: "{code}" }'))).toContain(
    'changed | - | errors without a row, one.example | plain -> plain, worded otherwise',
  );
});
