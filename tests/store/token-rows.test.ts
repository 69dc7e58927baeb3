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

test('lists that records share cannot be changed by one of them', () => {
  const given = new Map<string, string | string[]>([
    ['team', 'a'],
    ['projects', ['x', 'y']],
  ]);
  const read = () => recordOf(row(['items:read'], given));
  const { scopes, attributes } = read();
  expect(read().attributes).toBe(attributes);
  const changes = [
    () => (scopes as string[]).push('items:write'),
    () => (attributes.get('projects') as string[]).push('z'),
    () => (attributes.get('projects') as string[]).sort().reverse(),
  ];
  for (const change of changes) expect(change).toThrow(TypeError);
  const after = read();
  expect([after.scopes, after.attributes]).toEqual([['items:read'], given]);
});
