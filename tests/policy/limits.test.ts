import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LimiterUncounted } from '../../policy/fault.ts';
import { chargesFor, judge, tightest } from '../../policy/limits.ts';
import type { AttributeValue } from '../../policy/token-types.ts';
import type { LimitPart, LimitState } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import { factsOf, limitOf, routeOf, stateOf, tokenOf } from '../support/policy.ts';

type Subject = {
  readonly name: string;
  readonly id: string;
  readonly x?: AttributeValue;
  readonly y?: AttributeValue;
};

const compound: readonly LimitPart[] = [
  { kind: 'token' },
  { kind: 'attribute', name: 'x' },
  { kind: 'attribute', name: 'y' },
];

function keyOf({ name, id, x, y }: Subject): string {
  const attributes = new Map<string, AttributeValue>();
  if (x !== undefined) attributes.set('x', x);
  if (y !== undefined) attributes.set('y', y);
  const route = routeOf({ limits: [limitOf({ name, per: compound })] });
  return chargesFor(route, tokenOf({ id, attributes }), factsOf())[0]?.key ?? '';
}

/** What the subject is, without any spelling: a list is a set, and of one it is that one. */
function meaningOf({ name, id, x, y }: Subject): string {
  const items = (value: AttributeValue | undefined) =>
    value === undefined ? [] : typeof value === 'string' ? [value] : [...value].sort();
  return JSON.stringify([name, id, items(x), items(y)]);
}

describe('the bucket a request spends from', () => {
  const text = fc.string({ unit: fc.constantFrom(...'a%|,25c7'), minLength: 1, maxLength: 4 });
  const value = fc.oneof(text, fc.uniqueArray(text, { minLength: 1, maxLength: 3 }));
  const subject: fc.Arbitrary<Subject> = fc.record(
    { name: text, id: text, x: value, y: value },
    { requiredKeys: ['name', 'id'] },
  );

  test('is the same for two subjects only if they are the same in every part', () => {
    fc.assert(
      fc.property(subject, subject, (one, other) => {
        expect(keyOf(one) === keyOf(other)).toBe(meaningOf(one) === meaningOf(other));
      }),
      fuzz(20_000),
    );
  });

  test.each<[Subject, Subject]>([
    [
      { name: 'a', id: 'b|c', x: 'd' },
      { name: 'a', id: 'b', x: 'c|d' },
    ],
    [
      { name: 'a', id: 'b', x: 'c,d' },
      { name: 'a', id: 'b', x: ['c', 'd'] },
    ],
    [
      { name: 'a', id: 'b', x: ['c,d'] },
      { name: 'a', id: 'b', x: ['c', 'd'] },
    ],
    [
      { name: 'a', id: 'b', x: '%7c' },
      { name: 'a', id: 'b', x: '|' },
    ],
    [
      { name: 'a|b', id: 'c' },
      { name: 'a', id: 'b|c' },
    ],
    [
      { name: 'a', id: 'b', x: 'c' },
      { name: 'a', id: 'b', y: 'c' },
    ],
  ])('of %j is not that of %j', (one, other) => {
    expect(keyOf(one)).not.toBe(keyOf(other));
  });

  test('of a list does not depend on its order', () => {
    expect(keyOf({ name: 'a', id: 'b', x: ['p', 'q'] })).toBe(keyOf({ name: 'a', id: 'b', x: ['q', 'p'] }));
  });

  const keyFor = (part: LimitPart, facts = {}, route = {}) =>
    chargesFor(routeOf({ limits: [limitOf({ per: [part] })], ...route }), tokenOf(), factsOf(facts))[0]?.key;

  test('per address: v4 and its mapped v6 share one, two v4 do not, a v6 /64 is one', () => {
    const at = (address: string) => keyFor({ kind: 'address' }, { address });
    expect(at('::ffff:192.0.2.1')).toBe(at('192.0.2.1'));
    expect(at('::ffff:c000:201')).toBe(at('192.0.2.1'));
    expect(at('192.0.2.2')).not.toBe(at('192.0.2.1'));
    expect(at('2001:db8::1')).toBe(at('2001:db8::ffff:1'));
    expect(at('2001:db8:0:1::1')).not.toBe(at('2001:db8::1'));
  });

  test('per route or api: path, method HEAD, host and query play no part', () => {
    for (const kind of ['route', 'api'] as const) {
      const plain = keyFor({ kind });
      for (const facts of [{ path: '/other' }, { method: 'HEAD' }, { host: 'b.test' }, { query: 'x=1' }]) {
        expect(keyFor({ kind }, facts)).toBe(plain);
      }
      expect(keyFor({ kind }, {}, { id: 'other', api: 'other' })).not.toBe(plain);
    }
  });

  test('is shared by all rows that name the limit, and each limit of a row has its own', () => {
    const limits = [limitOf({ name: 'one' }), limitOf({ name: 'two' })];
    const charges = (id: string) => chargesFor(routeOf({ id, limits }), tokenOf(), factsOf());
    expect(charges('main GET /a')).toEqual(charges('main GET /b'));
    expect(charges('main GET /a').map(({ key, cost }) => [key, cost])).toEqual([
      ['one|tok_1', 1],
      ['two|tok_1', 1],
    ]);
  });
});

describe('what the counters say', () => {
  const refused = (retryAfterMs: number, name = 'calls') =>
    stateOf({ limit: limitOf({ name }), allowed: false, remaining: 0, retryAfterMs });
  const uncounted = (onRedisDown: 'local' | 'open' | 'closed') =>
    stateOf({ limit: limitOf({ name: onRedisDown, onRedisDown }), counted: false });

  test('is go if nothing is spent, and the states are passed on', () => {
    for (const states of [[], [stateOf()], [stateOf({ remaining: 0 }), stateOf()]]) {
      expect(judge(states)).toEqual({ ok: true, value: states });
    }
  });

  test('is rate_limited by the first that is spent, for as long as the longest', () => {
    expect(judge([stateOf(), refused(100, 'one'), refused(2500, 'two'), refused(300, 'three')])).toEqual({
      ok: false,
      denial: { code: 'rate_limited', reason: 'limit one is spent', retryAfterMs: 2500 },
    });
  });

  test('is cost_too_large where one can never have room, however long the others are spent', () => {
    expect(judge([refused(2500, 'one'), refused(-1, 'two'), uncounted('closed')])).toEqual({
      ok: false,
      denial: { code: 'cost_too_large', reason: 'limit two never has room for as much' },
    });
  });

  test('passes uncounted where the operator wrote open', () => {
    const states = [uncounted('open'), stateOf()];
    expect(judge(states)).toEqual({ ok: true, value: states });
  });

  test.each(['closed', 'local'] as const)('is "cannot tell" where %s was not counted', (choice) => {
    for (const states of [[uncounted(choice)], [stateOf(), uncounted('open'), uncounted(choice)]]) {
      expect(() => judge(states)).toThrow(LimiterUncounted);
      expect(() => judge(states)).toThrow(`limit ${choice} could not be counted`);
    }
  });

  test('a limit known to be spent refuses, wherever an uncounted one stands beside it', () => {
    for (const choice of ['closed', 'local', 'open'] as const) {
      for (const states of [
        [uncounted(choice), refused(700)],
        [refused(700), uncounted(choice)],
      ]) {
        expect(judge(states)).toMatchObject({
          ok: false,
          denial: { code: 'rate_limited', retryAfterMs: 700 },
        });
      }
    }
  });

  test('an uncounted state is never read: its numbers mean nothing', () => {
    const nonsense: LimitState = { ...uncounted('open'), allowed: false, remaining: -1, retryAfterMs: 9e9 };
    expect(judge([nonsense]).ok).toBe(true);
    expect(tightest([nonsense])).toBeNull();
  });

  test('the tightest is the spent one, then the fewest left, then the smallest quota', () => {
    const small = stateOf({ limit: limitOf({ quota: 5 }), remaining: 3 });
    const large = stateOf({ limit: limitOf({ quota: 50 }), remaining: 3 });
    const spent = stateOf({ allowed: false, remaining: 9 });
    expect(tightest([])).toBeNull();
    expect(tightest([large, small])).toBe(small);
    expect(tightest([small, large])).toBe(small);
    expect(tightest([small, stateOf({ remaining: 2 })])?.remaining).toBe(2);
    expect(tightest([small, spent])).toBe(spent);
    expect(tightest([spent, small])).toBe(spent);
  });
});
