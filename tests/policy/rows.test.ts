import { describe, expect, test } from 'vitest';
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
});
