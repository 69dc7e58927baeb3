import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shapeOf } from '../../policy/config-rows.ts';
import { prepareMatcher, type RowPath } from '../../policy/routes.ts';
import type { Segment } from '../../policy/types.ts';
import { rowOf } from '../fixtures/routes.ts';
import { cpuMs } from '../support/busy.ts';

const found = (rows: readonly RowPath[], path: string, host = 'any.test') =>
  prepareMatcher(rows)(host, path).map(({ route, params }) => [route.id, Object.fromEntries(params)]);

describe('the prepared matcher', () => {
  test('a literal comes before a parameter, and a parameter before the rest', () => {
    const rows = [rowOf('GET /a/{x...}'), rowOf('GET /a/{x}'), rowOf('GET /a/b')];
    expect(found(rows, '/a/b')).toEqual([
      ['main GET /a/b', {}],
      ['main GET /a/{x}', { x: 'b' }],
      ['main GET /a/{x...}', { x: 'b' }],
    ]);
  });

  test('the leftmost difference decides, not how many literals a row has', () => {
    const rows = [rowOf('GET /{x}/b/c'), rowOf('GET /a/{y...}')];
    expect(found(rows, '/a/b/c').map(([id]) => id)).toEqual(['main GET /a/{y...}', 'main GET /{x}/b/c']);
  });

  test('it backtracks out of a literal that leads nowhere', () => {
    const rows = [rowOf('GET /a/b/c'), rowOf('GET /a/{x}/d')];
    expect(found(rows, '/a/b/d')).toEqual([['main GET /a/{x}/d', { x: 'b' }]]);
  });

  test('parameters keep their own segments after backtracking', () => {
    const rows = [rowOf('GET /{a}/b/c/{d}/e'), rowOf('GET /{p}/{q...}'), rowOf('GET /{p}/{q}/{r}/{s}/f')];
    expect(found(rows, '/1/b/c/4/f')).toEqual([
      ['main GET /{p}/{q}/{r}/{s}/f', { p: '1', q: 'b', r: 'c', s: '4' }],
      ['main GET /{p}/{q...}', { p: '1', q: 'b/c/4/f' }],
    ]);
  });

  test('a row that names the host comes before one that names none, and other hosts never see it', () => {
    const rows = [
      rowOf('GET /a'),
      rowOf('GET /a', ['one.test'], 'one'),
      rowOf('GET /b', ['one.test'], 'one'),
    ];
    expect(found(rows, '/a', 'one.test').map(([id]) => id)).toEqual(['one GET /a', 'main GET /a']);
    expect(found(rows, '/a', 'two.test').map(([id]) => id)).toEqual(['main GET /a']);
    expect(found(rows, '/b', 'two.test')).toEqual([]);
  });

  test('a more specific path comes before a named host', () => {
    const rows = [rowOf('GET /{x}', ['one.test'], 'one'), rowOf('GET /a')];
    expect(found(rows, '/a', 'one.test').map(([id]) => id)).toEqual(['main GET /a', 'one GET /{x}']);
  });

  test('every method of a path is in the row set', () => {
    const rows = [rowOf('GET /a'), rowOf('POST /a'), rowOf('DELETE /{x}')];
    expect(found(rows, '/a').map(([id]) => id)).toEqual(['main GET /a', 'main POST /a', 'main DELETE /{x}']);
  });

  test('rows of one path keep their own names of its parameters', () => {
    const rows = ['GET /{a}/{b}', 'PUT /{b}/{a}', 'POST /{a}/{b}', 'PATCH /{a}/{c}', 'GET /{a}/{b...}'];
    expect(
      found(
        rows.map((key) => rowOf(key)),
        '/1/2',
      ).map(([, params]) => params),
    ).toEqual([
      { a: '1', b: '2' },
      { b: '1', a: '2' },
      { a: '1', b: '2' },
      { a: '1', c: '2' },
      { a: '1', b: '2' },
    ]);
  });

  test.each([
    ['GET /a', '/A'],
    ['GET /a', '/a/'],
    ['GET /a/', '/a'],
    ['GET /a', '/%61'],
    ['GET /a/{x}', '/a/'],
    ['GET /a/{x}', '/a/b/c'],
    ['GET /a/{x...}', '/a/'],
    ['GET /a/{x...}', '/a'],
    ['GET /{x}', '/'],
    ['GET /', ''],
    ['GET /a', 'a'],
    ['GET /a', '*'],
  ])('%s does not match %s', (key, path) => {
    expect(found([rowOf(key)], path)).toEqual([]);
  });

  test.each([
    ['GET /', '/', {}],
    ['GET /a/', '/a/', {}],
    ['GET /a/{x...}', '/a/b/', { x: 'b/' }],
    ['GET /{x}', '/a%20b', { x: 'a b' }],
    ['GET /{x}', '/a%2520b', { x: 'a%20b' }],
    ['GET /{x}', '/%E4', { x: '%E4' }],
    ['GET /{x}/{y...}', '/%C3%A4/b/%C3%B6', { x: 'ä', y: 'b/ö' }],
    ['GET /{x}', '/__proto__', { x: '__proto__' }],
    ['GET /constructor', '/constructor', {}],
  ])('%s matches %s, decoded once', (key, path, params) => {
    expect(found([rowOf(key)], path)).toEqual([[`main ${key}`, params]]);
  });

  test('a row that matches under two prefixes appears once, by its better reading', () => {
    const row = rowOf('GET /{x...}');
    const prefixed: RowPath = {
      route: row.route,
      segments: [{ kind: 'literal', text: 'api' }, ...row.segments],
    };
    expect(found([row, prefixed], '/api/b')).toEqual([['main GET /{x...}', { x: 'b' }]]);
    expect(found([row, prefixed], '/b')).toEqual([['main GET /{x...}', { x: 'b' }]]);
  });
});

/** The same question answered row by row, without a tree: the matcher's second opinion. */
function naively(rows: readonly RowPath[], host: string, path: string): [string, [string, string][]][] {
  const hits = rows.flatMap((row) => {
    if (row.route.hosts.length > 0 && !row.route.hosts.includes(host)) return [];
    const params = paramsOf(row.segments, path);
    return params === null ? [] : [{ row, params }];
  });
  return hits
    .sort((a, b) => (rank(a.row) < rank(b.row) ? -1 : 1))
    .map(({ row, params }) => [row.route.id, params]);
}

function paramsOf(segments: readonly Segment[], path: string): [string, string][] | null {
  const parts = path.slice(1).split('/');
  const params: [string, string][] = [];
  for (const [index, segment] of segments.entries()) {
    const part = parts[index];
    if (part === undefined) return null;
    if (segment.kind === 'rest') {
      const rest = parts.slice(index).join('/');
      return rest === '' ? null : [...params, [segment.name, decodeURIComponent(rest)]];
    }
    if (segment.kind === 'literal' && part !== segment.text) return null;
    if (segment.kind === 'param') {
      if (part === '') return null;
      params.push([segment.name, decodeURIComponent(part)]);
    }
  }
  return parts.length === segments.length ? params : null;
}

/** Sorts by shape from the left, then host; the id makes ties between methods stable. */
function rank({ route, segments }: RowPath): string {
  const shape = segments
    .map(({ kind }) => (kind === 'literal' ? '0' : kind === 'param' ? '1' : '2'))
    .join('');
  return `${shape} ${route.hosts.length > 0 ? '0' : '1'} ${route.id}`;
}

/** Rows the config would take together: no two of one shape, method and host. */
function withoutConflicts(rows: readonly RowPath[]): readonly RowPath[] {
  const seen = new Set<string>();
  return rows.filter(({ route, segments }) => {
    const key = `${route.method} ${shapeOf(segments)} ${route.hosts.join()}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

const word = fc.constantFrom('a', 'b', 'c', '');
const pathSegment = fc.constantFrom('a', 'b', 'c', 'A', 'd%20e', '%61');
const segmentText = fc.oneof(
  { weight: 3, arbitrary: word },
  { weight: 2, arbitrary: fc.constantFrom('{p}', '{q}') },
);
const key = fc
  .tuple(fc.constantFrom('GET', 'POST'), fc.array(segmentText, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([method, texts, rest]) => {
    const inner = texts.map((text, i) =>
      text.startsWith('{') ? `${text.slice(0, 2)}${i}}` : text || (i === texts.length - 1 ? '' : 'a'),
    );
    if (rest) inner[inner.length - 1] = `{p${inner.length - 1}...}`;
    return `${method} /${inner.join('/')}`;
  });
const hostsOf = fc.constantFrom<readonly string[]>([], [], ['one.test'], ['two.test']);
const rowsOf = fc
  .array(fc.tuple(key, hostsOf), { minLength: 1, maxLength: 14 })
  .map((drawn) => withoutConflicts(drawn.map(([text, hosts]) => rowOf(text, hosts, hosts[0] ?? 'main'))));
const pathOf = fc
  .tuple(fc.array(pathSegment, { maxLength: 5 }), fc.boolean())
  .map(([parts, slash]) => `/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`);
const asked = fc.array(fc.tuple(pathOf, fc.constantFrom('one.test', 'two.test', 'three.test')), {
  minLength: 50,
  maxLength: 50,
});

test('on 100,000 random questions the tree and the naive matcher agree, whatever order the rows have', () => {
  let questions = 0;
  let answers = 0;
  const shuffled = rowsOf.chain((rows) =>
    fc.tuple(fc.constant(rows), fc.shuffledSubarray([...rows], { minLength: rows.length })),
  );
  fc.assert(
    fc.property(shuffled, asked, ([rows, reordered], pairs) => {
      const find = prepareMatcher(reordered);
      for (const [path, host] of pairs) {
        const matches = find(host, path);
        const ours = stableByMethod(matches.map(({ route, params }) => [route.id, [...params]]));
        expect(ours).toEqual(stableByMethod(naively(rows, host, path)));
        questions += 1;
        answers += matches.length;
      }
    }),
    { numRuns: 2000 },
  );
  expect(questions).toBeGreaterThanOrEqual(100_000);
  expect(answers).toBeGreaterThan(questions / 4);
});

/** Between methods of one pattern there is no order to keep: neighbours of one shape are sorted. */
function stableByMethod(matches: [string, [string, string][]][]): [string, [string, string][]][] {
  const shapeOfId = (id: string) =>
    id
      .split(' ')
      .filter((_, index) => index !== 1)
      .join(' ')
      .replace(/\{[^.}]*/g, '{');
  return [...matches].sort((a, b) => {
    const same = shapeOfId(a[0]) === shapeOfId(b[0]);
    return same ? (a[0] < b[0] ? -1 : 1) : matches.indexOf(a) - matches.indexOf(b);
  });
}

test('a look-up among 500 rows costs what it costs among 5', () => {
  const rows = Array.from({ length: 500 }, (_, i) => rowOf(`GET /v1/group${i}/{id}/items/{item}`));
  const few = prepareMatcher(rows.slice(0, 5));
  const many = prepareMatcher(rows);
  const costOf = (find: typeof few) => {
    const took = cpuMs();
    for (let i = 0; i < 20_000; i++) find('any.test', `/v1/group${i % 5}/42/items/7`);
    return took();
  };
  costOf(few);
  costOf(many);
  const rounds = Array.from({ length: 7 }, () => ({ few: costOf(few), many: costOf(many) }));
  const best = (side: 'few' | 'many') => Math.min(...rounds.map((round) => round[side]));
  expect(best('many')).toBeLessThan(best('few') * 3);
});
