/** An upstream keeps logouts and projects: what it ends is refused here at once, and what is not its own lives on. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/process.ts';
import { next, onObserveStage, type Says } from './observe-stage.ts';

const stage = onObserveStage();

describe('a logout of the upstream', () => {
  test.each<[string, Says]>([
    ['204', { status: 204, body: '' }],
    ['a text', { body: 'bye' }],
    ['gzip', { headers: { 'content-encoding': 'gzip' }, body: gzipSync('bye') }],
  ])('of %s ends the token that asked, and no other of its owner', async (_, answer) => {
    const { user, token } = await stage.loggedIn();
    const cli = next().token;
    await stage.login(user, cli, { 'x-client': 'cli' });
    stage.says(answer);
    const got = await stage.send('POST', '/auth/logout', { token, headers: { 'accept-encoding': 'gzip' } });
    expect(got.status).toBe(answer.status ?? 200);
    expect(got.headers.get('content-encoding')).toBe(answer.headers?.['content-encoding'] ?? null);
    expect(await got.text()).toBe(answer.status === 204 ? '' : 'bye');
    expect([await stage.use(token), await stage.use(cli)]).toEqual([401, 200]);
    const record = (await stage.tokensOf('user', { user })).find(({ revokedAt }) => revokedAt !== null);
    expect(record).toMatchObject({
      revokedBy: record?.id,
      revokedReason: `observed, request ${got.headers.get('x-request-id')}`,
    });
    expect((await stage.auditOf(record?.id ?? '')).map(({ action }) => action)).toEqual([
      'token.learn',
      'token.revoke',
    ]);
    expect(await stage.login(user, token)).toMatchObject({ status: 200 });
    expect(await stage.use(token)).toBe(401);
  });

  test('that is refused ends nothing', async () => {
    const { token } = await stage.loggedIn();
    stage.says({ status: 500 });
    expect((await stage.send('POST', '/auth/logout', { token })).status).toBe(500);
    expect(await stage.use(token)).toBe(200);
  });

  test('whose answer breaks off, or that nobody waits for, ends the token all the same', async () => {
    const [one, other] = [await stage.loggedIn(), await stage.loggedIn()];
    stage.upstream.answer = (req, res) => {
      req.resume();
      res.writeHead(200, { 'content-length': 1000 }).write('a', () => res.destroy());
    };
    expect((await stage.send('POST', '/auth/logout', { token: one.token })).status).toBe(502);
    expect(await stage.use(one.token)).toBe(401);
    const arrived = Promise.withResolvers<ServerResponse>();
    stage.upstream.answer = (req, res) => req.resume().on('end', () => arrived.resolve(res));
    const socket = connect(stage.gateway.port, '127.0.0.1');
    const head = `POST /auth/logout HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${other.token}\r\n`;
    socket.write(`${head}Content-Length: 2\r\n\r\n{}`);
    const res = await arrived.promise;
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    res.writeHead(204).end();
    await eventually('the token is ended', async () => (await stage.use(other.token)) === 401);
  });

  test('is heard of by whom it ends, however slow, while other answers to the same token are cut', async () => {
    const { token } = await stage.loggedIn();
    const { tokens } = stage.gateway.running;
    const arrived = Promise.withResolvers<ServerResponse>();
    stage.upstream.answer = (req, res) => req.resume().on('end', () => arrived.resolve(res));
    const leaving = stage.send('POST', '/auth/logout', { token });
    const logout = await arrived.promise;
    // Younger than the logout, so whoever looks at this one has looked at that one.
    stage.upstream.answer = (_, res) => void res.writeHead(200).write('first');
    const cut = (await stage.send('GET', '/me', { token })).text().catch(() => 'cut');
    const { revoke } = tokens;
    tokens.revoke = async (...args) => {
      tokens.revoke = revoke;
      const record = await tokens.revoke(...args);
      expect(await cut).toBe('cut');
      return record;
    };
    logout.writeHead(204).end();
    expect((await leaving).status).toBe(204);
  });

  test('ends an answer under way as every revoke does', async () => {
    const { token } = await stage.loggedIn();
    const begun = Promise.withResolvers<ServerResponse>();
    stage.upstream.answer = (_, res) => {
      res.writeHead(200).write('first', () => begun.resolve(res));
    };
    const stream = await stage.send('GET', '/me', { token });
    await begun.promise;
    stage.says({ status: 204, body: '' });
    expect((await stage.send('POST', '/auth/logout', { token })).status).toBe(204);
    await expect(stream.text()).rejects.toThrow();
  });

  test('with a new token in its place ends the old one and brings the new', async () => {
    const { user, token } = await stage.loggedIn();
    const renewed = next().token;
    stage.says({ body: { token: renewed } });
    expect((await stage.send('POST', '/auth/refresh', { token })).status).toBe(200);
    expect([await stage.use(token), await stage.use(renewed)]).toEqual([401, 200]);
    expect((await stage.tokensOf('user', { user })).map(({ revokedAt }) => revokedAt === null)).toEqual([
      false,
      true,
    ]);
  });

  test('of all tokens of a person is that of the one whom the answer names', async () => {
    const [one, other] = [await stage.loggedIn(), await stage.loggedIn()];
    const cli = next().token;
    await stage.login(one.user, cli, { 'x-client': 'cli' });
    stage.says({ body: { user: { id: one.user } } });
    expect((await stage.send('POST', '/auth/reset')).status).toBe(200);
    expect(await Promise.all([one.token, cli, other.token].map((token) => stage.use(token)))).toEqual([
      401, 401, 200,
    ]);
    for (const body of [{}, { user: {} }, { user: { id: '' } }, { user: { id: null } }]) {
      stage.says({ body });
      expect((await stage.send('POST', '/auth/reset')).status).toBe(502);
    }
    expect(await stage.use(other.token)).toBe(200);
  });
});

describe('a project of the upstream', () => {
  test('comes with a token, and goes with all of its tokens and no other’s', async () => {
    const owner = await stage.loggedIn();
    const [a, b] = [next(), next()];
    for (const { project, live } of [a, b]) {
      stage.says({ status: 201, body: { id: project, token: live } });
      expect((await stage.send('POST', '/projects', owner)).status).toBe(201);
      expect(await stage.use(live)).toBe(200);
    }
    const more = await stage.gateway.mint('project', { attributes: { project: a.project } });
    const key = `cho_${a.live}`;
    stage.says({ body: { key } });
    expect((await stage.send('POST', `/projects/${a.project}/keys`, owner)).status).toBe(200);
    expect(await stage.tokensOf('chosen', { project: a.project, by: 'partner' })).toMatchObject([
      { scopes: ['a'], label: 'chosen' },
    ]);
    stage.says({ status: 204, body: '' });
    expect((await stage.send('DELETE', `/projects/${a.project}`, owner)).status).toBe(204);
    expect(
      await Promise.all([a.live, more.token, key, b.live, owner.token].map((one) => stage.use(one))),
    ).toEqual([401, 401, 401, 200, 200]);
    const [record] = await stage.tokensOf('project', { project: a.project });
    const [caller] = await stage.tokensOf('user', { user: owner.user });
    expect((await stage.auditOf(record?.id ?? '')).at(-1)).toMatchObject({
      action: 'token.revoke',
      actor: caller?.id,
    });
  });

  test('may be ended by one of its own tokens, which hears of it', async () => {
    const { project, live } = next();
    const { token } = await stage.gateway.mint('project', { attributes: { project } });
    stage.says({ status: 204, body: '' });
    expect((await stage.send('DELETE', `/projects/${project}`, { token })).status).toBe(204);
    expect([await stage.use(token), await stage.use(live)]).toEqual([401, 401]);
  });

  test('whose name no token could have ends nothing, and says so', async () => {
    const owner = await stage.loggedIn();
    stage.says({ status: 204, body: '' });
    expect((await stage.send('DELETE', `/projects/${encodeURIComponent('ü')}`, owner)).status).toBe(502);
  });

  test('may be given a token in the name of who is known to the upstream alone', async () => {
    const { project, live } = next();
    stage.says({ body: { key: `cho_${live}` } });
    const answer = await stage.send('POST', `/projects/${project}/keys`, { token: `par_${'p'.repeat(20)}` });
    expect(answer.status).toBe(200);
    expect(await stage.use(`cho_${live}`)).toBe(200);
    expect(await stage.tokensOf('chosen', { project })).toMatchObject([{ createdBy: 'upstream:partner' }]);
  });
});
