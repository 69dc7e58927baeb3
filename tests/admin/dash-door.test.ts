/** The dashboard's door: who gets in, by what, for how long; and who is kept out, however they try. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { hashPassword } from '../../gateway/admin/passwords.ts';
import {
  type DashFixture,
  hiddenOf,
  oneOperator,
  operatorsHead,
  password,
  passwordHash,
  startDash,
} from '../fixtures/dash.ts';
import { sendRaw } from '../fixtures/raw.ts';

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash();
});
afterAll(() => dash.gateway.stop());

const own = async (head: string) => {
  const fixture = await startDash(head);
  onTestFinished(() => fixture.gateway.stop());
  return fixture;
};
const byPassword = (name: string, word: string) => ({ form: { with: 'password', name, password: word } });
const cookieFrom = (cookies: readonly string[]) => cookies[0]?.split(';')[0] ?? '';

describe('a session', () => {
  test('begins with an admin token or a password, in a cookie that no script and no other site gets', async () => {
    const { token } = await dash.mint();
    for (const form of [{ with: 'token', token: ` ${token} ` }, byPassword('ada', password).form]) {
      const { status, location, cookies } = await dash.dash('POST /sign-in', {
        form: { ...form, to: '/sessions' },
      });
      expect([status, location]).toEqual([303, '/sessions']);
      expect(cookies).toHaveLength(1);
      expect(cookies[0]).toMatch(
        /^postern_session=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
      );
      const page = await dash.dash('GET /sessions', { cookie: cookieFrom(cookies) });
      expect(page.status).toBe(200);
      expect(page.text).not.toContain(cookieFrom(cookies).slice(16));
    }
  });

  test('leads nowhere but to pages of ours', async () => {
    const { token } = await dash.mint();
    for (const to of ['//evil.example', '/\\evil.example', 'https://evil.example', '/a\nb', '']) {
      const { location } = await dash.dash('POST /sign-in', { form: { with: 'token', token, to } });
      expect(location).toBe('/');
    }
  });

  test('is a new one at each sign-in, and the one before it ends', async () => {
    const { cookie: before, token } = await dash.signIn();
    const planted = `postern_session=${'x'.repeat(43)}`;
    for (const cookie of [before, planted]) {
      const { cookies } = await dash.dash('POST /sign-in', { cookie, form: { with: 'token', token } });
      expect(cookieFrom(cookies)).not.toBe(cookie);
      expect((await dash.dash('GET /tokens', { cookie })).status).toBe(303);
      expect((await dash.dash('GET /tokens', { cookie: cookieFrom(cookies) })).status).toBe(200);
    }
  });

  test('is not made of anything but its cookie, once', async () => {
    const { cookie, token } = await dash.signIn();
    for (const wrong of [
      null,
      'postern_session=',
      `${cookie}x`,
      cookie.replace('=', '= '),
      `${cookie}; ${cookie}`,
      cookie.replace('postern_session', '__Host-postern'),
    ]) {
      const { status, location } = await dash.dash('GET /tokens?type=user', { cookie: wrong });
      expect([status, location]).toEqual([303, '/sign-in?to=%2Ftokens%3Ftype%3Duser']);
    }
    const bearer = { headers: { Authorization: `Bearer ${token}` } };
    expect((await dash.dash('GET /tokens', bearer)).status).toBe(303);
    expect((await dash.ask('GET /v1/whoami', { token: null, headers: { Cookie: cookie } })).status).toBe(401);
  });

  test('ends when somebody signs out', async () => {
    const { cookie } = await dash.signIn();
    const { text } = await dash.dash('GET /tokens', { cookie });
    expect((await dash.dash('GET /sign-out', { cookie })).status).toBe(405);
    const form = { _form: hiddenOf(text, '/sign-out', '_form') };
    const out = await dash.dash('POST /sign-out', { cookie, form });
    expect([out.status, out.location]).toEqual([303, '/sign-in?done=out']);
    expect(out.cookies[0]).toMatch(/^postern_session=; Path=\/; Max-Age=0;/);
    expect((await dash.dash('GET /tokens', { cookie })).status).toBe(303);
  });

  test('ends with its token, however that ends, and stays over', async () => {
    const { tokens } = dash.gateway.running;
    const ends = [
      (id: string) => tokens.revoke(id, 'test', null),
      (id: string) => tokens.disable(id, 'test'),
      (id: string) => tokens.update(id, { expiresAt: 1 }, 'test'),
    ];
    for (const end of ends) {
      const { cookie, id } = await dash.signIn();
      expect((await dash.dash('GET /tokens', { cookie })).status).toBe(200);
      await end(id);
      expect((await dash.dash('GET /tokens', { cookie })).status).toBe(303);
      await tokens.enable(id, 'test');
      await tokens.update(id, { expiresAt: null }, 'test');
      expect((await dash.dash('GET /tokens', { cookie })).status).toBe(303);
    }
  });

  test('may do what its token may now, and no more', async () => {
    const { cookie, id } = await dash.signIn('tokens:read', 'tokens:write');
    expect((await dash.dash('GET /tokens/new', { cookie })).status).toBe(200);
    await dash.gateway.running.tokens.update(id, { scopes: ['tokens:read'] }, 'test');
    const refused = await dash.dash('GET /tokens/new', { cookie });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain('tokens:write');
    expect((await dash.dash('GET /tokens', { cookie })).text).not.toContain('New token');
  });

  test('of an operator ends when the config has another password for the name, or none', async () => {
    const fixture = await own(oneOperator);
    const enter = async () => {
      const { cookies } = await fixture.dash('POST /sign-in', byPassword('ada', password));
      return cookieFrom(cookies);
    };
    const { running, configFile, rewrite } = fixture.gateway;
    const { readFileSync } = await import('node:fs');
    const before = readFileSync(configFile, 'utf8');
    const body = before.slice(before.indexOf('upstreams:'));
    const cookie = await enter();
    expect((await fixture.dash('GET /tokens', { cookie })).status).toBe(200);
    process.env.POSTERN_TEST_OPERATOR = await hashPassword('another password of hers');
    rewrite(body);
    expect(await running.reload()).toBe(true);
    process.env.POSTERN_TEST_OPERATOR = passwordHash;
    expect((await fixture.dash('GET /tokens', { cookie })).status).toBe(303);
    expect((await fixture.dash('POST /sign-in', byPassword('ada', password))).status).toBe(401);
    expect(await running.reload()).toBe(true);
    expect((await fixture.dash('GET /tokens', { cookie })).status).toBe(303);
    expect(await enter()).not.toBe('');
  });
});

describe('a page of another site', () => {
  test('cannot send a form, whatever it names as its origin', async () => {
    const { cookie } = await dash.signIn();
    const { text } = await dash.dash('GET /tokens/new?type=legacy', { cookie });
    const form = {
      _form: hiddenOf(text, '/tokens/new', '_form'),
      key: 'k'.repeat(22),
      type: 'legacy',
      label: 'x',
    };
    for (const origin of [
      null,
      'null',
      'http://evil.example',
      `${dash.url}.evil.example`,
      'https://127.0.0.1',
    ]) {
      for (const line of ['POST /tokens/new', 'POST /sign-in', 'POST /sign-out']) {
        const { status } = await dash.dash(line, { cookie, form, headers: { Origin: origin } });
        expect([line, origin, status]).toEqual([line, origin, 403]);
      }
    }
    expect((await dash.ask('GET /v1/tokens?type=legacy')).json.tokens).toEqual([]);
  });

  test('cannot make a form: what proves it is of the session alone', async () => {
    const { cookie } = await dash.signIn();
    const other = await dash.signIn();
    const { text } = await dash.dash('GET /tokens/new?type=legacy', { cookie: other.cookie });
    const theirs = hiddenOf(text, '/tokens/new', '_form');
    expect(theirs).toMatch(/^[A-Za-z0-9_-]{43}$/);
    for (const proof of [undefined, '', theirs, cookie.slice(16)]) {
      const form = {
        key: 'k'.repeat(22),
        type: 'legacy',
        label: 'x',
        ...(proof === undefined ? {} : { _form: proof }),
      };
      expect((await dash.dash('POST /tokens/new', { cookie, form })).status).toBe(403);
    }
    expect((await dash.ask('GET /v1/tokens?type=legacy')).json.tokens).toEqual([]);
  });

  test('cannot send what is no form', async () => {
    const { cookie } = await dash.signIn();
    for (const type of ['text/plain', 'application/json', 'multipart/form-data; boundary=x']) {
      const headers = { 'Content-Type': type };
      expect((await dash.dash('POST /tokens/new', { cookie, form: { a: 'b' }, headers })).status).toBe(415);
    }
    const long = { form: { label: 'x'.repeat(70_000) }, cookie };
    expect((await dash.dash('POST /tokens/new', long)).status).toBe(413);
  });

  test('can neither be a name of ours, nor frame us, nor read us, nor run anything here', async () => {
    const { cookie } = await dash.signIn();
    const port = Number(new URL(dash.url).port);
    for (const line of ['GET /', 'GET /sign-in', 'GET /dash.css', 'GET /tokens', 'POST /sign-in']) {
      const raw = await sendRaw(
        port,
        `${line} HTTP/1.1\r\nHost: evil.example:${port}\r\nCookie: ${cookie}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      expect(raw.text).toMatch(/^HTTP\/1\.1 403 /);
    }
    const answers = await Promise.all(
      ['GET /', 'GET /sign-in', 'GET /tokens', 'GET /nothing', 'GET /dash.js', 'PUT /tokens'].map((line) =>
        dash.dash(line, { cookie }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 200, 405]);
    for (const { headers } of answers) {
      expect(headers['content-security-policy']).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'same-origin',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(headers['access-control-allow-origin']).toBeUndefined();
      expect(headers['cache-control']).toMatch(/^no-store$|^no-cache$/);
    }
  });
});

describe('behind a proxy that speaks https', () => {
  const head = operatorsHead('', 'hosts: [gate.example],');
  const there = { Host: 'gate.example', 'X-Forwarded-Proto': 'https' };

  test('the cookie is one that needs https and that no other host can set', async () => {
    const fixture = await own(head);
    const { token } = await fixture.mint();
    const headers = { ...there, Origin: 'https://gate.example' };
    const form = { with: 'token', token };
    const { cookies } = await fixture.dash('POST /sign-in', { form, headers });
    expect(cookies[0]).toMatch(
      /^__Host-postern=[^;]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
    );
    const cookie = cookieFrom(cookies);
    expect((await fixture.dash('GET /tokens', { cookie, headers: there })).status).toBe(200);
    const plain = cookie.replace('__Host-postern', 'postern_session');
    expect((await fixture.dash('GET /tokens', { cookie: plain, headers: there })).status).toBe(303);
    const { status } = await fixture.dash('POST /sign-in', {
      form,
      headers: { ...there, Origin: 'http://gate.example' },
    });
    expect(status).toBe(403);
  });

  test('and says nothing of it, no token is shown or sent on a way without https', async () => {
    const fixture = await own(head);
    const { token } = await fixture.mint();
    const headers = { Host: 'gate.example', Origin: 'https://gate.example' };
    const { cookies } = await fixture.dash('POST /sign-in', { form: { with: 'token', token }, headers });
    expect(cookies[0]).toMatch(/^postern_session=[^;]{43}; .*; SameSite=Strict; Secure$/);
    const cookie = cookieFrom(cookies);
    const asking = { cookie, headers: { Host: 'gate.example' } };
    const { text } = await fixture.dash('GET /tokens/new?type=postern_admin', asking);
    const [_form, key] = ['_form', 'key'].map((name) => hiddenOf(text, '/tokens/new', name));
    const form = { _form: _form ?? '', key: key ?? '', type: 'postern_admin', label: 'shown' };
    const scope = { [/name="(scopes?)"/.exec(text)?.[1] ?? '']: 'tokens:read' };
    const made = await fixture.dash('POST /tokens/new', { cookie, headers, form: { ...form, ...scope } });
    expect(made.status).toBe(201);
    expect(made.text).toContain('https://gate.example/v1/whoami');
    expect(made.text).not.toContain('http://gate.example');
  });

  test("is not believed of this host's own names", async () => {
    const { token } = await dash.mint();
    const headers = { 'X-Forwarded-Proto': 'https' };
    const { cookies } = await dash.dash('POST /sign-in', { form: { with: 'token', token }, headers });
    expect(cookies[0]).toMatch(/^postern_session=/);
  });
});

describe('the page of sessions', () => {
  test('shows own ones, and ends them', async () => {
    const { cookie, token } = await dash.signIn('tokens:read');
    const { cookies } = await dash.dash('POST /sign-in', { form: { with: 'token', token } });
    const second = cookieFrom(cookies);
    const { text } = await dash.dash('GET /sessions', { cookie });
    const ids = [...text.matchAll(/action="\/sessions\/(ses_[0-9A-Z]{26})\/end"/g)].map(([, id]) => id ?? '');
    expect(ids).toHaveLength(2);
    const [newest = ''] = ids;
    const form = { _form: hiddenOf(text, `/sessions/${newest}/end`, '_form') };
    const ended = await dash.dash(`POST /sessions/${newest}/end`, { cookie, form });
    expect([ended.status, ended.location]).toEqual([303, '/sessions?done=ended']);
    expect((await dash.dash('GET /tokens', { cookie: second })).status).toBe(303);
    expect((await dash.dash('GET /tokens', { cookie })).status).toBe(200);
  });

  test("shows and ends others' with the scope for it, and without it they are not there", async () => {
    const victim = await dash.signIn('tokens:read');
    const page = await dash.dash('GET /sessions', { cookie: victim.cookie });
    const [, id = ''] = /\/sessions\/(ses_[0-9A-Z]{26})\/end/.exec(page.text) ?? [];
    const end = async (cookie: string) => {
      const { text } = await dash.dash('GET /sessions', { cookie });
      const form = { _form: hiddenOf(text, '/sign-out', '_form') };
      return {
        shown: text.includes(id),
        status: (await dash.dash(`POST /sessions/${id}/end`, { cookie, form })).status,
      };
    };
    const stranger = await dash.signIn('tokens:read', 'tokens:write');
    expect(await end(stranger.cookie)).toEqual({ shown: false, status: 404 });
    expect((await dash.dash('GET /tokens', { cookie: victim.cookie })).status).toBe(200);
    const keeper = await dash.signIn('sessions:write');
    expect(await end(keeper.cookie)).toEqual({ shown: true, status: 303 });
    expect((await dash.dash('GET /tokens', { cookie: victim.cookie })).status).toBe(303);
  });
});

test('a query with a NUL is none, and reaches no store', async () => {
  const { cookie } = await dash.signIn();
  for (const path of ['/tokens?after=%00', '/audit?subject=a%00', '/pins/set?pin=app&subject=%00']) {
    expect((await dash.dash(`GET ${path}`, { cookie })).status).toBe(400);
  }
});

test('the stylesheet and the script come again only when they have changed', async () => {
  for (const path of ['/dash.css', '/dash.js']) {
    const { status, headers } = await dash.dash(`GET ${path}`);
    expect([status, headers['cache-control']]).toEqual([200, 'no-cache']);
    const again = await dash.dash(`GET ${path}`, { headers: { 'If-None-Match': String(headers.etag) } });
    expect([again.status, again.text]).toEqual([304, '']);
  }
});

test('a store that cannot answer is a page that says so, and ends no session', async () => {
  const fixture = await own(oneOperator);
  const { cookie } = await fixture.signIn();
  await fixture.gateway.running.tokens.close();
  const { status, headers, text } = await fixture.dash('GET /tokens', { cookie });
  expect([status, headers['retry-after']]).toEqual([503, '1']);
  expect(text).toContain('The store cannot be reached');
});
