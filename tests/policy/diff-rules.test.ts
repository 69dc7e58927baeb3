/** The newer rules of a row in a diff: which way each goes, and that no difference is missed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffPolicies } from '../../policy/diff.ts';
import { networksStep } from '../../policy/diff-networks.ts';
import { plainOf } from '../../policy/diff-values.ts';
import { prepareMatcher } from '../../policy/routes.ts';
import type { Policy } from '../../policy/types.ts';
import { loaded } from '../fixtures/config.ts';

const app = 'kind: bundle_id, from: json:/app_id, belongs_to: attribute.org';
const usual = {
  row: 'allow: { user: a + b }',
  pins: 'office: { kind: cidr, allow: [10.0.0.0/8] }',
  limit: 'rate: 10/1m, per: [address]',
  csrf: 'csrf: { header: X-Csrf, equals: token.attribute.csrf }',
  rest: '',
};

function policyOf(parts: Partial<typeof usual> = {}): Policy {
  const { row, pins, limit, csrf, rest } = { ...usual, ...parts };
  return loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  user: { prefix: u_, grantable: [a, b], attributes: { org: required } }
  page: { sources: [cookie:sid], scopes: [a], attributes: { csrf: required }, ${csrf} }
scopes: { a: One, b: Two }
limits: { each: { ${limit} } }
cors: { site: { origins: [https://a.example], credentials: true } }
errors: { plain: { body: { message: "{detail}" } } }
pins: { ${pins} }
apis:
  main: { to: app, hosts: [one.example, two.example], prefixes: ["", /v1], routes: { "POST /x/{org}": { ${row} }, "GET /live": { allow: public, websocket: true, cors: site }, "GET /p": { allow: { page: a } } } }
${rest}`).policy;
}

const verdicts = (before: Partial<typeof usual>, after: Partial<typeof usual>) =>
  diffPolicies(policyOf(before), policyOf(after)).map(({ verdict, what }) => `${verdict} ${what}`);

const pinned = (name: string) => `${usual.row}, pins: [${name}]`;
const office = (more: string) => ({ row: pinned('office'), pins: `office: { kind: cidr, ${more} }` });
const bundle = (more: string) => ({ row: pinned('app'), pins: `app: { ${app}, ${more} }` });
const monitor = (day: string) => `, mode: monitor, until: ${day}`;

describe('a cidr pin', () => {
  test('that comes tightens, and that goes loosens', () => {
    expect(verdicts({}, { row: pinned('office') })).toEqual(['tightened pin address']);
    expect(verdicts({ row: pinned('office') }, {})).toEqual(['loosened pin address']);
  });

  test.each([
    ['allow: [10.0.0.0/8]', 'allow: [10.0.0.0/8, 192.0.2.0/24]', 'loosened'],
    ['allow: [10.0.0.0/8, 192.0.2.0/24]', 'allow: [10.0.0.0/8]', 'tightened'],
    ['allow: [10.0.0.0/8]', 'allow: [10.1.0.0/16]', 'tightened'],
    ['allow: [10.1.0.0/16]', 'allow: [10.0.0.0/8]', 'loosened'],
    ['allow: [10.0.0.0/8]', 'allow: [192.0.2.0/24]', 'changed'],
    ['allow: [10.0.0.0/8]', 'allow: ["2001:db8::/32", 10.0.0.0/8]', 'loosened'],
    ['allow: [10.0.0.0/8]', `allow: [10.0.0.0/8]${monitor('2999-01-01')}`, 'loosened'],
    [`allow: [10.0.0.0/8]${monitor('2999-01-01')}`, 'allow: [10.0.0.0/8]', 'tightened'],
    [
      `allow: [10.0.0.0/8]${monitor('2999-01-01')}`,
      `allow: [10.0.0.0/8]${monitor('2999-02-01')}`,
      'loosened',
    ],
    [
      `allow: [10.0.0.0/8]${monitor('2999-02-01')}`,
      `allow: [10.0.0.0/8]${monitor('2999-01-01')}`,
      'tightened',
    ],
    ['allow: [10.0.0.0/8]', `allow: [10.1.0.0/16]${monitor('2999-01-01')}`, 'changed'],
  ])('from %s to %s is %s', (from, to, verdict) => {
    expect(verdicts(office(from), office(to))).toEqual([`${verdict} pin address`]);
  });

  test('that two networks make up together is for a person to look at', () => {
    const halves = ['10.0.0.0/9', '10.128.0.0/9'].map((text) => networkOf(text));
    expect(networksStep([networkOf('10.0.0.0/8')], halves)).toBe(-1);
  });
});

describe('a bundle pin', () => {
  test('that comes tightens, with the body it reads; and that goes loosens', () => {
    const there = bundle('when_missing: deny');
    expect(verdicts({ pins: there.pins }, there)).toEqual(['tightened pin app', 'tightened body']);
    expect(verdicts(there, { pins: there.pins })).toEqual(['loosened pin app', 'loosened body']);
  });

  test.each([
    ['when_missing: deny, first_use: pin', 'when_missing: deny, first_use: deny', 'tightened'],
    ['when_missing: deny, first_use: deny', 'when_missing: deny, first_use: pin', 'loosened'],
    ['when_missing: deny', 'when_missing: allow_unless_pinned', 'loosened'],
    ['when_missing: allow_unless_pinned', 'when_missing: allow', 'loosened'],
    ['when_missing: allow', 'when_missing: deny', 'tightened'],
    ['when_missing: allow, first_use: pin', 'when_missing: deny, first_use: deny', 'tightened'],
    ['when_missing: allow, first_use: deny', 'when_missing: deny, first_use: pin', 'changed'],
    ['when_missing: deny', 'when_missing: deny, reveal: masked', 'changed'],
    ['when_missing: deny', `when_missing: deny${monitor('2999-01-01')}`, 'loosened'],
  ])('from %s to %s is %s', (from, to, verdict) => {
    expect(verdicts(bundle(from), bundle(to))).toEqual([`${verdict} pin app`]);
  });
});

describe('the rest of a row', () => {
  const limited = { row: `${usual.row}, limits: [each]` };
  const cost = `${usual.limit}, cost: "json:/events#"`;
  const json = (...cut: readonly string[]) => {
    const keys = cut.length === 0 ? '' : `, cut: [${cut.map((pointer) => `json:${pointer}`).join(', ')}]`;
    return { row: `${usual.row}, body: { json: true${keys} }` };
  };
  const watched = (day: string) => ({
    row: `${usual.row}, scopes: { mode: monitor, until: ${day} }`,
  });
  test.each([
    ['a body that must be JSON', {}, { row: `${usual.row}, body: { json: true }` }, ['tightened body']],
    ['a member that is cut out', json(), json('/a'), ['tightened body cut']],
    ['a member that is not cut out any more', json('/a', '/b'), json('/b'), ['loosened body cut']],
    ['another member that is cut out', json('/a'), json('/b'), ['changed body cut']],
    ['members that are cut out in another order', json('/a', '/b'), json('/b', '/a'), []],
    ['a body that must be JSON, without a member', {}, json('/a'), ['tightened body cut', 'tightened body']],
    ['a body that need not be JSON', { row: `${usual.row}, body: { json: true }` }, {}, ['loosened body']],
    [
      'a limit that only watches',
      limited,
      { ...limited, limit: `${usual.limit}${monitor('2999-01-01')}` },
      ['loosened limit each'],
    ],
    [
      'a limit that counts items',
      limited,
      { ...limited, limit: cost },
      ['changed limit each', 'tightened body'],
    ],
    ['a csrf header that is not asked any more', {}, { csrf: 'csrf: off' }, ['loosened type page csrf']],
    ['a csrf header that is asked', { csrf: 'csrf: off' }, {}, ['tightened type page csrf']],
    ['an error style', {}, { row: `${usual.row}, errors: plain` }, ['changed errors']],
    ['scopes that only watch', {}, watched('2999-01-01'), ['loosened scopes']],
    ['scopes that are enforced earlier', watched('2999-02-01'), watched('2999-01-01'), ['tightened scopes']],
    ['scopes that are enforced', watched('2999-01-01'), {}, ['tightened scopes']],
    ['nothing at all', {}, { row: `${usual.row}, to: app` }, []],
  ])('%s', (_, before, after, expected) => {
    expect(verdicts(before, after)).toEqual(expected);
  });
});

function networkOf(text: string) {
  const policy = policyOf(office(`allow: [${text}]`));
  const [network] = policy.routes[0]?.addressPin?.allow ?? [];
  if (network === undefined) throw new Error('no network');
  return network;
}

test('WebSocket opens and closes a row, as a cell does', () => {
  const plain = policyOf();
  const routes = plain.routes.map((route) => ({ ...route, websocket: false }));
  const without = { ...plain, find: finderOf(routes), routes };
  const told = (before: Policy, after: Policy) => diffPolicies(before, after).map(({ verdict }) => verdict);
  expect(told(without, plain)).toEqual(['opened']);
  expect(told(plain, without)).toEqual(['closed']);
});

/** Everything a row can have, so that every field there is can be flipped. */
const full = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  user: { prefix: u_, aliases: [v_], grantable: [a, b, c], attributes: { org: required, tier: optional, orgs: list } }
  page: { sources: [cookie:sid], scopes: [a, b], attributes: { csrf: required }, csrf: { header: X-Csrf, equals: token.attribute.csrf } }
  old: { prefix: old_, hash: { use: bcrypt, cost: 10, lookup_chars: 12, then: sha256 }, grantable: [a, b], attributes: { org: required } }
scopes: { a: One, b: Two, c: Three }
limits:
  each: { rate: 10/1m, per: [address, attribute.org], cost: "json:/events#", mode: monitor, until: 2999-01-01, on_redis_down: local }
cors: { site: { origins: [https://a.example], headers: [X-A], expose: [X-B], credentials: true } }
errors: { plain: { body: { message: "{detail}" }, status: { type_not_allowed: 401 } } }
failure_budget: { rate: 20/1m, per: address }
pins:
  office: { kind: cidr, allow: [10.0.0.0/8, "2001:db8::/32"], mode: monitor, until: 2999-01-01 }
  site: { kind: origin, when_missing: deny, mode: monitor, until: 2999-01-01 }
  relay: { kind: origin, allow: [https://a.example, https://b.example], when_missing: deny, mode: monitor, until: 2999-01-01 }
  app: { kind: bundle_id, from: [json:/app_id, header:X-App], first_use: pin, belongs_to: attribute.org, when_missing: deny, reveal: masked, mode: monitor, until: 2999-01-01 }
identity: { reserve: [X-Acme-*], headers: { X-Acme-Org: token.attribute.org } }
apis:
  main:
    to: app
    hosts: [one.example, two.example]
    prefixes: ["", /v1]
    cors: site
    strict_scheme: true
    routes:
      POST /x/{org}:
        { allow: { user: a + b }, scopes: { mode: monitor, until: 2999-01-01 }, bind: { org: token.attribute.org }, pins: [office, site, relay, app], limits: [each], body: { max: 1KiB, json: true } }
      POST /apps/{org}:
        { allow: { user: a + b }, bind: { org: token.attribute.org }, observe: { on: 2xx, pin: app, of: "{org}", from: json:/bundle_id } }
      POST /login/{org}:
        allow: { user: a + b }
        observe:
          - { on: 2xx, token: { type: user, from: json:/token, scopes: [a], attributes: { org: { from: "{org}", default: one }, tier: header:X-Tier }, label: json:/name, expires_in: 7d, instead_of: [org] } }
          - { on: 2xx, token: { type: page, from: set-cookie:sid, attributes: { csrf: token.attribute.org } } }
          - { on: 2xx, end: { type: old, attributes: { org: acme } } }
          - { on: 2xx, end: caller }
      GET /live: { allow: public, websocket: true, errors: plain }
      GET /files/{path...}: { allow: { user: a + b, old: a | b } }
`).policy;

function finderOf(routes: Policy['routes']): Policy['find'] {
  return prepareMatcher(routes.flatMap((route) => route.paths.map((segments) => ({ route, segments }))));
}

/** The words of parameters stand in the row's pattern, and with it in its id. */
const words = /\.paths\.\d+\.\d+\.name$/;

/** Names and texts, as opposed to words of which there are only some. */
const freeWords = /\.(?:name|text|attribute|pointer|value)$/;
const choices: readonly (readonly string[])[] = [
  ['POST', 'PUT', 'GET', 'PATCH'],
  ['deny', 'allow', 'allow_unless_pinned'],
  ['pin', 'deny'],
  ['local', 'open', 'closed'],
  ['pass', 'strip'],
  ['all', 'either'],
  ['address', 'token', 'route'],
  ['literal', 'param', 'rest'],
];

/** Every value that differs from this one in one place, however deep, with the name of the place. */
function flips(value: unknown, at: string): readonly (readonly [place: string, flipped: unknown])[] {
  if (words.test(at)) return [];
  if (typeof value === 'boolean') return [[at, !value]];
  if (typeof value === 'number') return [[at, value + 1]];
  if (value === 'public') return [[at, new Map()]];
  if (typeof value === 'string') {
    const known = freeWords.test(at) ? undefined : choices.find((some) => some.includes(value));
    return (known ?? [`${value}x`]).filter((one) => one !== value).map((one) => [`${at}=${one}`, one]);
  }
  if (value instanceof Set) {
    return [...value].map((item) => [`${at}-${item}`, new Set([...value].filter((one) => one !== item))]);
  }
  if (value instanceof Map) {
    return [...value].flatMap(([name, item]) => [
      [`${at}-${name}`, new Map([...value].filter(([one]) => one !== name))] as const,
      ...flips(item, `${at}.${name}`).map(
        ([place, flipped]) => [place, new Map(value).set(name, flipped)] as const,
      ),
    ]);
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => [
      [`${at}-${index}`, value.toSpliced(index, 1)] as const,
      ...flips(item, `${at}.${index}`).map(
        ([place, flipped]) => [place, value.with(index, flipped)] as const,
      ),
    ]);
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [
    ...(isOptional.has(name) && item != null
      ? [[`${at}.${name}=none`, { ...value, [name]: isOptional.get(name) }] as const]
      : []),
    ...flips(item, `${at}.${name}`).map(
      ([place, flipped]) => [place, { ...value, [name]: flipped }] as const,
    ),
  ]);
}

/** With what they are where there is nothing. */
const isOptional = new Map([
  ...['cors', 'errors', 'originPin', 'addressPin', 'body', 'bodyBytesMax', 'failureBudget'].map(
    (name) => [name, null] as const,
  ),
  ...['monitorUntil', 'scopesMonitorUntil', 'costAt', 'csrf', 'strictScheme', 'originList'].map(
    (name) => [name, undefined] as const,
  ),
]);

/** Left out: what is made of the rest, the digest of the text, and what no row uses. */
function flipped(policy: Policy): readonly (readonly [place: string, make: () => Policy])[] {
  const { types, scopes, routes, identity, failureBudget } = policy;
  return flips({ types, scopes, routes, identity, failureBudget }, '').map(([place, parts]) => {
    const next = { ...policy, ...(parts as Partial<Policy>) };
    return [place, () => ({ ...next, find: finderOf(next.routes) })];
  });
}

const all = flipped(full);

test('no field of a policy is flipped without a word about it', () => {
  expect(all.length).toBeGreaterThan(400);
  expect(diffPolicies(full, full)).toEqual([]);
  const missed = all.filter(([, make]) => {
    const policy = make();
    return diffPolicies(full, policy).length === 0 || diffPolicies(policy, full).length === 0;
  });
  expect(missed.map(([place]) => place)).toEqual([]);
});

test('nor are several together, whatever they are', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 2, maxLength: 4 }), (choices) => {
      let policy = full;
      const places: string[] = [];
      for (const choice of choices) {
        const next = policy === full ? all : flipped(policy);
        const [place, make] = next[choice % next.length] ?? ['', () => full];
        places.push(place);
        policy = make();
      }
      if (plain(policy) === plain(full)) return;
      expect(diffPolicies(full, policy), places.join('; ')).not.toEqual([]);
    }),
    { numRuns: 20 },
  );
});

const plain = (policy: Policy) => JSON.stringify(plainOf(policy));
