/** The admin listener's door: who is answered at all, who may ask for what, and what is refused how. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { sendRaw } from '../fixtures/raw.ts';

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin();
});
afterAll(() => admin.gateway.stop());

const unknown = `postern_admin_${'0'.repeat(48)}`;

describe('a credential on the admin listener', () => {
  test('is an admin token by bearer', async () => {
    const { id, token } = await admin.mint('tokens:read');
    const { status, json } = await admin.ask('GET /v1/whoami', { token });
    expect(status).toBe(200);
    expect(json).toMatchObject({ id, type: 'postern_admin', scopes: ['tokens:read'], state: 'active' });
    expect(json).not.toHaveProperty('token');
  });

  test('is asked for where there is none, by a challenge that tells nothing', async () => {
    const { status, headers, json } = await admin.ask('GET /v1/tokens', { token: null });
    expect([status, json.code]).toEqual([401, 'credential_missing']);
    expect(headers.get('WWW-Authenticate')).toBe('Bearer realm="postern-admin"');
    expect(headers.get('Content-Type')).toBe('application/problem+json');
  });

  test('is none of the types that callers have, whatever their scopes are called', async () => {
    const { token } = await admin.gateway.mint('user', { attributes: { projects: ['a'] } });
    for (const wrong of [token, unknown, unknown.slice(0, -1), 'x', `${unknown}x`]) {
      const { status, headers, json } = await admin.ask('GET /v1/whoami', { token: wrong });
      expect([status, json.code]).toEqual([401, 'invalid_token']);
      expect(headers.get('WWW-Authenticate')).toBe('Bearer realm="postern-admin", error="invalid_token"');
    }
  });

  test('that is revoked, disabled or expired looks like one that never was', async () => {
    const never = (await admin.ask('GET /v1/whoami', { token: unknown })).json;
    const { tokens } = admin.gateway.running;
    const ends = [
      (id: string) => tokens.revoke(id, 'test', null),
      (id: string) => tokens.disable(id, 'test'),
      (id: string) => tokens.update(id, { expiresAt: 1 }, 'test'),
    ];
    for (const end of ends) {
      const { id, token } = await admin.mint('tokens:read');
      await end(id);
      const { json } = await admin.ask('GET /v1/whoami', { token });
      expect({ ...json, instance: '' }).toEqual({ ...never, instance: '' });
    }
  });

  test('is no cookie, no query and no second Authorization', async () => {
    const { token } = await admin.mint();
    const cookie = { token: null, headers: { Cookie: `postern_admin=${token}` } };
    expect((await admin.ask('GET /v1/whoami', cookie)).status).toBe(401);
    expect((await admin.ask(`GET /v1/whoami?access_token=${token}`, { token: null })).status).toBe(401);
    const twice = await raw(
      `GET /v1/whoami HTTP/1.1\r\nHost: ${host()}\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    expect(twice).toMatch(/^HTTP\/1.1 400 /);
  });

  test('must hold the scope of the route', async () => {
    const { token } = await admin.mint('tokens:read');
    const { status, headers, json } = await admin.ask('POST /v1/tokens', {
      token,
      body: { type: 'project' },
    });
    expect([status, json.code]).toEqual([403, 'scope_missing']);
    expect(headers.get('WWW-Authenticate')).toContain('error="insufficient_scope", scope="tokens:write"');
  });

  test('that is guessed at too often is refused unread, and one that was right before is not', async () => {
    const own = await startAdmin();
    try {
      await own.ask('GET /v1/whoami');
      const tries = [];
      for (let i = 0; i < 24; i++) tries.push(await own.ask('GET /v1/whoami', { token: unknown }));
      expect(tries.map(({ status }) => status)).toContain(429);
      const last = tries.at(-1);
      expect(last?.json.code).toBe('too_many_failures');
      expect(Number(last?.headers.get('Retry-After'))).toBeGreaterThan(0);
      const { token } = await own.mint();
      expect((await own.ask('GET /v1/whoami', { token })).status).toBe(429);
      expect((await own.ask('GET /v1/whoami')).status).toBe(200);
    } finally {
      await own.gateway.stop();
    }
  });
});

const host = () => new URL(admin.url).host;
const raw = async (text: string) => (await sendRaw(Number(new URL(admin.url).port), text)).text;

describe('every answer of the admin listener', () => {
  test('is never stored or sniffed', async () => {
    const answers = await Promise.all([
      admin.ask('GET /v1/whoami'),
      admin.ask('GET /v1/openapi.json', { token: null }),
      admin.ask('GET /v1/nothing'),
      admin.ask('GET /v1/tokens', { token: null }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 401]);
    for (const { headers } of answers) {
      expect(headers.get('Cache-Control')).toBe('no-store');
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff');
    }
  });

  test('names the methods of a path that has others', async () => {
    const { status, headers } = await admin.ask('DELETE /v1/tokens');
    expect([status, headers.get('Allow')]).toEqual([405, 'GET, POST']);
  });

  test('to somebody without a token is the same for every path', async () => {
    for (const line of ['GET /v1/nothing', 'DELETE /v1/tokens', 'GET /v1/livez', 'GET /v1']) {
      expect((await admin.ask(line, { token: null })).status).toBe(401);
    }
  });
});

test('a store that cannot answer is 503, and never a bad token', async () => {
  const own = await startAdmin();
  try {
    const { token } = await own.mint();
    await own.gateway.running.tokens.close();
    const { status, json, headers } = await own.ask('GET /v1/whoami', { token });
    expect([status, json.code]).toEqual([503, 'store_unavailable']);
    expect(headers.get('Retry-After')).toBe('1');
    expect(own.gateway.lines).toContainEqual(expect.objectContaining({ event: 'admin_store_fault' }));
  } finally {
    await own.gateway.stop();
  }
});

describe('a body', () => {
  test.each([
    ['is JSON by its type', '{}', { 'Content-Type': 'text/plain' }, 415],
    ['has no coding', '{}', { 'Content-Encoding': 'gzip' }, 415],
    ['is JSON', '{"type":', {}, 400],
    ['is an object', '[]', {}, 400],
    ['is no longer than 64 KiB', JSON.stringify({ label: 'x'.repeat(70_000) }), {}, 413],
  ])('%s', async (_what, body, headers, status) => {
    expect((await admin.ask('POST /v1/tokens', { body, headers })).status).toBe(status);
  });

  test('that is sent in pieces is no longer either', async () => {
    const { token } = await admin.mint();
    const piece = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const told = await raw(
      `POST /v1/tokens HTTP/1.1\r\nHost: ${host()}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${piece.repeat(5)}0\r\n\r\n`,
    );
    expect(told).toMatch(/^HTTP\/1.1 413 /);
  });

  test.each([
    ['{"type":"project","type":"user"}', '"type" stands twice'],
    ['{"type":"project","\\u0074ype":"user"}', '"type" stands twice'],
    ['{"type":"project","attributes":{"project":"a","project":"b"}}', '"attributes.project" stands twice'],
    [
      `{"type":"project","attributes":{"${unknown}":"a","${unknown}":"b"}}`,
      'a key in "attributes" stands twice',
    ],
    [`{"${unknown}":1,"${unknown}":1}`, 'a key stands twice'],
    [`${'{"a":'.repeat(20)}{"b":1,"b":1}${'}'.repeat(20)}`, 'a key in "a.a.a.a.a.a.a.a" stands twice'],
    ['[{"a":1},{"a":1,"a":2}]', '"1.a" stands twice'],
  ])('has no key twice, of which readers could take either: %s', async (body, detail) => {
    const before = (await admin.ask('GET /v1/tokens?limit=1000')).json.tokens.length;
    const { status, headers, json, text } = await admin.ask('POST /v1/tokens', { body });
    expect([status, headers.get('Content-Type')]).toEqual([400, 'application/problem+json']);
    expect(json).toMatchObject({ code: 'payload_invalid', detail, hint: 'send it once' });
    expect(text).not.toContain(unknown);
    expect((await admin.ask('GET /v1/tokens?limit=1000')).json.tokens).toHaveLength(before);
  });

  test('has no key that is not known, and the answer repeats only what is a name', async () => {
    const typo = await admin.ask('POST /v1/tokens', { body: { type: 'project', lable: 'x' } });
    expect(typo.json).toMatchObject({ detail: 'unknown key "lable"', hint: 'did you mean "label"?' });
    for (const key of [unknown, 'abcdefghijklmnopqrstuvwxyz', '__proto__', 'constructor1', 'A']) {
      const { status, text } = await admin.ask('POST /v1/tokens', {
        body: `{"type":"project",${JSON.stringify(key)}:1}`,
      });
      expect(status).toBe(400);
      expect(text).not.toContain(key);
    }
  });

  test('that is wrong is named by its path', async () => {
    const wrong: readonly [body: unknown, detail: string][] = [
      [{ label: 'x' }, 'type is missing'],
      [{ type: 'user', scopes: ['events:read', 1] }, 'scopes.1 is not what it must be'],
      [{ type: 'user', scopes: 'events:read' }, 'scopes is not what it must be'],
    ];
    for (const [body, detail] of wrong) {
      expect((await admin.ask('POST /v1/tokens', { body })).json).toMatchObject({ status: 400, detail });
    }
  });

  test('that is wrong is not repeated', async () => {
    const secret = `prj_${'s'.repeat(40)}`;
    for (const body of [
      { type: secret },
      { type: 'project', expires_in: secret },
      { type: 'project', scopes: secret },
      { type: 'user', scopes: [secret] },
      { type: 'project', attributes: { [secret]: 'x' } },
      { type: 'project', label: `${secret}\n` },
    ]) {
      const { status, text } = await admin.ask('POST /v1/tokens', { body });
      expect([status, text.includes(secret)]).toEqual([400, false]);
    }
  });

  test('a parameter that is not known, or stands twice, is refused', async () => {
    for (const query of ['typ=user', 'limit=0', 'limit=1001', 'limit=1&limit=2', 'after=a&after=b']) {
      expect((await admin.ask(`GET /v1/tokens?${query}`)).status).toBe(400);
    }
  });
});

test('what was written is said again to whoever prefers it, and to nobody else', async () => {
  const asking = (prefer: string | null) =>
    admin.ask('POST /v1/tokens', {
      body: { type: 'prj_SECRET' },
      headers: prefer === null ? {} : { Prefer: prefer },
    });
  for (const prefer of [null, '', 'given-name', 'return=minimal', 'x=given', 'forgiven']) {
    expect((await asking(prefer)).text).not.toContain('SECRET');
  }
  for (const prefer of ['given', 'Given', 'return=minimal, given', 'given;x=1, wait=1']) {
    expect((await asking(prefer)).json).toMatchObject({ code: 'payload_invalid', given: 'prj_SECRET' });
  }
  const nobody = await admin.ask('POST /v1/tokens', {
    token: 'prj_SECRET',
    headers: { Prefer: 'given' },
    body: {},
  });
  expect([nobody.status, nobody.text.includes('SECRET')]).toEqual([401, false]);
});
