/** The scope table of DebugBundle's own token page, found again in what `postern matrix` prints of its config. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runPostern } from '../fixtures/process.ts';

const config = join(import.meta.dirname, '../../docs/examples/debugbundle.yaml');

/** The tables of a Markdown text, by their first header; each row by the headers of its columns. */
function tablesOf(markdown: string): ReadonlyMap<string, readonly Record<string, string>[]> {
  const tables = markdown.split(/\n\n+/).map((text) => {
    const lines = text.split('\n').filter((line) => line.startsWith('|'));
    const [headers = [], , ...rows] = lines.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    const named = rows.map((cells) => Object.fromEntries(cells.map((cell, at) => [headers[at] ?? '', cell])));
    return [headers[0] ?? '', named] as const;
  });
  return new Map(tables);
}

let tables: ReadonlyMap<string, readonly Record<string, string>[]>;

beforeAll(async () => {
  const env = { DEBUGBUNDLE_PROBE_SECRET: 'gateway-test-secret' };
  const args = ['matrix', '--config', config, '--markdown'];
  const { code, stdout } = await runPostern(args, process.execPath, env);
  expect(code).toBe(0);
  tables = tablesOf(stdout);
});

/** What a row says of the three kinds of token on the page. */
function rowOf(way: string) {
  const rows = tables.get('Row')?.filter(({ Row = '' }) => Row.replace(/ \(.*\)$/, '') === `account ${way}`);
  expect(rows).toHaveLength(1);
  const { project = '', member = '', session = '', probe = '' } = rows?.[0] ?? {};
  return { project, member, session, probe };
}

const no = '-';
const members = (scope: string) => ({ project: no, member: scope, session: scope, probe: no });

describe('the page says, and the matrix shows', () => {
  test('POST /v1/events: a project token, no member, no trigger', () => {
    expect(rowOf('POST /v1/events')).toEqual({ project: 'events:write', member: no, session: no, probe: no });
  });

  test.each([
    ['list incidents', ['GET /v1/incidents', 'GET /v1/incidents/{id}']],
    ['download bundles', ['GET /v1/incidents/{id}/{path...}', 'GET /v1/improvements/{path...}']],
    ['see projects', ['GET /v1/projects', 'GET /v1/projects/{project}']],
    ['see tokens', ['GET /v1/projects/{project}/tokens', 'GET /v1/member/tokens', 'POST /v1/member/tokens']],
  ])('%s: a member, no project token, no trigger', (_what, rows) => {
    for (const row of rows) expect(rowOf(row)).toEqual(members('account:read'));
  });

  test.each([
    ['projects', ['POST /v1/projects', 'PATCH /v1/projects/{project}', 'DELETE /v1/projects/{project}']],
    ['tokens', ['POST /v1/projects/{project}/tokens', 'POST /v1/projects/{project}/tokens/{token}/revoke']],
    ['webhooks', ['POST /v1/webhooks', 'PATCH /v1/webhooks/{id}', 'DELETE /v1/webhooks/{id}']],
    ['alerts', ['POST /v1/alerts', 'PATCH /v1/alerts/{id}', 'DELETE /v1/alerts/{id}']],
  ])('manage %s: a member, no project token, no trigger', (_what, rows) => {
    for (const row of rows) expect(rowOf(row)).toEqual(members('account:manage'));
  });

  test('activate probes: a member, no project token; a trigger does by what it is, on the shop’s ways alone', () => {
    const way = '/v1/projects/{project}/probes';
    for (const row of [`POST ${way}/activate`, `GET ${way}`, `POST ${way}/deactivate`]) {
      expect(rowOf(row)).toEqual(members('probes:manage'));
    }
    const annotated = tables.get('Row')?.filter(({ probe }) => probe !== no);
    expect(annotated?.map(({ Row, probe }) => [Row, probe])).toEqual([
      ['shop GET /checkout', 'annotates'],
      ['shop POST /checkout', 'annotates'],
    ]);
  });

  test('no way of the API is open to a trigger, and none to project and member tokens both', () => {
    const rows = tables
      .get('Row')
      ?.filter(({ Row, member }) => Row?.startsWith('account') && member !== 'public');
    expect(rows?.length).toBeGreaterThan(70);
    for (const { project, member, probe } of rows ?? []) {
      expect(probe).toBe(no);
      expect([project, member]).toContain(no);
    }
  });
});

test('what the service is asked before a token or a probe is made is printed beside the row', () => {
  const served = tables.get('Row')?.filter(({ Served }) => Served !== no) ?? [];
  const asked = served.map(({ Served = '' }) => {
    const [operation] = Served.split(' ');
    return `${operation}: ${/confirm (.+) at api$/.exec(Served)?.[1] ?? no}`;
  });
  expect(asked).toEqual([
    ...['list', 'create', 'revoke'].map(
      (act) => `token.${act}: GET /v1/projects/{project}/${act === 'list' ? 'tokens' : 'invites'}`,
    ),
    ...['list', 'create', 'revoke'].map((act) => `token.${act}: ${no}`),
    ...['activate', 'list', 'deactivate'].map((act) => `probe.${act}: GET /v1/projects/{project}/probes`),
  ]);
});

test('of scopes a project token always has the two for writing, a person those that were granted', () => {
  const scopes = tables
    .get('Scope')
    ?.map(({ Scope, project, member, session }) => [Scope, project, member, session]);
  expect(scopes).toEqual([
    ['events:write', 'yes', 'no', 'no'],
    ['config:read', 'yes', 'no', 'no'],
    ['account:read', 'no', 'grantable', 'grantable'],
    ['account:manage', 'no', 'grantable', 'grantable'],
    ['probes:manage', 'no', 'grantable', 'grantable'],
  ]);
});

test('the types have the page’s prefixes, and stand where the page says', () => {
  const types = tables
    .get('Type')
    ?.map(({ Type, Scopes, Prefixes, Sources, CSRF }) => [Type, Scopes, Prefixes, Sources, CSRF]);
  const granted = 'granted of account:read, account:manage, probes:manage';
  expect(types).toEqual([
    ['project', 'always events:write, config:read', 'dbundle_proj_', 'bearer', no],
    ['member', granted, 'dbundle_mem_, dbundle_member_', 'bearer', no],
    ['session', granted, no, 'cookie:dbundle_session', 'x-csrf-token is token.attribute.csrf'],
    [
      'probe',
      'none: it annotates',
      'dbundle_probe_',
      'header:x-debugbundle-probe-trigger, query:_debug_probe',
      no,
    ],
  ]);
});
