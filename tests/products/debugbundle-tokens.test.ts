/** The life of DebugBundle's tokens: made, listed, rotated, revoked, each by whom the service lets. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, ingestion, openDebugBundle } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);
/** What the service was asked before anything was done, and nothing else. */
const asked = () => product.seen.map(({ method, target }) => `${method} ${target}`);

const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const project = '$GW/v1/projects/proj_01HXYZ.../tokens';
/** As the documentation prints it. */
const make = (body: string, token = '$M', way = project) =>
  `curl -X POST ${way} -H "Authorization: Bearer ${token}" J -d '${body}'`;
const revoke = (id: string, token = '$M', way = project) =>
  `curl -X POST ${way}/${id}/revoke -H "Authorization: Bearer ${token}"`;
const list = (token = '$M', way = project) => `curl ${way} -H "Authorization: Bearer ${token}"`;
const send = (token: string) =>
  `curl -X POST $GW/v1/events -H "Authorization: Bearer ${token}" J -d '{"events":[{}]}'`;

beforeAll(async () => {
  product = await openDebugBundle(({ target }) =>
    target === '/v1/events'
      ? { status: 202, body: { accepted: 1, rejected: 0, errors: [] } }
      : { status: 200, body: {} },
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('tokens of a project', () => {
  test('43: are made by a label; the id is the service’s to understand', async () => {
    const told = await curl(make('{"label":"Production SDK"}'));
    expect([told.status, told.headers['content-type'], told.headers['cache-control']]).toEqual([
      201,
      'application/json',
      'no-store',
    ]);
    expect(told.body.token).toMatchObject({
      token_id: expect.stringMatching(/^tok_/),
      project_id: 'proj_01HXYZ...',
      label: 'Production SDK',
      allowed_origins: [],
      created_at: iso,
      last_used_at: null,
      revoked_at: null,
      expires_at: null,
      plaintext: expect.stringMatching(/^dbundle_proj_[0-9a-f]{48}$/),
    });
    expect(asked()).toEqual(['GET /v1/projects/proj_01HXYZ.../invites']);
    product.names.MADE = told.body.token.plaintext;
    expect((await curl(send('$MADE'))).status).toBe(202);
    expect(product.seen.at(-1)?.headers).toMatchObject({ 'x-postern-project': 'proj_01HXYZ...' });
  });

  test('44: allowed origins are normalised, sorted, and hold at once', async () => {
    const told = await curl(make('{"label":"Static browser","allowed_origins":["https://www.example.com"]}'));
    expect([told.status, told.body.token.allowed_origins]).toEqual([201, ['https://www.example.com']]);
    const odd =
      '["HTTPS://Shop.example.com:443/cart/","https://a.example","https://shop.example.com","http://a.example:80"]';
    const { body } = await curl(make(`{"label":"x","allowed_origins":${odd}}`));
    expect(body.token.allowed_origins).toEqual([
      'http://a.example',
      'https://a.example',
      'https://shop.example.com',
    ]);
    product.names.STATIC = told.body.token.plaintext;
    product.seen.length = 0;
    refused(await curl(send('$STATIC')), 403, ingestion('origin_not_allowed'));
  });

  test.each([
    ['no label', '{}', 'invalid_payload'],
    ['an empty label', '{"label":""}', 'invalid_payload'],
    ['a label that is too long', `{"label":"${'x'.repeat(121)}"}`, 'invalid_payload'],
    ['a label that is no text', '{"label":7}', 'invalid_payload'],
    ['a key nobody knows', '{"label":"x","expires_at":null}', 'invalid_payload'],
    ['a label twice', '{"label":"x","label":"y"}', 'invalid_payload'],
    ['a list', '[]', 'invalid_payload'],
    ['no JSON', '{"label":', 'invalid_payload'],
    ['no origin', '{"label":"x","allowed_origins":["*"]}', 'invalid_allowed_origins'],
    ['a wildcard', '{"label":"x","allowed_origins":["https://*.example.com"]}', 'invalid_allowed_origins'],
    ['an empty origin', '{"label":"x","allowed_origins":[""]}', 'invalid_allowed_origins'],
    ['another scheme', '{"label":"x","allowed_origins":["ftp://example.com"]}', 'invalid_allowed_origins'],
    ['null', '{"label":"x","allowed_origins":["null"]}', 'invalid_allowed_origins'],
    [
      'more than 20',
      JSON.stringify({
        label: 'x',
        allowed_origins: Array.from({ length: 21 }, (_, n) => `https://${n}.example`),
      }),
      'invalid_allowed_origins',
    ],
  ])('%s is 400', async (_what, body, error) => {
    refused(await curl(make(body)), 400, { error });
  });

  test('a label of 120 characters and 20 origins are not too much', async () => {
    const origins = Array.from({ length: 20 }, (_, n) => `https://${n}.example`);
    const told = await curl(make(JSON.stringify({ label: 'x'.repeat(120), allowed_origins: origins })));
    expect([told.status, told.body.token.allowed_origins.length]).toEqual([201, 20]);
  });

  test('a form and an empty body are 400, over 64 KiB 413', async () => {
    const plain = make('{"label":"x"}').replace(' J ', ' ');
    refused(await curl(plain), 400, { error: 'invalid_payload' });
    refused(await curl(make('')), 400, { error: 'invalid_payload' });
    refused(await curl(make(`{"label":"${'x'.repeat(65_536)}"}`)), 413, { error: 'body_too_large' });
  });

  test('47: a project token makes none, nor does nobody, nor who only reads', async () => {
    refused(await curl(make('{"label":"x"}', '$P')), 401, { error: 'invalid_member_token' });
    refused(await curl(make('{"label":"x"}', '$TR')), 401, { error: 'invalid_member_token' });
    refused(await curl(make('{"label":"x"}', '')), 401, { error: 'invalid_member_token' });
    refused(await curl(make('{"label":"x"}', '$MR')), 403, { error: 'forbidden' });
  });

  test('47: whom the service does not call an admin makes and revokes none', async () => {
    const { body } = await curl(make('{"label":"stays"}'));
    const id = body.token.token_id;
    product.seen.length = 0;
    const told = await curl(make('{"label":"x"}', '$MM'));
    expect([told.status, told.body]).toEqual([403, { error: 'forbidden' }]);
    const kept = await curl(revoke(id, '$MM'));
    expect([kept.status, kept.body]).toEqual([403, { error: 'forbidden' }]);
    // The service was asked, by GET alone, with the caller's own credential and nothing of the body.
    expect(asked()).toEqual(Array(2).fill('GET /v1/projects/proj_01HXYZ.../invites'));
    expect(product.seen[0]?.headers).toMatchObject({
      authorization: `Bearer ${product.names.MM}`,
      'x-postern-member': 'usr_plain',
    });
    expect(product.seen.map((one) => one.body)).toEqual(['', '']);
    // Who is no admin still sees the tokens, and the members; so neither of these proves one.
    expect((await curl(list('$MM'))).status).toBe(200);
    expect((await curl(list('$MM', '$GW/v1/projects/proj_01HXYZ.../members'))).status).toBe(200);
  });

  test('of a project that the service does not know are 404', async () => {
    const way = '$GW/v1/projects/proj_unknown/tokens';
    for (const line of [make('{"label":"x"}', '$M', way), list('$M', way)]) {
      const told = await curl(line);
      expect([told.status, told.body]).toEqual([404, { error: 'project_not_found' }]);
    }
    expect(asked()).toEqual([
      'GET /v1/projects/proj_unknown/invites',
      'GET /v1/projects/proj_unknown/tokens',
    ]);
  });

  test('46: are shown once, and listed without their plaintext, the revoked ones too', async () => {
    const way = '$GW/v1/projects/proj_list/tokens';
    const first = (await curl(make('{"label":"first"}', '$M', way))).body.token;
    const second = (await curl(make('{"label":"second"}', '$M', way))).body.token;
    await curl(revoke(first.token_id, '$M', way));
    const told = await curl(list('$M', way));
    expect(told.status).toBe(200);
    const listed = told.body.tokens;
    expect(listed.map((one: { label: string }) => one.label)).toEqual(['first', 'second']);
    expect(listed[0]).toMatchObject({ token_id: first.token_id, project_id: 'proj_list', revoked_at: iso });
    expect(listed[1]).toMatchObject({
      token_id: second.token_id,
      allowed_origins: [],
      created_at: iso,
      last_used_at: null,
      revoked_at: null,
      expires_at: null,
    });
    for (const { plaintext } of [first, second]) {
      expect(told.text).not.toContain(plaintext);
      expect(told.text).not.toContain(plaintext.slice(-40));
    }
    expect(told.text).not.toContain('plaintext');
    const page = (await curl(list('$M', `"${way}?limit=1"`))).body;
    expect(page.tokens).toHaveLength(1);
    const rest = (await curl(list('$M', `"${way}?limit=1&cursor=${page.next_cursor}"`))).body;
    expect([rest.tokens[0].label, rest.next_cursor]).toEqual(['second', null]);
    product.seen.length = 0;
    refused(await curl(list('$M', `"${way}?limit=101"`)), 400, { error: 'invalid_query' });
  });

  test('49: rotation overlaps, and ends with the revocation', async () => {
    const a = (await curl(make('{"label":"Production SDK"}'))).body.token;
    const b = (await curl(make('{"label":"Production SDK v2"}'))).body.token;
    product.names.A = a.plaintext;
    product.names.B = b.plaintext;
    for (const name of ['$A', '$B']) expect((await curl(send(name))).status).toBe(202);
    const told = await curl(revoke(a.token_id));
    expect([told.status, told.body.token.token_id, told.body.token.revoked_at]).toEqual([
      200,
      a.token_id,
      iso,
    ]);
    product.seen.length = 0;
    refused(await curl(send('$A')), 401, ingestion('invalid_project_token'));
    expect((await curl(send('$B'))).status).toBe(202);
    // Once more, as clients do that say JSON and send none.
    const again = await curl(`${revoke(a.token_id)} J `);
    expect([again.status, again.body.token.revoked_at]).toEqual([200, told.body.token.revoked_at]);
  });

  test('a token of another project, of another type, or none at all cannot be revoked here', async () => {
    const other = (await curl(make('{"label":"x"}', '$M', '$GW/v1/projects/proj_other/tokens'))).body.token;
    const own = (await curl(make('{"label":"x"}', '$M', '$GW/v1/member/tokens'))).body.token;
    product.names.OTHER = other.plaintext;
    for (const id of [other.token_id, own.token_id, 'tok_01HOLD', 'tok_00000000000000000000000000']) {
      const told = await curl(revoke(id));
      expect([told.status, told.body]).toEqual([404, { error: 'token_not_found' }]);
    }
    expect((await curl(send('$OTHER'))).status).toBe(202);
  });

  test('end with their project', async () => {
    product.names.GONE = (
      await curl(make('{"label":"x"}', '$M', '$GW/v1/projects/proj_gone/tokens'))
    ).body.token.plaintext;
    expect((await curl(send('$GONE'))).status).toBe(202);
    const told = await curl('curl -X DELETE $GW/v1/projects/proj_gone -H "Authorization: Bearer $M"');
    expect(told.status).toBe(200);
    product.seen.length = 0;
    refused(await curl(send('$GONE')), 401, ingestion('invalid_project_token'));
  });
});

describe('tokens of members', () => {
  const own = '$GW/v1/member/tokens';

  test('48: a member makes one of its own, which can do what its maker can', async () => {
    const told = await curl(make('{"label":"CI pipeline"}', '$M', own));
    expect(told.status).toBe(201);
    expect(told.body.token).toMatchObject({
      token_id: expect.stringMatching(/^tok_/),
      user_id: 'usr_owner',
      organization_id: 'org_1',
      label: 'CI pipeline',
      created_at: iso,
      last_used_at: null,
      revoked_at: null,
      expires_at: null,
      plaintext: expect.stringMatching(/^dbundle_mem_[0-9a-f]{48}$/),
    });
    product.names.CI = told.body.token.plaintext;
    expect((await curl('curl $GW/v1/projects -H "Authorization: Bearer $CI"')).status).toBe(200);
    expect(product.seen.at(-1)?.headers).toMatchObject({
      'x-postern-member': 'usr_owner',
      'x-postern-member-role': 'owner',
      'x-postern-organization': 'org_1',
      'x-postern-scopes': 'account:read account:manage probes:manage',
    });
  });

  test('48: a project token makes none', async () => {
    refused(await curl(make('{"label":"CI pipeline"}', '$P', own)), 401, { error: 'invalid_member_token' });
    refused(await curl(make('{"label":""}', '$M', own)), 400, { error: 'invalid_payload' });
    refused(await curl(make('{"label":"x","scopes":["account:manage"]}', '$MR', own)), 400, {
      error: 'invalid_payload',
    });
  });

  test('who only reads makes one that only reads', async () => {
    const { status, body } = await curl(make('{"label":"reader"}', '$MR', own));
    expect([status, body.token.scopes]).toEqual([201, ['account:read']]);
    product.names.READS = body.token.plaintext;
    product.seen.length = 0;
    refused(
      await curl('curl -X POST $GW/v1/incidents/inc_1/resolve -H "Authorization: Bearer $READS"'),
      403,
      {
        error: 'forbidden',
      },
    );
  });

  test('are listed to their owner alone, and nobody else revokes them', async () => {
    const { token } = (await curl(make('{"label":"mine"}', '$MM', own))).body;
    const { body, text } = await curl(list('$MM', own));
    expect(new Set(body.tokens.map((one: { user_id: string }) => one.user_id))).toEqual(
      new Set(['usr_plain']),
    );
    expect(body.tokens.at(-1)).toMatchObject({ token_id: token.token_id, organization_id: 'org_1' });
    expect(text).not.toContain(token.plaintext);
    product.seen.length = 0;
    refused(await curl(revoke(token.token_id, '$M', own)), 404, { error: 'token_not_found' });
    product.names.MINE = token.plaintext;
    const told = await curl(revoke(token.token_id, '$MINE', own));
    expect([told.status, told.body.token.revoked_at]).toEqual([200, iso]);
    refused(await curl(list('$MINE', own)), 401, { error: 'invalid_member_token' });
  });
});

test('46, 73: no plaintext stands in the store, the log or the metrics', async () => {
  const traces = await product.traces();
  for (const name of ['P', 'PX', 'M', 'MM', 'S', 'MADE', 'STATIC', 'A', 'B', 'CI', 'READS', 'MINE']) {
    const secret = product.names[name] ?? '';
    expect(secret.length).toBeGreaterThan(40);
    expect(traces).not.toContain(secret.slice(-44));
  }
});
