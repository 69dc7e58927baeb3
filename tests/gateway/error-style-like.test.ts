/** A style that starts from another: what is written in it goes before, all else is as there. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { refusalAnswer, refusalCodes } from '../../gateway/refusals.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';

const styled = smallConfig.replace('    to: app\n', '    to: app\n    errors: own\n');

/** Every refusal there is, as the style `own` words it. */
function wordedBy(errors: Readonly<Record<string, unknown>>) {
  const style = loaded(`${styled}${stringify({ errors })}`).policy.routes[0]?.errors;
  if (!style) throw new Error('the row has no style');
  return refusalCodes.map((code) => {
    const answer = refusalAnswer({
      code,
      requestId: '0b6f1c9e-0000-4000-8000-000000000000',
      realm: 'main',
      style,
    });
    return [code, answer.status, answer.fields, answer.body];
  });
}

const codes = fc.constantFrom(
  'rate_limited',
  'scope_missing',
  'route_not_found',
  'invalid_token',
  'draining',
);
const bodies = fc.constantFrom({ error: '{code}' }, { message: '{detail}' }, ['{status}']);
const wordings = fc.dictionary(codes, fc.record({ body: bodies }), { maxKeys: 3 });
const named = fc.dictionary(codes, fc.constantFrom('A', 'B'), { maxKeys: 3 });
const style = fc.record({ codes: named, for: wordings, body: bodies }, { requiredKeys: ['body'] });
type Style = { readonly codes?: object; readonly for?: object; readonly body?: unknown };

test('words every refusal as one in which both were written out', () => {
  const part = fc.record({ codes: named, for: wordings, body: bodies }, { requiredKeys: [] });
  fc.assert(
    fc.property(style, part, part, (first, second, third) => {
      const both = (a: Style, b: Style) => ({
        ...a,
        ...b,
        codes: { ...a.codes, ...b.codes },
        for: { ...a.for, ...b.for },
      });
      const alone = wordedBy({ own: both(both(first, second), third) });
      // In any order, for a style may stand before what it is like.
      const chain = { own: { like: 'second', ...third }, first, second: { like: 'first', ...second } };
      expect(wordedBy(chain)).toEqual(alone);
    }),
    fuzz(60),
  );
});

test('with nothing of its own is that other one, its content type and its silence about the challenge too', () => {
  const first = {
    content_type: 'application/vnd.api+json',
    challenge: 'off',
    status: { scope_missing: 418 },
    body: { a: '{code}' },
  };
  expect(wordedBy({ own: { like: 'first' }, first })).toEqual(wordedBy({ own: first }));
});

test('of one refusal, changes the status alone and keeps the body, or the other way round', () => {
  const first = { body: { a: 1 }, for: { scope_missing: { status: 418, body: { b: 2 } } } };
  const told = (own: object) => {
    const found = wordedBy({ own: { like: 'first', for: { scope_missing: own } }, first });
    const [, status, , body] = found.find(([code]) => code === 'scope_missing') ?? [];
    return [status, body];
  };
  expect(told({ status: 499 })).toEqual([499, '{"b":2}']);
  expect(told({ body: { c: 3 } })).toEqual([418, '{"c":3}']);
});

test('no chain of any length lets dead tokens be told apart', () => {
  const errors = {
    a: { body: { e: '{code}' } },
    b: { like: 'a' },
    own: { like: 'b', codes: { token_expired: 'old' } },
  };
  expect(() => wordedBy(errors)).toThrow(/token_expired would look different/);
});
