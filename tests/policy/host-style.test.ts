/** What no row answers for is worded as the apis of its host are, where they agree. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ErrorStyle } from '../../policy/error-style.ts';
import { prepareStyles, styleOf } from '../../policy/host-style.ts';
import { loaded } from '../fixtures/config.ts';
import { fuzz } from '../support/fuzz.ts';
import { matchOf, routeOf } from '../support/policy.ts';

const styled = (name: string): ErrorStyle => ({
  name,
  contentType: 'application/json',
  challenge: true,
  wordings: new Map(),
});
const [a, b] = [styled('a'), styled('b')];

describe('the style of a host', () => {
  test.each([
    ['of its only api', [{ hosts: ['x.test'], errors: a }], 'x.test', a],
    ['of the api without hosts', [{ hosts: [], errors: a }], 'x.test', a],
    ['none, without apis', [], 'x.test', null],
    [
      'of all that name it',
      [
        { hosts: ['x.test'], errors: a },
        { hosts: ['x.test', 'y.test'], errors: a },
        { hosts: ['y.test'], errors: b },
      ],
      'x.test',
      a,
    ],
    [
      'none, where an api without hosts answers there too and is worded otherwise',
      [
        { hosts: ['x.test'], errors: a },
        { hosts: [], errors: null },
      ],
      'x.test',
      null,
    ],
    [
      'of the apis without hosts, where none names it',
      [
        { hosts: ['x.test'], errors: a },
        { hosts: [], errors: b },
      ],
      'y.test',
      b,
    ],
    [
      'of all apis, where no row can be asked for there',
      [
        { hosts: ['x.test'], errors: a },
        { hosts: ['z.test'], errors: a },
      ],
      'y.test',
      a,
    ],
    [
      'of all apis, where nobody can tell the host',
      [
        { hosts: ['x.test'], errors: a },
        { hosts: [], errors: b },
      ],
      null,
      null,
    ],
  ] as const)('is that %s', (_, apis, host, expected) => {
    expect(prepareStyles(apis)(host)).toBe(expected);
  });

  const names = ['x.test', 'y.test', 'z.test'];
  const anyApis = fc.array(
    fc.record({ hosts: fc.subarray(names.slice(0, 2)), style: fc.constantFrom('one', 'two', null) }),
    { minLength: 1, maxLength: 4 },
  );
  test('is named by every api whose rows the host can reach', () => {
    fc.assert(
      fc.property(anyApis, fc.constantFrom(...names), (apis, host) => {
        const { find, styleFor } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
errors: { one: { body: { one: "{code}" } }, two: { body: { two: "{code}" } } }
apis: ${JSON.stringify(
          Object.fromEntries(
            apis.map(({ hosts, style }, index) => [
              `api${index}`,
              {
                to: 'app',
                ...(hosts.length > 0 && { hosts }),
                ...(style !== null && { errors: style }),
                // What a row says for itself does not count.
                routes: {
                  [`GET /api${index}`]: { allow: 'public', errors: index % 2 === 0 ? 'two' : 'off' },
                },
              },
            ]),
          ),
        )}
`).policy;
        const reached = apis.filter((_, index) => find(host, `/api${index}`).length > 0);
        const [first, ...others] = new Set((reached.length === 0 ? apis : reached).map(({ style }) => style));
        expect(styleFor(host)?.name ?? null).toBe(others.length === 0 ? (first ?? null) : null);
      }),
      fuzz(150),
    );
  });
});

describe('a refusal is worded', () => {
  const policy = { styleFor: (host: string | null) => (host === 'x.test' ? b : null) };
  const route = routeOf({ errors: a });
  const no = { code: 'scope_missing' };

  test('as its row is, even where that is the default', () => {
    expect(styleOf(policy, 'x.test', no, route)).toBe(a);
    expect(styleOf(policy, 'x.test', no, routeOf({ errors: null }))).toBeNull();
  });

  test('as its host is, where there is no row', () => {
    expect(styleOf(policy, 'x.test', { code: 'route_not_found' }, null)).toBe(b);
    expect(styleOf(policy, null, { code: 'route_not_found' }, null)).toBeNull();
  });

  test('as all rows of its path are, else as its host is', () => {
    const [one, other] = [matchOf({ errors: a }), matchOf({ errors: null })];
    expect(styleOf(policy, 'x.test', no, null, [one, one])).toBe(a);
    expect(styleOf(policy, 'x.test', no, route, [other])).toBeNull();
    expect(styleOf(policy, 'x.test', no, route, [one, other])).toBe(b);
  });

  test('as a path that does not exist, where it must look like one', () => {
    const hidden = { code: 'bind_mismatch', status: 404 } as const;
    expect(styleOf(policy, 'x.test', hidden, route)).toBe(b);
    expect(styleOf(policy, 'y.test', hidden, route)).toBeNull();
    expect(styleOf(policy, 'x.test', { ...hidden, status: 403 }, route)).toBe(a);
  });
});
