/** Whatever an operator writes under `observe`: what loads can only reach tokens of those whom the upstream names. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import type { ObservedAttribute } from '../../policy/observe-types.ts';
import type { Route } from '../../policy/types.ts';

const names = ['user', 'client', 'teams'] as const;
const kinds = fc.record(
  Object.fromEntries(
    names.map((name) => [name, fc.constantFrom('required', 'optional', 'list', 'required_list')]),
  ),
  { requiredKeys: [] },
);

const source = fc.constantFrom('json:/a', 'header:X-A', '{id}', 'token.attribute.user', 'text');
const value = fc.oneof(source, fc.record({ from: source, default: fc.constantFrom('one', 'two') }));
const attributes = fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });

const entry = fc.oneof(
  fc.record({ end: fc.oneof(fc.constant('caller'), fc.record({ type: fc.constant('other'), attributes })) }),
  fc.record({
    token: fc.record(
      {
        type: fc.constant('other'),
        from: fc.constantFrom('json:/token', 'set-cookie:sid'),
        attributes,
        instead_of: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }),
      },
      { requiredKeys: ['type', 'from', 'attributes'] },
    ),
  }),
);

const allow = fc.constantFrom('public', { user: 'any_scope' }, { user: 'any_scope', guest: 'any_scope' });

function routeOf(types: object, access: unknown, written: object, bound: boolean): Route | null {
  const config = {
    version: 1,
    upstreams: { app: { url: 'http://127.0.0.1:9001' } },
    token_types: {
      user: { prefix: 'usr_', scopes: [], attributes: { user: 'required' } },
      other: { prefix: 'oth_', scopes: [], attributes: types },
      guest: { prefix: 'gst_', verify: 'upstream' },
    },
    apis: {
      main: {
        to: 'app',
        routes: {
          'POST /a/{id}': { allow: access, observe: { on: '2xx', ...written } },
          'GET /all': { allow: { user: 'any_scope', other: 'any_scope', guest: 'any_scope' } },
          ...(bound && {
            'GET /b/{client}': { allow: { other: 'any_scope' }, bind: { client: 'token.attribute.client' } },
          }),
        },
      },
    },
  };
  const loading = loadConfigText(JSON.stringify(config), 'gateway.config.yaml', {});
  return loading.ok ? (loading.config.policy.routes[0] ?? null) : null;
}

/** What the entry ends tokens by; null: it ends none of a type. */
function endedBy(route: Route): readonly ObservedAttribute[] | null {
  const [observed] = route.observe?.entries ?? [];
  if (observed?.kind === 'end') return observed.attributes;
  if (observed?.kind !== 'token' || observed.insteadOf.length === 0) return null;
  return observed.insteadOf.map(
    (name) => observed.attributes.find((one) => one.name === name) ?? expect.fail(),
  );
}

describe('a row that loads', () => {
  let loadedOnes = 0;

  test('ends and learns nothing that a caller could have named', () => {
    fc.assert(
      fc.property(kinds, allow, entry, fc.boolean(), (types, access, written, bound) => {
        const route = routeOf(types, access, written, bound);
        if (route === null) return;
        loadedOnes++;
        const [observed] = route.observe?.entries ?? [];
        const required = Object.keys(types).filter((name) => types[name]?.startsWith('required'));
        const all = observed?.kind === 'token' || observed?.kind === 'end' ? observed.attributes : [];
        const fromHeader = all.filter(({ from }) => from.kind === 'header').map(({ name }) => name);
        expect(required.filter((name) => fromHeader.includes(name))).toEqual([]);
        if (bound) expect(fromHeader).not.toContain('client');
        const takesOfCaller =
          all.some(({ from }) => from.kind === 'attribute') || observed?.kind === 'caller';
        if (takesOfCaller) expect(access).toEqual({ user: 'any_scope' });
        if (observed?.kind === 'token') {
          for (const name of required) expect(all.map((one) => one.name)).toContain(name);
        }
        const ended = endedBy(route);
        if (ended === null) return;
        expect(ended.length).toBeGreaterThan(0);
        for (const { name, list, needed } of ended) expect([name, list, needed]).toEqual([name, false, true]);
        const texts = required.filter((name) => types[name] === 'required');
        expect(ended.map(({ name }) => name)).toEqual(expect.arrayContaining(texts));
        const owners = ended.filter(({ name }) => texts.length === 0 || texts.includes(name));
        for (const { from, otherwise } of owners) {
          expect(from.kind).not.toBe('header');
          if (observed?.kind === 'end' && access === 'public') {
            expect([from.kind, otherwise]).toEqual(['json', null]);
          }
        }
      }),
      { numRuns: 1500 },
    );
    expect(loadedOnes).toBeGreaterThan(20);
  });
});
