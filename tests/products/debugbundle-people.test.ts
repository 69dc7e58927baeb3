/** People on DebugBundle: member tokens, the browser's session, and the ways to get either. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, hex, nobody, openDebugBundle } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);

const cookie = hex();
const claimed = `dbundle_mem_${hex()}`;
const exchanged = `dbundle_mem_${hex()}`;

/** A session as the product's own API describes one. */
const session = {
  session_id: 'ses_1',
  user_id: 'usr_browser',
  email: 'browser@example.com',
  email_verified_at: '2026-01-01T00:00:00.000Z',
  organization_id: 'org_b',
  organization_plan: 'team',
  role: 'member',
  csrf_token: 'csrf_of_the_browser',
};
const issued = (plaintext: string) => ({
  token: {
    token_id: 'tok_upstream',
    user_id: 'usr_cli',
    organization_id: 'org_c',
    label: 'GitHub device',
    created_at: '2026-01-01T00:00:00.000Z',
    last_used_at: null,
    revoked_at: null,
    expires_at: null,
    plaintext,
  },
});
const attributes = 'Path=/; HttpOnly; Secure; SameSite=Strict; Expires=Wed, 01 Jan 2031 00:00:00 GMT';

beforeAll(async () => {
  product = await openDebugBundle(({ method, target, body }) => {
    const path = `${method} ${target}`;
    if (path === 'POST /v1/auth/verify-code') {
      if (body.includes('654321')) return { status: 200, body: { session: null } };
      if (!body.includes('123456')) return { status: 400, body: { error: 'invalid_code' } };
      const headers = { 'Set-Cookie': `dbundle_session=${cookie}; ${attributes}` };
      return { status: 200, body: { session }, headers };
    }
    if (path === 'POST /v1/auth/github/device/claim') return { status: 200, body: issued(claimed) };
    if (path === 'POST /v1/auth/github/token/exchange') return { status: 200, body: issued(exchanged) };
    if (path === 'POST /v1/auth/github/device/poll') return { status: 200, body: { status: 'pending' } };
    if (path.startsWith('GET /v1/auth/github/')) {
      return { status: 302, body: {}, headers: { Location: 'https://github.com/login' } };
    }
    if (path === 'GET /v1/auth/session') return { status: 200, body: { session: null } };
    if (path === 'POST /v1/projects') return { status: 201, body: { project: {} } };
    return { status: 200, body: { projects: [] } };
  });
  Object.assign(product.names, { COOKIE: cookie, CLAIMED: claimed, EXCHANGED: exchanged });
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('member tokens', () => {
  test('27: list projects, as documented, and the service is told whose they are', async () => {
    const told = await curl('curl $GW/v1/projects -H "Authorization: Bearer $M"');
    expect([told.status, told.body]).toEqual([200, { projects: [] }]);
    const { headers } = product.seen[0] ?? { headers: {} };
    expect(headers).toMatchObject({
      'x-postern-token-type': 'member',
      'x-postern-member': 'usr_owner',
      'x-postern-member-email': 'usr_owner@example.com',
      'x-postern-member-role': 'owner',
      'x-postern-organization': 'org_1',
      'x-postern-scopes': 'account:read account:manage probes:manage',
    });
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('x-postern-project');
  });

  test('under their prefix of once they still are somebody’s', async () => {
    expect(product.names.ML).toMatch(/^dbundle_member_/);
    expect((await curl('curl $GW/v1/projects -H "Authorization: Bearer $ML"')).status).toBe(200);
    expect(product.seen[0]?.headers).toMatchObject({ 'x-postern-member': 'usr_legacy' });
  });

  test('a cursor goes on with its | as it stands in the documentation', async () => {
    const told = await curl(
      'curl -H "Authorization: Bearer $M" "$GW/v1/incidents?project_id=proj_xxx&status=open&severity=high&limit=10&cursor=2025-01-15T10:30:00.000Z|inc_abc123"',
    );
    expect(told.status).toBe(200);
    expect(product.seen[0]?.target).toBe(
      '/v1/incidents?project_id=proj_xxx&status=open&severity=high&limit=10&cursor=2025-01-15T10:30:00.000Z|inc_abc123',
    );
  });

  test.each([
    ['28: a project token', '-H "Authorization: Bearer $P"'],
    ['29: nobody', ''],
    ['29: a probe trigger', '-H "Authorization: Bearer $TR"'],
    ['a revoked project token', '-H "Authorization: Bearer $PX"'],
    ['an expired project token', '-H "Authorization: Bearer $PE"'],
    ['an unknown member', '-H "Authorization: Bearer dbundle_mem_x9y8z7w6v5u4..."'],
    ['a prefix alone', '-H "Authorization: Bearer dbundle_mem_"'],
    ['a token that is far too long', `-H "Authorization: Bearer dbundle_mem_${'a'.repeat(600)}"`],
    ['a scheme in lower case', '-H "Authorization: bearer $M"'],
    ['a scheme in upper case', '-H "Authorization: BEARER $M"'],
    ['a tab behind the scheme', `-H "Authorization: Bearer$(printf '\\t')$M"`],
    ['a token without a scheme', '-H "Authorization: $M"'],
    ['a header of another product', '-H "X-API-Key: $M"'],
    ['a token in the query', '--url-query "token=$M"'],
    ['a member token in the cookie', '-H "Cookie: dbundle_session=$M"'],
    ['a session as a bearer', '-H "Authorization: Bearer $S"'],
    ['a token sent twice', '-H "Authorization: Bearer $M" -H "Authorization: Bearer $M"'],
    ['an empty header beside a right one', '-H "Authorization;" -H "Authorization: Bearer $M"'],
  ])('%s lists none', async (_who, credential) => {
    refused(await curl(`curl $GW/v1/projects ${credential}`), 401, nobody);
  });

  test('who only reads changes nothing', async () => {
    for (const way of ['/v1/projects', '/v1/incidents/inc_1/resolve', '/v1/webhooks', '/v1/alerts']) {
      const told = await curl(`curl -X POST $GW${way} -H "Authorization: Bearer $MR" J -d "{}"`);
      refused(told, 403, { error: 'forbidden' });
    }
    expect((await curl('curl $GW/v1/incidents -H "Authorization: Bearer $MR"')).status).toBe(200);
  });
});

describe('58: the session', () => {
  const create = (more: string) =>
    curl(`curl -X POST $GW/v1/projects ${more} J -d '{"name":"x","slug":"x"}'`);

  test('reads by its cookie, which goes no further; others beside it do', async () => {
    const told = await curl('curl $GW/v1/projects -H "Cookie: theme=dark; dbundle_session=$S; lang=en"');
    expect(told.status).toBe(200);
    const { headers } = product.seen[0] ?? { headers: {} };
    expect(headers).toMatchObject({
      'x-postern-token-type': 'session',
      'x-postern-member': 'usr_owner',
      cookie: expect.stringMatching(/^theme=dark; ?lang=en$/),
    });
  });

  test('changes nothing without its csrf token, or with another’s', async () => {
    const session = '-H "Cookie: dbundle_session=$S"';
    const csrf = [
      '',
      '-H "X-CSRF-Token: wrong"',
      '-H "X-CSRF-Token;"',
      '-H "X-CSRF-Token: csrf_of_S" -H "X-CSRF-Token: csrf_of_S"',
      '--url-query "X-CSRF-Token=csrf_of_S"',
    ];
    for (const header of csrf) {
      refused(await create(`${session} ${header}`), 403, { error: 'invalid_csrf_token' });
    }
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const told = await curl(`curl -X ${method} $GW/v1/projects/p/capture-policy ${session} J -d "{}"`);
      refused(told, 403, { error: 'invalid_csrf_token' });
    }
    const logout = await curl(`curl -X POST $GW/v1/auth/logout ${session}`);
    refused(logout, 403, { error: 'invalid_csrf_token' });
    const told = await create(`${session} -H "X-CSRF-Token: csrf_of_S"`);
    expect([told.status, told.body]).toEqual([201, { project: {} }]);
  });

  test('is passed over where there is an Authorization, which decides and needs no csrf token', async () => {
    const told = await create('-H "Cookie: dbundle_session=$S" -H "Authorization: Bearer $MM"');
    expect(told.status).toBe(201);
    expect(product.seen[0]?.headers).toMatchObject({ 'x-postern-member': 'usr_plain' });
    product.seen.length = 0;
    for (const bearer of ['$PX', '$P', '$TR', '', 'Basic x']) {
      const line = `curl $GW/v1/projects -H "Cookie: dbundle_session=$S" -H "Authorization: Bearer ${bearer}"`;
      refused(await curl(line), 401, nobody);
    }
    refused(
      await curl('curl $GW/v1/projects -H "Cookie: dbundle_session=$S" -H "Authorization: bearer $M"'),
      401,
      nobody,
    );
  });

  test('is passed over beside an Authorization that is empty, too', async () => {
    refused(
      await curl('curl $GW/v1/projects -H "Cookie: dbundle_session=$S" -H "Authorization;"'),
      401,
      nobody,
    );
  });

  test('an unknown one is nobody, and two are', async () => {
    const unknown = `curl $GW/v1/projects -H "Cookie: dbundle_session=${'0'.repeat(48)}"`;
    refused(await curl(unknown), 401, nobody);
    const two = 'curl $GW/v1/projects -H "Cookie: dbundle_session=$S; dbundle_session=$S"';
    refused(await curl(two), 401, nobody);
  });

  test('makes tokens of projects and of its own, with its csrf token', async () => {
    const headers = '-H "Cookie: theme=dark; dbundle_session=$S" -H "X-CSRF-Token: csrf_of_S"';
    const project = await curl(`curl -X POST $GW/v1/projects/p/tokens ${headers} J -d '{"label":"x"}'`);
    expect(project.status).toBe(201);
    const asked = product.seen[0];
    expect([asked?.target, asked?.headers.cookie]).toEqual([
      '/v1/projects/p/invites',
      `dbundle_session=${product.names.S}`,
    ]);
    const own = await curl(`curl -X POST $GW/v1/member/tokens ${headers} J -d '{"label":"first"}'`);
    expect([own.status, own.body.token.user_id]).toEqual([201, 'usr_owner']);
    product.seen.length = 0;
    const bare = 'curl -X POST $GW/v1/projects/p/tokens -H "Cookie: dbundle_session=$S" J';
    refused(await curl(`${bare} -d '{"label":"x"}'`), 403, { error: 'invalid_csrf_token' });
  });

  test('has ways of its own, on which a member token is nobody', async () => {
    const ways = [
      ['POST', '/v1/auth/logout'],
      ['GET', '/v1/account/export'],
      ['DELETE', '/v1/account'],
      ['POST', '/v1/billing/checkout'],
    ];
    for (const [method, way] of ways) {
      const told = await curl(`curl -X ${method} $GW${way} -H "Authorization: Bearer $M"`);
      refused(told, 401, { error: 'invalid_session' });
    }
  });
});

describe('signing in', () => {
  test('59: nobody needs a token to be well, or to ask for a code', async () => {
    expect((await curl('curl $GW/health')).status).toBe(200);
    const code = `curl -X POST $GW/v1/auth/request-code J -d '{"email":"a@example.com","accepted_terms":true}'`;
    expect((await curl(code)).status).toBe(200);
    expect(product.seen.map(({ target }) => target)).toEqual(['/health', '/v1/auth/request-code']);
    expect(product.seen[1]?.body).toBe('{"email":"a@example.com","accepted_terms":true}');
  });

  test('a right code makes a session at once: it reads, changes by its csrf token, and ends with the logout', async () => {
    const verify = (code: string) =>
      curl(`curl -X POST $GW/v1/auth/verify-code J -d '{"email":"a@example.com","code":"${code}"}'`);
    const wrong = await verify('000000');
    expect([wrong.status, wrong.body]).toEqual([400, { error: 'invalid_code' }]);
    expect((await verify('654321')).body).toEqual({ session: null });
    const read = 'curl $GW/v1/projects -H "Cookie: dbundle_session=$COOKIE"';
    expect((await curl(read)).status).toBe(401);
    const told = await verify('123456');
    expect([told.status, told.body]).toEqual([200, { session }]);
    // 76: the cookie comes as the service set it.
    expect(told.headers['set-cookie']).toBe(`dbundle_session=${cookie}; ${attributes}`);
    expect((await curl(read)).status).toBe(200);
    expect(product.seen.at(-1)?.headers).toMatchObject({
      'x-postern-member': 'usr_browser',
      'x-postern-member-email': 'browser@example.com',
      'x-postern-member-role': 'member',
      'x-postern-organization': 'org_b',
      'x-postern-email-verified-at': '2026-01-01T00:00:00.000Z',
    });
    const logout = 'curl -X POST $GW/v1/auth/logout -H "Cookie: dbundle_session=$COOKIE"';
    expect((await curl(`${logout} -H "X-CSRF-Token: csrf_of_the_browser"`)).status).toBe(200);
    product.seen.length = 0;
    refused(await curl(read), 401, nobody);
    refused(await curl(logout), 401, { error: 'invalid_session' });
  });

  test('who is signed in, the service says, of its own cookie', async () => {
    const told = await curl('curl $GW/v1/auth/session -H "Cookie: dbundle_session=$S"');
    expect([told.status, told.body]).toEqual([200, { session: null }]);
    expect(product.seen[0]?.headers.cookie).toBe(`dbundle_session=${product.names.S}`);
  });

  test('GitHub in a browser is a way there and back', async () => {
    for (const way of ['/v1/auth/github/start', '"/v1/auth/github/callback?code=x&state=y"']) {
      const told = await curl(`curl "$GW"${way}`);
      expect([told.status, told.headers.location]).toEqual([302, 'https://github.com/login']);
    }
  });

  test('a token that GitHub on a device or by token brought works at once', async () => {
    const ways = [
      ['device/claim', '$CLAIMED', claimed],
      ['token/exchange', '$EXCHANGED', exchanged],
    ];
    const poll = await curl('curl -X POST $GW/v1/auth/github/device/poll J -d "{}"');
    expect([poll.status, poll.body]).toEqual([200, { status: 'pending' }]);
    for (const [way, name, plaintext] of ways) {
      const read = `curl $GW/v1/projects -H "Authorization: Bearer ${name}"`;
      expect((await curl(read)).status).toBe(401);
      const told = await curl(`curl -X POST $GW/v1/auth/github/${way} J -d '{"label":"GitHub device"}'`);
      expect([told.status, told.body]).toEqual([200, issued(plaintext ?? '')]);
      expect((await curl(read)).status).toBe(200);
      expect(product.seen.at(-1)?.headers).toMatchObject({
        'x-postern-member': 'usr_cli',
        'x-postern-organization': 'org_c',
        'x-postern-scopes': 'account:read account:manage probes:manage',
      });
    }
    const { body } = await curl('curl $GW/v1/member/tokens -H "Authorization: Bearer $CLAIMED"');
    expect(body.tokens.map((one: { label: string }) => one.label)).toEqual([
      'GitHub device',
      'GitHub device',
    ]);
  });

  test('eleven attempts of one address in a minute are one too many', async () => {
    const line = 'curl -X POST $GW/v1/auth/github/device/start J -d "{}"';
    const told = await product.curls(Array(11).fill(line));
    const last = told.at(-1);
    expect([last?.status, last?.body]).toEqual([429, { error: 'rate_limited' }]);
    expect(last?.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
  });

  test('with the account go its tokens and its session', async () => {
    product.names.OWN = (
      await curl(
        `curl -X POST $GW/v1/member/tokens -H "Authorization: Bearer $EXCHANGED" J -d '{"label":"x"}'`,
      )
    ).body.token.plaintext;
    const told = await curl(
      'curl -X DELETE $GW/v1/account -H "Cookie: dbundle_session=$S" -H "X-CSRF-Token: csrf_of_S"',
    );
    expect(told.status).toBe(200);
    product.seen.length = 0;
    refused(await curl('curl $GW/v1/projects -H "Cookie: dbundle_session=$S"'), 401, nobody);
    refused(await curl('curl $GW/v1/projects -H "Authorization: Bearer $M"'), 401, nobody);
    expect((await curl('curl $GW/v1/projects -H "Authorization: Bearer $OWN"')).status).toBe(200);
  });
});

test('73: no token and no cookie stands in the store, the log or the metrics', async () => {
  const traces = await product.traces();
  for (const secret of [cookie, claimed.slice(-44), exchanged.slice(-44), product.names.S ?? 'none']) {
    expect(traces).not.toContain(secret);
  }
});
