/** The admin API under odd input: a no is 4xx in the declared words, and nothing that was sent makes it fail. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminRoutes } from '../../gateway/admin/http-routes.ts';
import { type AdminFixture, adminConfig, startAdmin } from '../fixtures/admin.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';

const odd = fc.oneof(
  fc.constantFrom(
    '',
    '\0',
    'project=\0',
    '__proto__',
    'constructor',
    '..',
    '%',
    '/',
    'tok_',
    'app',
    'user',
    'project',
  ),
  fc.constantFrom(
    'project=a',
    'projects=a',
    'team=t',
    'aaaa_bbbb',
    '90d',
    '0s',
    '9999999999d',
    '-1',
    '1e3',
    '\ud800',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  odd,
  fc.constantFrom(null, true, 0, -1, 1.5, 1e300, 600),
  fc.array(odd, { maxLength: 3 }),
  fc.dictionary(odd, fc.oneof(odd, fc.array(odd, { maxLength: 2 })), { maxKeys: 2 }),
);
const keys = fc.constantFrom(
  ...[
    'type',
    'label',
    'scopes',
    'attributes',
    'origins',
    'expires_in',
    'overlap',
    'retire',
    'grace',
    'reason',
    'value',
  ],
  ...[
    'for',
    'label_pattern',
    'ttl_seconds',
    'method',
    'path',
    'as',
    'headers',
    'pinned',
    'from',
    'nth',
    'body',
  ],
);
const parameters = fc.constantFrom(
  ...['type', 'attribute', 'after', 'pin', 'subject', 'for', 'limit'],
  ...['unused_for', 'token', 'since', 'by'],
);
/** The tail never ends; what it is asked for is tried below. */
const routes = fc.constantFrom(...adminRoutes.filter(({ media }) => media === undefined));

describe.each(['SQLite', 'PostgreSQL'] as const)('on %s', (kind) => {
  let admin: AdminFixture;
  let database: TestDatabase | null = null;
  beforeAll(async () => {
    database = kind === 'PostgreSQL' ? await createTestDatabase() : null;
    const store = database === null ? '' : `\nstore: { url: "${database.url}" }`;
    admin = await startAdmin(adminConfig, `admin: { address: 127.0.0.1:0 }${store}`);
  });
  afterAll(async () => {
    await admin.gateway.stop();
    await database?.drop();
  });

  const refusedOrDone = async (line: string, asking: Parameters<AdminFixture['ask']>[1]) => {
    const { status, json } = await admin.ask(line, asking);
    expect([line, status < 500, json.detail]).toEqual([line, true, json.detail]);
    if (status >= 400) expect(json).toMatchObject({ status, code: expect.any(String) });
  };

  test.each([
    'GET /v1/tokens/%00',
    'GET /v1/tokens?type=%00',
    'GET /v1/tokens?after=%00',
    'GET /v1/tokens?type=user&attribute=team=%00',
    'GET /v1/tokens?type=user&attribute=team=a&after=%00',
    'GET /v1/audit?subject=%00',
    'GET /v1/audit?after=%00',
    'GET /v1/pins?pin=%00',
    'GET /v1/pins?after=WyJcdTAwMDAiLCIiXQ',
    'GET /v1/pins/app/project%3D%00',
    'GET /v1/probes?for=%00',
    'GET /v1/probes?for=a&after=%00',
    'GET /v1/usage?token=%00',
    'GET /v1/tokens/%00/usage',
    'GET /v1/tokens?unused_for=99999999d',
    'GET /v1/tail?token=%00',
    'GET /v1/tail?row=%00',
    'POST /v1/tokens/%00/revoke',
    'POST /v1/tokens/%00/rotate',
    'POST /v1/pins/app/project%3D%00/reset',
    'POST /v1/tokens/%ff/revoke',
  ])('a NUL or no UTF-8 is no fault of ours: %s', async (line) => {
    await refusedOrDone(line, line.startsWith('GET') ? {} : { body: {} });
  });

  test('no parameter, body or path makes it fail', async () => {
    await fc.assert(
      fc.asyncProperty(
        routes,
        odd,
        fc.dictionary(parameters, odd),
        fc.dictionary(keys, value, { maxKeys: 4 }),
        async ({ method, path, query, body }, text, given, said) => {
          // A client goes up a path by itself, and is then no longer where the API is.
          fc.pre(!/^\.{1,2}$/.test(text));
          const target = path.replaceAll(/\{[a-z_]+\}/g, encodeURIComponent(text.toWellFormed()));
          const known = Object.keys('entries' in query ? (query.entries as object) : {});
          const asked = Object.entries(given).filter(([name]) => known.includes(name));
          const search = new URLSearchParams(
            asked.map(([name, one]): [string, string] => [name, one.toWellFormed()]),
          );
          const own = Object.keys(body !== null && 'entries' in body ? (body.entries as object) : {});
          const kept = Object.entries(said).filter(([name]) => own.includes(name));
          const asking = method === 'GET' ? {} : { body: Object.fromEntries(kept) };
          await refusedOrDone(`${method} ${target}?${search}`, asking);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('no parameter of the tail makes it fail', async () => {
    const asked = fc.record({ token: odd, row: odd, refusals: odd, status: odd });
    await fc.assert(
      fc.asyncProperty(asked, async (given) => {
        const said = Object.entries(given).map(([name, one]): [string, string] => [name, one.toWellFormed()]);
        await refusedOrDone(`GET /v1/tail?${new URLSearchParams(said)}`, {});
      }),
      { numRuns: 50 },
    );
  });

  test('nothing that stands where a body should makes it fail', async () => {
    const bodies = fc.oneof(
      odd,
      fc.json({ maxDepth: 3 }),
      fc.constant('{"type":"user","attributes":{"__proto__":"x"}}'),
    );
    await fc.assert(
      fc.asyncProperty(bodies, (body) => refusedOrDone('POST /v1/tokens', { body: body.toWellFormed() })),
      { numRuns: 80 },
    );
  });
});
