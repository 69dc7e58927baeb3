/** Rows that Postern answers itself, over the wire: what they do, to whose tokens alone, and what nobody learns. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from './serve-stage.ts';

let stage: Stage;
let project = '';
let user = { id: '', token: '' };
let count = 0;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  project = `p${count++}`;
  user = await stage.user(project);
  stage.upstream.seen.length = 0;
});

const create = async (body: unknown = { label: 'SDK' }) =>
  stage.ask(`POST /p/${project}/tokens`, user.token, body);

describe('token.create', () => {
  test('makes a token that works at once, and says so in the shapes that clients know', async () => {
    const told = await create({
      label: 'Browser',
      allowed_origins: ['https://WWW.example.com/app', 'http://a.example:80'],
    });
    expect(told.status).toBe(201);
    expect(told.headers.get('content-type')).toBe('application/json');
    expect(told.headers.get('cache-control')).toBe('no-store');
    const { token, ...flat } = told.body;
    expect(flat).toEqual(token);
    expect(token).toEqual({
      token_id: expect.stringMatching(/^tok_/),
      id: token.token_id,
      type: 'project',
      label: 'Browser',
      preview: `${token.plaintext.slice(0, 8)}...`,
      scopes: ['events:write'],
      attributes: { project },
      project,
      allowed_origins: ['http://a.example', 'https://www.example.com'],
      created_at: expect.stringMatching(/Z$/),
      expires_at: expect.stringMatching(/Z$/),
      last_used_at: null,
      retire_at: null,
      revoked_at: null,
      plaintext: expect.stringMatching(/^prj_[0-9A-Za-z]{48}$/),
    });
    expect(stage.upstream.seen).toEqual([]);
    expect(await stage.use(token.plaintext)).toBe(403);
    expect(await stage.use((await create()).body.plaintext)).toBe(200);
    const { entries } = await stage.gateway.running.tokens.audit.list({
      subject: token.id,
      after: null,
      limit: 9,
    });
    expect(entries).toMatchObject([{ action: 'token.create', actor: `token:${user.id}` }]);
  });

  test.each([
    [{ label: 'a', expires_in: '1d' }, 1],
    [{ label: 'a', ttl: 86_400 * 2 }, 2],
    [{ label: 'a', expires_in: 86_400 * 3 }, 3],
    [{ label: 'a' }, 90],
  ])('%j lives for %d days', async (body, days) => {
    const { token } = (await create(body)).body;
    expect(Date.parse(token.expires_at) - Date.parse(token.created_at)).toBeCloseTo(days * 86_400_000, -3);
  });

  test.each([
    ['{}', 400, 'payload_invalid'],
    ['', 400, 'payload_invalid'],
    ['[]', 400, 'payload_invalid'],
    ['"label"', 400, 'payload_invalid'],
    ['{"label":""}', 400, 'payload_invalid'],
    ['{"label":7}', 400, 'payload_invalid'],
    [`{"label":"${'x'.repeat(121)}"}`, 400, 'payload_invalid'],
    ['{"label":"a","scopes":["events:write"]}', 400, 'payload_invalid'],
    ['{"label":"a","attributes":{"project":"b"}}', 400, 'payload_invalid'],
    ['{"label":"a","type":"user"}', 400, 'payload_invalid'],
    ['{"label":"a","__proto__":{}}', 400, 'payload_invalid'],
    ['{"label":"a","origins":[],"allowed_origins":[]}', 400, 'payload_invalid'],
    ['{"label":"a","ttl":1,"expires_in":1}', 400, 'payload_invalid'],
    ['{"label":"a","ttl":0}', 400, 'payload_invalid'],
    ['{"label":"a","ttl":"1d"}', 400, 'payload_invalid'],
    ['{"label":"a","expires_in":"91d"}', 400, 'payload_invalid'],
    ['{"label":"a","expires_in":1.5}', 400, 'payload_invalid'],
    ['{"label":"a","expires_in":null}', 400, 'payload_invalid'],
    ['{"label":"a","allowed_origins":"https://a.example"}', 400, 'origins_invalid'],
    ['{"label":"a","allowed_origins":["null"]}', 400, 'origins_invalid'],
    ['{"label":"a","allowed_origins":["ftp://a.example"]}', 400, 'origins_invalid'],
    [
      `{"label":"a","origins":${JSON.stringify(Array.from({ length: 21 }, (_, i) => `https://${i}.example`))}}`,
      400,
      'origins_invalid',
    ],
    ['{"label":"a","label":"b"}', 400, 'body_malformed'],
    ['{"label":"a","LABEL":"b"}', 400, 'body_malformed'],
    ['{"label":"a"', 400, 'body_malformed'],
    [`{"label":"${'x'.repeat(65_536)}"}`, 413, 'body_too_large'],
  ])('%j is refused: %d %s, and nothing is made', async (body, status, code) => {
    const told = await create(body);
    expect([told.status, told.body.code]).toEqual([status, code]);
    expect((await stage.ask(`GET /p/${project}/tokens`, user.token)).body.tokens).toEqual([]);
  });

  test('a body that does not say it is JSON is refused', async () => {
    const told = await stage.ask(`POST /p/${project}/tokens`, user.token, '{"label":"a"}', {
      'Content-Type': 'text/plain',
    });
    expect([told.status, told.body.code]).toEqual([415, 'body_encoding']);
  });

  test('gives what the row says, of the caller what the row takes, and without `expires_in` no choice of a life', async () => {
    const keyed = await stage.ask(`POST /k/${project}`, user.token, { label: 'a' });
    expect(keyed.body).toMatchObject({ type: 'keyed', scopes: ['events:write'], expires_at: null });
    expect((await stage.ask(`POST /k/${project}`, user.token, { label: 'a', ttl: 5 })).body.code).toBe(
      'payload_invalid',
    );
    const mine = await stage.ask('POST /me/tokens', user.token, { label: 'CI' });
    const record = await stage.gateway.running.tokens.byId(user.id);
    expect(mine.body.token.attributes).toEqual({ user: record?.attributes.get('user') });
  });

  test('passes on what its maker has: no more scopes, and an attribute only if there is one', async () => {
    const attributes = { user: 'u1' };
    const made = async (scopes: string[], more: Record<string, string>) => {
      const maker = await stage.gateway.mint('person', { scopes, attributes: { ...attributes, ...more } });
      return (await stage.ask('POST /person/tokens', maker.token, { label: 'CI' })).body;
    };
    expect(await made(['events:read', 'events:write'], { plan: 'team' })).toMatchObject({
      scopes: ['events:read', 'events:write'],
      attributes: { user: 'u1', plan: 'team' },
      plan: 'team',
    });
    const least = await made(['events:read'], {});
    expect([least.scopes, least.attributes]).toEqual([['events:read'], { user: 'u1' }]);
    expect((await made([], {})).scopes).toEqual([]);
    const told = await stage.ask('POST /person/tokens', least.plaintext, {
      label: 'a',
      scopes: ['events:write'],
    });
    expect(told.body.code).toBe('payload_invalid');
  });

  test('an attribute never stands in place of what the answer says', async () => {
    const told = await stage.ask('POST /odd/tokens', user.token, { label: 'a' });
    expect(told.body).toMatchObject({ label: 'a', type: 'odd', token: { plaintext: told.body.plaintext } });
    expect(told.body.plaintext).toMatch(/^odd_/);
    const again = await stage.ask('POST /odd/regenerate', user.token);
    expect(again.body.token).toMatch(/^odd_/);
  });

  test('counts against the limits of its row, as every other', async () => {
    const statuses = [];
    for (let i = 0; i < 3; i++)
      statuses.push((await stage.ask('POST /limited', user.token, { label: 'a' })).status);
    expect(statuses).toEqual([201, 201, 429]);
  });

  test('its answers can be read by the pages that its cors names', async () => {
    const told = await stage.ask(
      `POST /p/${project}/tokens`,
      user.token,
      { label: 'a' },
      { Origin: 'https://site.example' },
    );
    expect([told.status, told.headers.get('access-control-allow-origin')]).toEqual([
      201,
      'https://site.example',
    ]);
    expect(told.headers.get('vary')).toBe('Origin');
  });

  test('a cookie needs its csrf header', async () => {
    const Cookie = `session=${user.token}`;
    const without = await stage.ask('POST /me/tokens', '', { label: 'a' }, { Cookie });
    expect([without.status, without.body.code]).toEqual([403, 'csrf_invalid']);
    const told = await stage.ask('POST /me/tokens', '', { label: 'a' }, { Cookie, 'X-CSRF-Token': 'right' });
    expect(told.status).toBe(201);
  });
});

describe('who may', () => {
  const lines = ['POST tokens', 'GET tokens', 'POST regenerate', 'POST tokens/tok_x/rotate'];

  test.each(lines)('%s of another project: 403 by its bind, and nothing happens', async (line) => {
    const other = await stage.gateway.mint('project', { attributes: { project: 'secret' } });
    const told = await stage.ask(
      line.replace(' ', ' /p/secret/'),
      user.token,
      line.startsWith('GET') ? undefined : {},
    );
    expect([told.status, told.body.code]).toEqual([403, 'bind_mismatch']);
    expect(await stage.use(other.token)).toBe(200);
  });

  test('a bind that hides answers like a path that is not there', async () => {
    const told = await stage.ask('POST /p/secret/tokens/tok_x/revoke', user.token);
    expect([told.status, told.body.code]).toEqual([404, 'route_not_found']);
  });

  test('a project token, an unknown one and nobody may not', async () => {
    const { token } = await stage.gateway.mint('project', { attributes: { project } });
    const line = `POST /p/${project}/regenerate`;
    expect((await stage.ask(line, token)).body.code).toBe('type_not_allowed');
    expect((await stage.ask(line, `usr_${'x'.repeat(48)}`)).status).toBe(401);
    expect((await stage.ask(line, '')).status).toBe(401);
    expect(await stage.use(token)).toBe(200);
  });
});

describe('token.list', () => {
  const list = async (query = '') => stage.ask(`GET /p/${project}/tokens${query}`, user.token);

  test('holds the tokens of the project, dead ones too, in pages and without a plaintext', async () => {
    const made = [];
    for (let i = 0; i < 3; i++) made.push((await create({ label: `t${i}` })).body.token);
    await stage.gateway.mint('keyed', { attributes: { project } });
    await stage.ask(`POST /p/${project}/tokens/${made[0].id}/revoke`, user.token);
    const first = await list('?limit=2');
    expect(first.status).toBe(200);
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.body.tokens).toMatchObject([
      { label: 't0', revoked_at: expect.any(String) },
      { label: 't1', revoked_at: null },
    ]);
    const second = await list(`?cursor=${first.body.next_cursor}&limit=2`);
    expect(second.body).toMatchObject({ tokens: [{ label: 't2' }], next_cursor: null });
    for (const { plaintext } of made) expect(first.text + second.text).not.toContain(plaintext);
    expect(first.text).not.toContain('plaintext');
  });

  test.each([
    '?limit=0',
    '?limit=101',
    '?limit=x',
    '?limit=1&limit=2',
    '?cursor=x',
    '?limit=',
    "?cursor=';--",
  ])('%s is refused', async (query) => {
    const told = await list(query);
    expect([told.status, told.body.code]).toEqual([400, 'payload_invalid']);
  });

  test('HEAD says as much without saying it', async () => {
    const answer = await fetch(`${stage.gateway.url}/p/${project}/tokens`, {
      method: 'HEAD',
      headers: { Authorization: `Bearer ${user.token}` },
    });
    expect([answer.status, await answer.text()]).toEqual([200, '']);
  });
});

describe('token.revoke', () => {
  test('ends a token: the very next request with it is 401, with another it is not', async () => {
    const [a, b] = [(await create()).body, (await create()).body];
    expect(await stage.use(a.plaintext)).toBe(200);
    const told = await stage.ask(`POST /p/${project}/tokens/${a.id}/revoke`, user.token);
    expect(told).toMatchObject({
      status: 200,
      body: { token: { id: a.id, revoked_at: expect.any(String) } },
    });
    expect(await stage.use(a.plaintext)).toBe(401);
    expect(await stage.use(b.plaintext)).toBe(200);
    const again = await stage.ask(`POST /p/${project}/tokens/${a.id}/revoke`, user.token);
    expect(again.body.token.revoked_at).toBe(told.body.token.revoked_at);
  });

  test('of another project, another type, or nothing is 404, and looks the same', async () => {
    const others = [
      await stage.gateway.mint('project', { attributes: { project: 'secret' } }),
      await stage.gateway.mint('keyed', { attributes: { project }, scopes: ['events:write'] }),
    ];
    const texts = [];
    for (const id of [...others.map((one) => one.id), 'tok_none', 'x', user.id]) {
      const told = await stage.ask(`POST /p/${project}/tokens/${id}/revoke`, user.token);
      expect([told.status, told.body.code]).toEqual([404, 'record_not_found']);
      texts.push(told.text.replace(/urn:uuid:[^"]*/, ''));
    }
    expect(new Set(texts).size).toBe(1);
    for (const { token } of others) expect(await stage.use(token)).toBe(200);
  });
});

test('the upstream hears of nothing that is served, and no log or file ever has a plaintext', async () => {
  const made = await create();
  const regenerated = await stage.ask(`POST /p/${project}/regenerate`, user.token);
  const rotated = await stage.ask(`POST /p/${project}/tokens/${regenerated.body.id}/rotate`, user.token);
  const line = await stage.gateway.account(made.headers.get('x-request-id'));
  expect(line).toMatchObject({ status: 201, route: 'main POST /p/{project}/tokens', tokenId: user.id });
  expect(stage.upstream.seen).toEqual([]);
  const folder = join(stage.gateway.folder, 'data');
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  const kept = [stage.gateway.logText(), ...files].join('');
  for (const secret of [made.body.plaintext, regenerated.body.token, rotated.body.token]) {
    expect(secret).toMatch(/^prj_/);
    expect(kept).not.toContain(secret);
    expect(kept).not.toContain(secret.slice(10));
  }
});
