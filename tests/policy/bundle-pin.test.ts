import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { priced, readBody } from '../../policy/body.ts';
import type { BodyRule, BundlePin, Reading } from '../../policy/body-types.ts';
import { judgePin, pinsOwed, presentedFor, watchPin } from '../../policy/bundle-pin.ts';
import { admit } from '../../policy/decide.ts';
import { compileQuery } from '../../policy/json-pointer.ts';
import { scanJson } from '../../policy/json-scan.ts';
import type { Claim } from '../../policy/types.ts';
import { fuzz } from '../support/fuzz.ts';
import { factsOf, limitOf, matchOf, routeOf, stateOf, tokenOf } from '../support/policy.ts';

const pinOf = (fields: Partial<BundlePin> = {}): BundlePin => ({
  kind: 'bundle_id',
  name: 'app',
  from: [{ kind: 'json', pointer: '/app_id' }],
  firstUse: 'pin',
  belongsTo: { kind: 'token' },
  whenMissing: 'deny',
  revealMasked: false,
  ...fields,
});

const ruleOf = (...pointers: string[]): BodyRule => ({ bytesMax: 1000, query: compileQuery(pointers) });

function readingOf(rule: BodyRule, value: unknown): Reading {
  const reading = readBody(rule, scanJson(new TextEncoder().encode(JSON.stringify(value)), rule.query));
  if (!reading.ok) throw new Error(reading.denial.reason);
  return reading.value;
}

/** yes, first, or the code of the refusal. */
function judged(
  pin: BundlePin,
  body: unknown,
  headers: Record<string, string[]>,
  pinned: string | null,
): string {
  const reading = readingOf(ruleOf('/app_id'), body);
  const presented = presentedFor(pin, reading, (name) => headers[name] ?? []);
  const verdict = judgePin({ pin, subject: 'token=tok_1' }, presented, pinned);
  return verdict.kind === 'no' ? verdict.denial.code : verdict.kind;
}

describe('one source', () => {
  test.each([
    [{ app_id: 'com.acme' }, null, 'deny', 'first'],
    [{ app_id: 'com.acme' }, 'com.acme', 'deny', 'yes'],
    [{ app_id: 'com.Acme' }, 'com.acme', 'allow', 'bundle_mismatch'],
    [{ app_id: 'com.acme ' }, 'com.acme', 'allow', 'bundle_mismatch'],
    [{}, null, 'deny', 'bundle_missing'],
    [{}, null, 'allow_unless_pinned', 'yes'],
    [{}, null, 'allow', 'yes'],
    [{}, 'com.acme', 'deny', 'bundle_missing'],
    [{}, 'com.acme', 'allow_unless_pinned', 'bundle_missing'],
    [{}, 'com.acme', 'allow', 'yes'],
  ] as const)('%j where %s is pinned and missing is %s: %s', (body, pinned, whenMissing, expected) => {
    expect(judged(pinOf({ whenMissing }), body, {}, pinned)).toBe(expected);
  });

  test.each([null, 7, true, {}, ['com.acme'], '', 'x'.repeat(1001), 'a\nb', '\u007f'])(
    '%j can be no id, whatever may be missing',
    (app_id) => {
      for (const whenMissing of ['deny', 'allow_unless_pinned', 'allow'] as const) {
        expect(judged(pinOf({ whenMissing }), { app_id }, {}, null)).toBe('bundle_missing');
        expect(judged(pinOf({ whenMissing }), { app_id }, {}, 'com.acme')).toBe('bundle_mismatch');
      }
    },
  );

  test('first use does not pin where only an operator may', () => {
    const pin = pinOf({ firstUse: 'deny' });
    expect(judged(pin, { app_id: 'com.acme' }, {}, null)).toBe('bundle_mismatch');
    expect(judged(pin, { app_id: 'com.acme' }, {}, 'com.acme')).toBe('yes');
  });
});

describe('several sources', () => {
  const pin = pinOf({
    from: [
      { kind: 'json', pointer: '/app_id' },
      { kind: 'header', name: 'x-app' },
    ],
  });
  test.each([
    [{ app_id: 'a' }, ['a'], null, 'first'],
    [{ app_id: 'a' }, ['b'], null, 'bundle_mismatch'],
    [{ app_id: 'a' }, ['b'], 'a', 'bundle_mismatch'],
    [{}, ['a'], null, 'first'],
    [{}, ['a'], 'a', 'bundle_missing'],
    [{}, ['b'], 'a', 'bundle_mismatch'],
    [{ app_id: 'a' }, [], 'a', 'yes'],
    [{ app_id: 'a' }, ['a', 'a'], 'a', 'bundle_mismatch'],
    [{ app_id: 'a' }, ['a', 'a'], null, 'bundle_missing'],
    [{ app_id: 'a' }, [''], 'a', 'bundle_mismatch'],
  ])('%j and header %j where %s is pinned: %s', (body, values, pinned, expected) => {
    expect(judged(pin, body, { 'x-app': values }, pinned)).toBe(expected);
  });
});

const said = fc.oneof(
  fc.constantFrom('a', 'b', 'ab').map((id) => ({ kind: 'id' as const, id })),
  fc.constant({ kind: 'nothing' as const }),
  fc.constant({ kind: 'unusable' as const }),
);
const anyPin = fc.record({
  firstUse: fc.constantFrom('pin' as const, 'deny' as const),
  whenMissing: fc.constantFrom('deny' as const, 'allow_unless_pinned' as const, 'allow' as const),
  revealMasked: fc.boolean(),
});

test('a yes never goes with anything that is not what is pinned, and a first use never with two minds', () => {
  const asked = fc.array(said, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(anyPin, asked, fc.constantFrom(null, 'a', 'b'), (fields, presented, pinned) => {
      const verdict = judgePin({ pin: pinOf(fields), subject: 's' }, presented, pinned);
      const ids = presented.flatMap((one) => (one.kind === 'id' ? [one.id] : []));
      if (verdict.kind === 'no') return;
      expect(presented.some(({ kind }) => kind === 'unusable')).toBe(false);
      if (verdict.kind === 'first') {
        expect([pinned, fields.firstUse, new Set(ids).size]).toEqual([null, 'pin', 1]);
      } else if (pinned !== null) {
        expect(ids.every((id) => id === pinned)).toBe(true);
        expect(presented[0]?.kind === 'id' || fields.whenMissing === 'allow').toBe(true);
      } else {
        expect([ids, fields.whenMissing === 'deny']).toEqual([[], false]);
      }
    }),
    fuzz(2000),
  );
});

test('what is pinned is shown masked where the pin says so, and never whole', () => {
  const presented = [{ kind: 'id' as const, id: 'com.evil' }];
  const deny = (revealMasked: boolean, pinned: string | null) => {
    const verdict = judgePin(
      { pin: pinOf({ revealMasked, firstUse: 'deny' }), subject: 's' },
      presented,
      pinned,
    );
    return verdict.kind === 'no' ? verdict.denial : null;
  };
  expect(deny(true, 'com.acme.app')?.maskedPin).toBe('*om.acme.app');
  expect(deny(true, 'a')?.maskedPin).toBe('*');
  expect(deny(false, 'com.acme.app')).not.toHaveProperty('maskedPin');
  expect(deny(true, null)).not.toHaveProperty('maskedPin');
  expect(JSON.stringify([deny(true, 'com.acme.app'), deny(false, 'com.acme.app')])).not.toMatch(
    /com\.(?:acme|evil)/,
  );
});

describe('whose a pin is', () => {
  const subject = (belongsTo: BundlePin['belongsTo'], attributes: Record<string, string>, id = 'tok_1') =>
    pinsOwed(
      routeOf({ bundlePins: [pinOf({ belongsTo })] }),
      tokenOf({ id, attributes: new Map(Object.entries(attributes)) }),
    )[0]?.subject;

  test('is spelled as an operator would', () => {
    expect(subject({ kind: 'token' }, {})).toBe('token=tok_1');
    expect(subject({ kind: 'attribute', name: 'project' }, { project: 'prj_a' })).toBe('project=prj_a');
  });

  test('is never another: different owners have different subjects', () => {
    const name = fc.constantFrom('token', 'project', 'a', 'a.b', '_');
    const value = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('tok_1', 'b=c', '=', 'token=tok_1'));
    fc.assert(
      fc.property(fc.tuple(fc.boolean(), name, value), fc.tuple(fc.boolean(), name, value), (one, other) => {
        const of = ([own, name, value]: typeof one) =>
          own
            ? subject({ kind: 'token' }, {}, value)
            : subject({ kind: 'attribute', name }, { [name]: value });
        const same = one[2] === other[2] && one[0] === other[0] && (one[0] || one[1] === other[1]);
        expect(of(one) === of(other)).toBe(same);
      }),
      fuzz(1000),
    );
  });

  test('must be said: a token without the attribute, or with a list, is refused', () => {
    expect(subject({ kind: 'attribute', name: 'project' }, {})).toBeNull();
    const verdict = judgePin(
      { pin: pinOf({ whenMissing: 'allow' }), subject: null },
      [{ kind: 'nothing' }],
      null,
    );
    expect(verdict.kind === 'no' && verdict.denial.code).toBe('bundle_missing');
  });
});

describe('a yes for a row that reads its body', () => {
  const rule = ruleOf('/app_id', '/events');
  const pin = pinOf();
  const owed = { pin, subject: 'token=tok_1' };
  const charge = { limit: limitOf({ costAt: '/events' }), key: 'k', cost: 1 };
  const claim: Claim = {
    match: matchOf(),
    facts: factsOf(),
    token: tokenOf(),
    scopes: [],
    charges: [charge],
    isPriced: false,
    body: rule,
    pins: [owed],
  };
  const reading = readingOf(rule, { app_id: 'a', events: [1, 2, 3] });
  const verdict = judgePin(
    owed,
    presentedFor(pin, reading, () => []),
    'a',
  );
  if (verdict.kind !== 'yes') throw new Error(verdict.kind);
  const evidence = [verdict.evidence];

  test('is made of everything that was owed', () => {
    const whole = priced(claim, reading);
    expect(whole.charges[0]?.cost).toBe(3);
    expect(admit(whole, [stateOf()], reading, evidence).route).toBe(claim.match.route);
  });

  test('is not made without any one of it', () => {
    const whole = priced(claim, reading);
    const another = { pin, subject: 'token=tok_1' };
    expect(() => admit(whole, [stateOf()], null, evidence)).toThrow('the body was not read');
    expect(() => admit(whole, [stateOf()], readingOf(ruleOf(), {}), evidence)).toThrow(
      'the body was not read',
    );
    expect(() => admit(claim, [stateOf()], reading, evidence)).toThrow('a cost was not read');
    expect(() => admit(whole, [stateOf()], reading, [])).toThrow('a pin was not asked');
    expect(() => admit({ ...whole, pins: [another] }, [stateOf()], reading, evidence)).toThrow(
      'was not asked',
    );
    expect(() => admit({ ...whole, pins: [owed, owed] }, [stateOf()], reading, evidence)).toThrow(
      'was not asked',
    );
    expect(() => admit({ ...whole, pins: [] }, [stateOf()], reading, evidence)).toThrow('was not asked');
    expect(() => priced(claim, readingOf(ruleOf(), {}))).toThrow('read for another row');
    expect(() => priced(claim, null)).toThrow('read for another row');
  });

  test.each([
    [{ events: [] }, 1],
    [{}, 1],
    [{ events: 7 }, 1],
    [{ events: { length: 9 } }, 1],
    [{ events: [[1, 2], 3] }, 2],
  ])('%j costs %i', (body, cost) => {
    expect(priced(claim, readingOf(rule, body)).charges[0]?.cost).toBe(cost);
  });
});

describe('a pin that only watches', () => {
  const owed = (fields: Parameters<typeof pinOf>[0]) => ({ pin: pinOf(fields), subject: 'token=tok_1' });

  test('has evidence for anything until its day, and for nothing from then on', () => {
    const watching = owed({ monitorUntil: 1000 });
    const standing = { pinned: 'com.example.a', sent: null, isFirst: false };
    expect(watchPin(watching, 'com.example.a', 999)).toEqual({ owed: watching, standing });
    expect(watchPin(watching, null, 1000)).toBeNull();
    expect(watchPin(owed({}), null, 0)).toBeNull();
  });
});
