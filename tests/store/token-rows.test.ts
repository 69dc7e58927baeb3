import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type NewRow, recordOf, rowOf } from '../../store/token-rows.ts';

const row = (scopes: readonly string[], attributes: NewRow['attributes']) =>
  rowOf({
    id: 'tok_1',
    type: 'service',
    label: '',
    preview: '',
    secret: { digest: 'd', bcrypt: null, lookup: null },
    externalId: null,
    scopes,
    attributes,
    origins: [],
    createdAt: 0,
    createdBy: 'test',
    expiresAt: null,
  });

const texts = fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 5 });
const names = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'team'), fc.string());

test('a record says what its own row says, however many were read before it', () => {
  fc.assert(
    fc.property(
      texts,
      fc.dictionary(names, fc.oneof(fc.string(), fc.string({ maxLength: 3000, minLength: 900 }), texts)),
      (scopes, given) => {
        const attributes = new Map(Object.entries(given));
        const record = recordOf(row(scopes, attributes));
        expect(record.scopes).toEqual(scopes);
        expect([...record.attributes]).toEqual([...new Map(Object.entries(Object.fromEntries(attributes)))]);
      },
    ),
    { numRuns: 3000 },
  );
});

test('what records share cannot be changed by one of them', () => {
  const { scopes } = recordOf(row(['items:read'], new Map()));
  expect(() => (scopes as string[]).push('items:write')).toThrow(TypeError);
  expect(recordOf(row(['items:read'], new Map())).scopes).toEqual(['items:read']);
});
