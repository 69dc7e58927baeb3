/** Lists of origins that belong to rows: they hold for every caller of the rows that name them, and nowhere else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../policy/decide.ts';
import { diffPolicies } from '../../policy/diff.ts';
import type { Presentation } from '../../policy/token-types.ts';
import type { Route } from '../../policy/types.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';
import { accessOf, factsOf, matchOf, noon, policyOf, tokenOf, typeOf } from '../support/policy.ts';

const listed = ['https://app.example.com', 'http://localhost:3000'];
const guest = typeOf({ name: 'guest', prefix: '', prefixes: [], verify: 'upstream', scopes: { fixed: [] } });
const policy = policyOf([typeOf({ scopes: { grantable: ['a'] } }), guest]);
const presentedBy = (unverified?: string): Presentation => ({
  source: { kind: 'bearer' },
  csrf: [],
  ...(unverified !== undefined && { unverified }),
});

/** Every way to be let in, and rows as they come. */
const asker = fc.constantFrom(
  { access: 'public' as const, token: null, unverified: undefined },
  { access: accessOf({ user: 'a' }), token: tokenOf({ scopes: ['a'] }), unverified: undefined },
  { access: accessOf({ user: 'a', guest: 'any_scope' }), token: null, unverified: 'guest' },
);
const near = fc.oneof(
  fc.constantFrom(null, 'null', '', '*', ...listed, ...listed.map((origin) => origin.toUpperCase())),
  fc.string(),
  fc.webUrl(),
  fc
    .tuple(fc.constantFrom(...listed), fc.nat(30), fc.string({ maxLength: 3 }))
    .map(([text, at, added]) => text.slice(0, at) + added + text.slice(at)),
);
const whenMissing = fc.constantFrom('allow' as const, 'deny' as const);
const originPin = fc.option(
  fc.record({ kind: fc.constant('origin' as const), name: fc.constant('site'), whenMissing }),
);

test('no request with an Origin that is not on the list passes, whatever its row is and whoever asks', () => {
  let passed = 0;
  fc.assert(
    fc.property(
      ...([
        asker,
        near,
        whenMissing,
        originPin,
        fc.boolean(),
        fc.constantFrom(noon - 1, noon, noon + 1),
      ] as const),
      ({ access, token, unverified }, origin, missing, pin, websocket, monitorUntil) => {
        const originList = {
          kind: 'origin_list' as const,
          name: 'relay',
          allow: listed,
          whenMissing: missing,
        };
        const judge = (more: Partial<Route>) =>
          decide(
            policy,
            matchOf({ access, originPin: pin, websocket, ...more }),
            factsOf({ origin }),
            token,
            noon,
            undefined,
            presentedBy(unverified),
          );
        const outcome = judge({ originList });
        // Written out once more: scheme and host without case, the default port or none.
        const isListed =
          origin === null
            ? missing === 'allow'
            : listed.includes(
                origin.toLowerCase().replace(/^(https:.*):0{0,2}443$|^(http:.*):0{0,3}80$/, '$1$2'),
              );
        expect(outcome.ok).toBe(isListed);
        if (outcome.ok) passed++;
        else {
          expect(outcome.denial.code).toBe('origin_not_allowed');
          if (origin !== null && origin.length > 3) expect(outcome.denial.reason).not.toContain(origin);
        }
        const watched = judge({ originList: { ...originList, monitorUntil } });
        expect(watched.ok).toBe(isListed || monitorUntil > noon);
        const told = watched.ok ? (watched.value.watched?.refusals.length ?? 0) : 0;
        expect(told).toBe(!isListed && monitorUntil > noon ? 1 : 0);
        expect(judge({}).ok).toBe(true);
      },
    ),
    fuzz(3000),
  );
  expect(passed).toBeGreaterThan(200);
});

test('the list is asked after that of the token, and before the address', () => {
  const steps: string[] = [];
  const originList = {
    kind: 'origin_list' as const,
    name: 'relay',
    allow: listed,
    whenMissing: 'allow' as const,
  };
  const match = matchOf({ access: accessOf({ user: 'a' }), originList });
  const trace = (step: string) => void steps.push(step);
  decide(policy, match, factsOf(), tokenOf({ scopes: ['a'] }), noon, trace, presentedBy());
  expect(steps.slice(-3)).toEqual(['origin', 'row origin', 'address']);
});

const relay = `relay: { kind: origin, allow: [${listed}, https://app.example.com:443], when_missing: deny }`;
const site = 'site: { kind: origin, when_missing: allow }';

function rowOf(row: string, pins: string): Route {
  const text = `${smallConfig}      GET /a: { ${row} }\npins: { ${pins} }\n`;
  const route = loaded(text).policy.routes.find(({ pattern }) => pattern === '/a');
  if (route === undefined) throw new Error('no row');
  return route;
}

describe('an origin pin with allow', () => {
  test('stands where it is named, beside the one of the token', () => {
    const row = rowOf('allow: { user: events:read }, pins: [relay, site]', `${relay}, ${site}`);
    expect(row.originList).toEqual({
      kind: 'origin_list',
      name: 'relay',
      allow: listed,
      whenMissing: 'deny',
    });
    expect(row.originPin).toMatchObject({ name: 'site', whenMissing: 'allow' });
    expect(rowOf('allow: public, pins: [relay]', relay).originList?.name).toBe('relay');
  });

  test('is never the one that stands on rows which name none', () => {
    const strict = { kind: 'origin', name: 'origin', whenMissing: 'deny' };
    const row = rowOf('allow: { user: events:read }', relay);
    expect([row.originPin, row.originList]).toEqual([strict, undefined]);
    expect(rowOf('allow: { user: events:read }', `${relay}, ${site}`).originPin?.name).toBe('site');
    expect(
      rowOf('allow: { user: events:read }, pins: { site: off }', `${relay}, ${site}`).originPin,
    ).toBeNull();
  });

  test('that no row names is warned of', () => {
    const { warnings } = loaded(`${smallConfig}pins: { ${relay}, ${site} }\n`);
    expect(warnings.map(({ message }) => message)).toEqual(['pin "relay" is not used']);
  });

  test('guards a websocket row that reads a cookie, unless it only watches', () => {
    const row = 'allow: { user: any_scope }, websocket: true, pins: [relay]';
    expect(rowOf(row, relay).websocket).toBe(true);
    const watching = relay.replace(' }', ', mode: monitor, until: 2999-01-01 }');
    expect(() => rowOf(row, watching)).toThrow('any page could open this socket');
  });
});

test.each([
  ['allow: [https://a.example]', 'allow: [https://a.example, https://b.example]', 'loosened'],
  ['allow: [https://a.example, https://b.example]', 'allow: [https://b.example]', 'tightened'],
  ['allow: [https://a.example]', 'allow: [https://b.example]', 'changed'],
  ['allow: [https://a.example]', 'allow: [https://a.example], mode: monitor, until: 2999-01-01', 'loosened'],
  [
    'allow: [https://a.example, https://b.example]',
    'allow: [https://b.example, https://a.example]',
    'changed',
  ],
])('a diff from %s to %s', (from, to, verdict) => {
  const policies = [from, to].map(
    (words) =>
      loaded(`${smallConfig}      GET /a: { allow: public, pins: [relay] }
pins: { relay: { kind: origin, when_missing: deny, ${words} } }\n`).policy,
  );
  const [before, after] = policies;
  if (!before || !after) return expect.unreachable();
  const changes = diffPolicies(before, after).map((change) => [change.verdict, change.row, change.what]);
  expect(changes).toEqual([[verdict, 'main GET /a', 'pin row origin']]);
});

test('a diff tells of a list that comes and goes', () => {
  const [without, with_] = ['', ', pins: [relay]'].map(
    (pins) => loaded(`${smallConfig}      GET /a: { allow: public${pins} }\npins: { ${relay} }\n`).policy,
  );
  if (!without || !with_) return expect.unreachable();
  const text = `relay, ${listed.join(' ')}, deny without Origin`;
  const line = { row: 'main GET /a', what: 'pin row origin' };
  expect(diffPolicies(without, with_)).toEqual([{ ...line, verdict: 'tightened', from: 'off', to: text }]);
  expect(diffPolicies(with_, without)).toEqual([{ ...line, verdict: 'loosened', from: text, to: 'off' }]);
});
