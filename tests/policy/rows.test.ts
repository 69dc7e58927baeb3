import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRowKey } from '../../policy/config-rows.ts';
import { prepareMatcher, type RowPath } from '../../policy/routes.ts';
import { chooseRow, rowSet } from '../../policy/rows.ts';
import { rowOf } from '../fixtures/routes.ts';
import { factsOf, policyOf } from '../support/policy.ts';

const open = (row: RowPath): RowPath => ({ ...row, route: { ...row.route, pathParameters: true } });

/** The row's id, or the refusal. */
function ask(rows: readonly RowPath[], method: string, path: string) {
  const policy = policyOf([], { find: prepareMatcher(rows) });
  const facts = factsOf({ method, path });
  const set = rowSet(policy, facts);
  if (!set.ok) return { code: set.denial.code };
  const match = chooseRow(set.value, facts);
  return match.ok ? match.value.route.id : { code: match.denial.code, allow: match.denial.allow };
}

describe('a path without a row', () => {
  test.each(['/b', '/a/', '/A', '/a/b', '/'])('%s is 404, whatever the method', (path) => {
    for (const method of ['GET', 'POST', 'OPTIONS', 'BREW']) {
      expect(ask([rowOf('GET /a')], method, path)).toEqual({ code: 'route_not_found' });
    }
  });
});

describe('a path with rows, none of which has the method', () => {
  const rows = [rowOf('POST /a'), rowOf('GET /a'), rowOf('DELETE /{x}')];
  test.each(['PUT', 'OPTIONS', 'TRACE', 'get', 'BREW', ''])(
    'is 405 to "%s", and says what it has',
    (method) => {
      expect(ask(rows, method, '/a')).toEqual({
        code: 'method_not_allowed',
        allow: ['DELETE', 'GET', 'HEAD', 'POST'],
      });
    },
  );

  test('HEAD is allowed only where GET is', () => {
    expect(ask([rowOf('POST /a')], 'HEAD', '/a')).toEqual({ code: 'method_not_allowed', allow: ['POST'] });
  });
});

describe('the row that is chosen', () => {
  test('is the most specific of the method, not the most specific of all', () => {
    const rows = [rowOf('GET /a/b'), rowOf('POST /a/{x}'), rowOf('POST /{y...}')];
    expect(ask(rows, 'POST', '/a/b')).toBe('main POST /a/{x}');
    expect(ask(rows, 'GET', '/a/b')).toBe('main GET /a/b');
  });

  test('of HEAD is the row of GET', () => {
    expect(ask([rowOf('GET /a')], 'HEAD', '/a')).toBe('main GET /a');
  });
});

describe('a `;` in the path', () => {
  test('is ambiguous where no row allows it, even if no row has the path', () => {
    const rows = [rowOf('GET /{x}')];
    expect(ask(rows, 'GET', '/a;b=1')).toEqual({ code: 'path_ambiguous' });
    expect(ask(rows, 'GET', '/no/such;row')).toEqual({ code: 'path_ambiguous' });
  });

  test('is a plain byte to the rows that allow it, and only they are seen', () => {
    const rows = [open(rowOf('GET /{x}')), rowOf('POST /{x}')];
    expect(ask(rows, 'GET', '/a;b=1')).toBe('main GET /{x}');
    expect(ask(rows, 'POST', '/a;b=1')).toEqual({ code: 'method_not_allowed', allow: ['GET', 'HEAD'] });
    expect(ask(rows, 'POST', '/a')).toBe('main POST /{x}');
  });

  test('leads past no row that does not allow it to a laxer one behind', () => {
    const rows = [rowOf('GET /users/{id}'), open(rowOf('GET /{rest...}')), open(rowOf('PUT /{rest...}'))];
    const refused = { code: 'method_not_allowed', allow: ['PUT'] };
    expect(ask(rows, 'GET', '/users/5;x')).toEqual(refused);
    expect(ask(rows, 'HEAD', '/users/5;x')).toEqual(refused);
    expect(ask(rows, 'PUT', '/users/5;x')).toBe('main PUT /{rest...}');
    expect(ask(rows.slice(0, 2), 'GET', '/users/5;x')).toEqual({ code: 'path_ambiguous' });
    expect(ask(rows, 'GET', '/users;x')).toBe('main GET /{rest...}');
  });
});

describe('a path that an upstream may read as that of another row is ambiguous', () => {
  const rows = [
    rowOf('POST /items/{id}'),
    rowOf('POST /items/all:purge'),
    open(rowOf('POST /s/{name}')),
    rowOf('POST /s/admin'),
    open(rowOf('POST /w/{path...}')),
    rowOf('POST /w/a/b'),
    rowOf('GET /@me/{x}'),
    rowOf('GET /{user}/{x}'),
    open(rowOf('POST /v')),
    open(rowOf('POST /v/{id}')),
    open(rowOf('POST /t/{a}/{b}')),
    open(rowOf('POST /t/{rest...}')),
  ];

  test.each([
    ...[
      '/items/all%3Apurge',
      '/items/all%3apurge',
      '/s/admin;v=1',
      '/s/admin;',
      '/s/;',
      '/w/a;v/b',
      '/w/a/;v/b',
    ],
    ...['/w/;/a/b', '/w/a/b;', '/%40me/x', '/%40me/;v'],
    // A segment that is nothing but `;…` is gone for whoever drops it.
    ...['/v/;', '/v/;v=1', '/t/;/x', '/t/;v/x', '/t/x/;', '/t/x/;v=1'],
  ])('%s', (path) => {
    for (const method of ['GET', 'POST']) expect(ask(rows, method, path)).toEqual({ code: 'path_ambiguous' });
  });

  test.each([
    ['/items/all:purge', 'main POST /items/all:purge'],
    ['/items/a%40b.example', 'main POST /items/{id}'],
    ['/items/all%20purge', 'main POST /items/{id}'],
    ['/s/other;v=1', 'main POST /s/{name}'],
    ['/w/a;v/c', 'main POST /w/{path...}'],
    ['/w/a/;v/c', 'main POST /w/{path...}'],
    ['/t/x/y;v=1', 'main POST /t/{a}/{b}'],
  ])('and %s is none', (path, id) => {
    expect(ask(rows, 'POST', path)).toBe(id);
  });

  test('whatever the rows: of what is let through, no spelling that reads alike has another row', () => {
    const bytes = ['!', '$', '&', "'", '(', ')', '*', '+', ',', ':', '=', '@', 'a', 'b'];
    const chars = fc.array(fc.constantFrom(...bytes), { minLength: 1, maxLength: 2 });
    const literal = chars.map((all) => all.join('')).filter((one) => parseRowKey(`GET /${one}`).ok);
    const segment = fc.oneof(literal, literal, fc.constant('{}'));
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 3 })
      .map((all) => `/${all.map((one, index) => (one === '{}' ? `{p${index}}` : one)).join('/')}`);
    const matrix = fc.uniqueArray(pattern, { minLength: 1, maxLength: 6 });
    const drawn = fc.record({
      matrix,
      at: fc.nat(5),
      filler: literal,
      dice: fc.array(fc.boolean(), { minLength: 6 }),
    });
    let refused = 0;
    fc.assert(
      fc.property(drawn, ({ matrix, at, filler, dice }) => {
        const rows = matrix.map((one) => rowOf(`GET ${one}`));
        const plain = (matrix[at % matrix.length] ?? '').replace(/\{p.\}/g, filler);
        let thrown = 0;
        const spelled = plain.replace(/[^/ab]/g, (char) =>
          dice[thrown++] === true ? `%${char.charCodeAt(0).toString(16)}` : char,
        );
        const told = ask(rows, 'GET', spelled);
        if (typeof told === 'string') expect(told).toBe(ask(rows, 'GET', plain));
        else refused++;
      }),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('nor, whatever the rows, does one that drops what `;` begins', () => {
    const segment = fc.constantFrom('a', 'b', '{}', '{}');
    const pattern = fc
      .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([all, isOpen]) => [...all, ...(isOpen ? ['{rest...}'] : [])])
      .map((all) => `/${all.map((one, index) => (one === '{}' ? `{p${index}}` : one)).join('/')}`);
    const spelling = fc.constantFrom('a', 'b', 'c', 'a;', 'b;v', 'c;v=1', ';', ';a');
    const drawn = fc.record({
      matrix: fc.uniqueArray(pattern, { minLength: 1, maxLength: 6 }),
      allows: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
      spelled: fc.array(spelling, { minLength: 1, maxLength: 4 }).map((all) => `/${all.join('/')}`),
    });
    let taken = 0;
    fc.assert(
      fc.property(drawn, ({ matrix, allows, spelled }) => {
        const rows = matrix.map((one, index) => {
          const row = rowOf(`GET ${one}`);
          return allows[index] === true ? open(row) : row;
        });
        const told = ask(rows, 'GET', spelled);
        if (typeof told !== 'string' || !spelled.includes(';')) return;
        taken++;
        // A plain byte: the row that it would be of if all allowed it. Dropped: that one too, or none.
        expect(told).toBe(
          ask(
            matrix.map((one) => open(rowOf(`GET ${one}`))),
            'GET',
            spelled,
          ),
        );
        const dropped = spelled.replace(/;[^/]*/g, '').replace(/\/+/g, '/');
        for (const reading of [dropped, dropped.replace(/\/$/, '')]) {
          expect([told, { code: 'route_not_found' }]).toContainEqual(ask(rows, 'GET', reading));
        }
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});
