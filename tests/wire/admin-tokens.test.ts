/** Admin tokens at the gate: credentials nowhere, and nothing tells them from what never was. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutFor, readCredential } from '../../gateway/credential.ts';
import { overlapsAdminPrefix } from '../../policy/admin-type.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { loaded } from '../fixtures/config.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

/** Every way a type can be read and told: by prefix, without one, by id, by the upstream. */
const config = (upstream: string) => `
upstreams:
  app: { url: ${upstream} }
token_types:
  keyed: { prefix: key_, sources: [bearer, header:X-Key, query:key], scopes: [all] }
  bare: { sources: [header:X-Bare, cookie:bare], csrf: off, scopes: [all] }
  slow: { prefix: slow_, hash: { use: bcrypt, cost: 4 }, issue: { length: 40 }, scopes: [all] }
  theirs: { verify: upstream, sources: [cookie:theirs, header:X-Theirs] }
scopes: { all: Everything }
apis:
  main:
    to: app
    routes:
      GET /keyed: { allow: { keyed: all } }
      GET /bare: { allow: { bare: all } }
      GET /slow: { allow: { slow: all, keyed: all } }
      GET /theirs: { allow: { theirs: any_scope } }
`;

const rows = ['keyed', 'bare', 'slow', 'theirs'];

describe('no row takes an admin token', () => {
  let admin: AdminFixture;
  let upstream: UpstreamFixture;
  beforeAll(async () => {
    upstream = await startUpstream();
    admin = await startAdmin(config(upstream.url));
  });
  afterAll(async () => {
    await admin.gateway.stop();
    await upstream.stop();
  });

  const ways = (token: string): readonly (readonly [query: string, headers: Record<string, string>])[] => [
    ['', { Authorization: `Bearer ${token}` }],
    ['', { 'X-Key': token }],
    [`?key=${token}`, {}],
    ['', { 'X-Bare': token }],
    ['', { 'X-Theirs': token }],
    ['', { Cookie: `bare=${token}; theirs=${token}` }],
  ];

  test.each(rows)('GET /%s answers a right one as it answers one that never was', async (row) => {
    const { token } = await admin.mint();
    const never = `postern_admin_${'0'.repeat(48)}`;
    const ask = async (query: string, headers: Record<string, string>) => {
      const answer = await fetch(`${admin.gateway.url}/${row}${query}`, { headers });
      const body = (await answer.text()).replace(/urn:uuid:[0-9a-f-]+/, 'urn');
      const fields = [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
      return { status: answer.status, fields, body };
    };
    for (const [index, [query, headers]] of ways(token).entries()) {
      const right = await ask(query, headers);
      const [otherQuery, otherHeaders] = ways(never)[index] ?? ['', {}];
      expect(right).toEqual(await ask(otherQuery, otherHeaders));
      expect(right.status).toBe(401);
    }
  });

  test('the data listener has no path of the admin API', async () => {
    const { token } = await admin.mint();
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${admin.gateway.url}/v1/whoami`, { headers })).status).toBe(404);
  });
});

test('no config that loads reads a credential out of what begins like an admin token', () => {
  const prefix = fc.oneof(
    fc.constantFrom(
      '',
      'p',
      'post',
      'postern_',
      'postern_admin',
      'postern_admin_',
      'postern_admin_x',
      'q_',
      'postern-',
    ),
    fc.stringMatching(/^[a-z]{1,5}_$/),
  );
  const source = fc.constantFrom('bearer', 'header:X-Key', 'cookie:key');
  const tail = fc.stringMatching(/^[0-9A-Za-z|_.-]{10,60}$/);
  let judged = 0;
  fc.assert(
    fc.property(
      prefix,
      source,
      fc.constantFrom('', 'format: id_pipe_random, '),
      tail,
      (text, from, format, end) => {
        const yaml = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  one: { ${text === '' ? '' : `prefix: ${text}, `}${format}sources: [${from}], csrf: off, scopes: [all] }
scopes: { all: Everything }
apis: { main: { to: app, routes: { GET /x: { allow: { one: all } } } } }
`.replace(from.startsWith('cookie') ? '\0' : 'csrf: off, ', from.startsWith('cookie') ? '\0' : '');
        let policy: ReturnType<typeof loaded>['policy'];
        try {
          ({ policy } = loaded(yaml));
        } catch {
          return;
        }
        expect(text !== '' && overlapsAdminPrefix(text)).toBe(false);
        judged++;
        const route = policy.routes[0];
        if (route === undefined) throw new Error('no row');
        const token = `postern_admin_${end}`;
        const heads: Readonly<Record<string, readonly string[]>> = {
          bearer: ['Authorization', `Bearer ${token}`],
          'header:X-Key': ['X-Key', token],
        };
        const head = heads[from];
        const presented = readCredential(head ?? ['Cookie', `key=${token}`], null, route, policy);
        expect(presented.ok).toBe(false);
        expect(cutFor(route, null).fields.has('authorization')).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
  expect(judged).toBeGreaterThan(50);
});
