/** Keys of leak reports that are fetched: where they cannot be had, nobody can tell who signed. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { keySet, report, start, statusOf } from './leak-stage.ts';

/** Says what it is told to, and counts who asks. */
async function startKeyServer() {
  const state = { asked: 0, status: 200, body: keySet('one'), headers: {} as Record<string, string> };
  const server = createServer((_req, res) => {
    state.asked++;
    res.writeHead(state.status, state.headers).end(state.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` });
}

describe('keys that are fetched', () => {
  test('are asked for once, and a name nobody knows is 401 without asking again at once', async () => {
    const server = await startKeyServer();
    const gateway = await start(`{ url: "${server.url}" }`);
    expect((await report(gateway, '[]')).status).toBe(200);
    expect((await report(gateway, '[]')).status).toBe(200);
    expect((await report(gateway, '[]', { 'Github-Public-Key-Identifier': 'two' })).status).toBe(401);
    expect(server.asked).toBe(1);
  });

  test.each([
    ['with a status that is none', { status: 500 }],
    ['with a redirect, which is not followed', { status: 302, headers: { Location: '/keys' } }],
    ['with something else', { body: '{"public_keys":[]}' }],
    ['with too much', { body: `${keySet('one')}${' '.repeat(300_000)}` }],
  ])('and answered %s are not there: 503', async (_what, saying) => {
    const server = await startKeyServer();
    Object.assign(server, saying);
    const gateway = await start(`{ url: "${server.url}" }`);
    const { token } = await gateway.mint('plain');
    const answer = await report(gateway, [{ token }]);
    expect([answer.status, answer.json.code]).toEqual([503, 'confirm_unavailable']);
    expect(answer.headers.get('retry-after')).not.toBeNull();
    expect(server.asked).toBe(1);
    expect(await statusOf(gateway, token)).toBe(200);
  });
});
