/** An upstream keeps the login: what it makes can be used here at once, and what is no token of ours does not go out. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/process.ts';
import { next, onObserveStage, type Says } from './observe-stage.ts';

const stage = onObserveStage();

describe('a login of the upstream', () => {
  test('gives a token that works on the very next request, and passes as it came', async () => {
    const { user, token } = next();
    expect(await stage.use(token)).toBe(401);
    const body = { user: { id: user, name: 'Ada' }, token };
    stage.says({ status: 201, headers: { 'x-own': 'yes' }, body });
    const answer = await stage.send('POST', '/auth/login');
    expect([answer.status, answer.headers.get('x-own')]).toEqual([201, 'yes']);
    expect(await answer.json()).toEqual(body);
    expect(await stage.use(token)).toBe(200);
    const [record, ...more] = await stage.tokensOf('user', { user });
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      label: 'Ada',
      externalId: token.split('|')[0],
      attributes: new Map([
        ['user', user],
        ['client', 'mobile'],
      ]),
      createdBy: 'upstream',
    });
    expect(await stage.auditOf(record?.id ?? '')).toMatchObject([
      { action: 'token.learn', actor: 'upstream', detail: { type: 'user', label: 'Ada' } },
    ]);
  });

  test('that wants a second factor first gives none', async () => {
    const { token } = next();
    const body = { requires_totp: true, totp_token: 'totp_abcdefghijklmnop' };
    stage.says({ body });
    const answer = await stage.send('POST', '/auth/login');
    expect([answer.status, await answer.json()]).toEqual([200, body]);
    expect(await stage.use('totp_abcdefghijklmnop')).toBe(401);
    expect(await stage.use(token)).toBe(401);
  });

  test('that is refused gives none, whatever the answer holds', async () => {
    const { user, token } = next();
    for (const status of [301, 401, 422, 500]) {
      stage.says({ status, body: { user: { id: user }, token } });
      const answer = await fetch(`${stage.gateway.url}/auth/login`, { method: 'POST', redirect: 'manual' });
      expect(answer.status).toBe(status);
    }
    expect(await stage.use(token)).toBe(401);
  });

  test('ends the one before of the same client, and of no other', async () => {
    const mobile = await stage.loggedIn();
    const { user } = mobile;
    const [cli, cliToo] = [next(), next()];
    await stage.login(user, cli.token, { 'x-client': 'cli' });
    expect([await stage.use(mobile.token), await stage.use(cli.token)]).toEqual([200, 200]);
    await stage.login(user, cliToo.token, { 'x-client': 'cli' });
    expect(await Promise.all([mobile.token, cli.token, cliToo.token].map((one) => stage.use(one)))).toEqual([
      200, 401, 200,
    ]);
    const other = await stage.loggedIn({ 'x-client': 'cli' });
    expect([await stage.use(cliToo.token), await stage.use(other.token)]).toEqual([200, 200]);
  });

  test('is that of no client that the upstream was not told of', async () => {
    const { user } = await stage.loggedIn({ 'x-client': 'cli' });
    const { token } = next();
    stage.says({ body: { user: { id: user, name: 'Ada' }, token } });
    const headers = { 'x-client': 'cli', connection: 'close, x-client' };
    const asking = request(`${stage.gateway.url}/auth/login`, { method: 'POST', headers }).end();
    const [answer]: IncomingMessage[] = await once(asking, 'response');
    answer?.resume();
    expect(answer?.statusCode).toBe(200);
    const clients = (await stage.tokensOf('user', { user })).map(({ attributes }) =>
      attributes.get('client'),
    );
    expect(clients).toEqual(['cli', 'mobile']);
  });

  test('that is answered twice with the same token changes nothing the second time', async () => {
    const { user, token } = await stage.loggedIn();
    const [before] = await stage.tokensOf('user', { user });
    expect((await stage.login(user, token)).status).toBe(200);
    expect((await stage.login(user, token, { 'x-client': 'cli' })).status).toBe(200);
    const [after, ...more] = await stage.tokensOf('user', { user });
    expect(after).toMatchObject({ ...before, lastUsedAt: after?.lastUsedAt });
    expect(more).toEqual([]);
    await stage.gateway.running.tokens.revoke(before?.id ?? '', 'op', null);
    expect((await stage.login(user, token)).status).toBe(200);
    expect(await stage.use(token)).toBe(401);
  });

  test('as somebody else on the same session ends it, so that nobody goes on as the one before', async () => {
    const [{ user, sid }, other] = [next(), next()];
    let times = 0;
    const signIn = (id: string) => {
      const body = { user: { id }, csrf: `c-${times++}` };
      stage.says({ headers: { 'set-cookie': `sid=${sid}; HttpOnly` }, body });
      return stage.send('POST', '/auth/verify');
    };
    const me = async () => {
      stage.says({});
      return (await stage.send('GET', '/me', { headers: { cookie: `sid=${sid}` } })).status;
    };
    expect([(await signIn(user)).status, (await signIn(user)).status, await me()]).toEqual([200, 200, 200]);
    const answer = await signIn(other.user);
    expect([answer.status, answer.headers.get('set-cookie'), await me()]).toEqual([502, null, 401]);
    const [record] = await stage.tokensOf('session', { user });
    expect(record).toMatchObject({ revokedBy: 'upstream' });
    expect(await stage.tokensOf('session', { user: other.user })).toEqual([]);
    expect([(await signIn(other.user)).status, await me()]).toEqual([200, 401]);
  });

  test('by a cookie is learned from the field that sets it', async () => {
    const { user, sid } = next();
    stage.says({
      headers: { 'set-cookie': [`sid=${sid}; HttpOnly; Path=/`, 'other=x'] },
      body: { user: { id: user }, csrf: 'c-1' },
    });
    expect((await stage.send('POST', '/auth/verify')).status).toBe(200);
    stage.says({});
    expect((await stage.send('GET', '/me', { headers: { cookie: `sid=${sid}` } })).status).toBe(200);
    const [record] = await stage.tokensOf('session', { user });
    const lifeMs = (record?.expiresAt ?? 0) - (record?.createdAt ?? 0);
    expect(Math.round(lifeMs / 1000)).toBe(7 * 86_400);
  });
});

describe('what the upstream gives for a token and is none is 502, and nothing of it goes out', () => {
  const { user } = next();
  test.each<[string, string | number | object, number?]>([
    ['too short', '1|short'],
    ['without an id', 'a'.repeat(40)],
    ['of another type', `prj_live_${'a'.repeat(40)}`],
    ['with a byte no token has', `1|${'a'.repeat(40)} b`],
    ['too long', `1|${'a'.repeat(600)}`],
    ['far too long', `1|${'a'.repeat(9000)}`],
    ['a number', 12_345_678_901_234],
    ['an object', { value: `1|${'a'.repeat(40)}` }],
  ])('%s', async (_, token) => {
    const before = stage.gateway.logText().length;
    stage.says({ headers: { 'x-upstream': 'seen' }, body: { user: { id: user }, token } });
    const answer = await stage.send('POST', '/auth/login');
    const text = await answer.text();
    expect([answer.status, answer.headers.get('x-upstream')]).toEqual([502, null]);
    expect(JSON.parse(text)).toMatchObject({ code: 'upstream_protocol_error' });
    const requestId = answer.headers.get('x-request-id');
    await stage.gateway.account(requestId);
    for (const said of [text, stage.gateway.logText().slice(before)])
      expect(said).not.toMatch(/aaaa|short|12345678901/);
    await eventually('it is in the audit', async () =>
      (await stage.auditOf('type=user')).some(({ detail }) => detail.request === requestId),
    );
    const entry = (await stage.auditOf('type=user')).find(({ detail }) => detail.request === requestId);
    expect(entry).toMatchObject({
      action: 'token.observe_failed',
      actor: 'upstream',
      detail: { entry: 'token', route: 'main POST /auth/login' },
    });
    expect(JSON.stringify(entry)).not.toMatch(/aaaa|short|12345678901/);
    expect(await stage.tokensOf('user', { user })).toEqual([]);
  });

  test.each<[string, Says]>([
    ['no body', { status: 204, body: '' }],
    ['no user', { body: { token: `1|${'a'.repeat(40)}` } }],
    ['a user twice', { body: `{"user":{"id":"a"},"user":{"id":"b"},"token":"1|${'a'.repeat(40)}"}` }],
    ['a content coding', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('{}') }],
  ])('nor can an answer be read with %s', async (_, answer) => {
    stage.says(answer);
    expect((await stage.send('POST', '/auth/login')).status).toBe(502);
    expect(await stage.use(`1|${'a'.repeat(40)}`)).toBe(401);
  });

  test('nor is a token whose id another has already', async () => {
    const one = await stage.loggedIn();
    const [id] = one.token.split('|');
    const other = `${id}|${'z'.repeat(40)}`;
    expect((await stage.login(one.user, other)).status).toBe(502);
    expect([await stage.use(one.token), await stage.use(other)]).toEqual([200, 401]);
  });
});

test('a login that cannot be written is 503, the token does not go out, and none is ended for it', async () => {
  const { user, token } = await stage.loggedIn();
  const other = next().token;
  const lock = new Database(`${stage.gateway.folder}/data/postern.db`);
  lock.exec('begin immediate');
  const answer = await stage.login(user, other);
  const text = await answer.text();
  expect(answer.status).toBe(503);
  expect(text).not.toContain(other.slice(-40));
  lock.close();
  expect([await stage.use(token), await stage.use(other)]).toEqual([200, 401]);
  expect((await stage.login(user, other)).status).toBe(200);
  expect([await stage.use(token), await stage.use(other)]).toEqual([401, 200]);
}, 10_000);

test('no token is in the logs, the audit or the file as it is', async () => {
  const { user, token } = await stage.loggedIn();
  const { live, project } = next();
  stage.says({ body: { id: project, token: live } });
  await stage.send('POST', '/projects', { token });
  expect([await stage.use(token), await stage.use(live)]).toEqual([200, 200]);
  await stage.gateway.running.tokens.flush();
  const { entries } = await stage.gateway.running.tokens.audit.list({
    subject: null,
    after: null,
    limit: 1000,
  });
  const file = new Database(`${stage.gateway.folder}/data/postern.db`, { readonly: true });
  const kept = JSON.stringify(file.prepare('select * from tokens').all());
  file.close();
  expect(kept).toContain(user);
  for (const text of [kept, JSON.stringify(entries), stage.gateway.logText()]) {
    for (const secret of [token, live]) expect(text).not.toContain(secret.slice(-30));
  }
});
