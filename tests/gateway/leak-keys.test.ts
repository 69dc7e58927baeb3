/** Keys of leak reports: fetched seldom, believed for a day at most, and never where nobody can tell. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createLeakKeyring } from '../../gateway/leak-keys.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = String(publicKey.export({ type: 'spki', format: 'pem' }));
const keySet = (...names: readonly string[]) =>
  JSON.stringify({ public_keys: names.map((key_identifier) => ({ key_identifier, key })) });

const minuteMs = 60_000;

async function start() {
  const server = { asked: 0, conditions: [] as unknown[], status: 200, body: keySet('one') };
  const http = createServer((req, res) => {
    server.asked++;
    server.conditions.push(req.headers['if-none-match'] ?? null);
    const isSame = req.headers['if-none-match'] === '"v1"' && server.status === 200;
    res.writeHead(isSame ? 304 : server.status, { ETag: '"v1"' }).end(isSame ? '' : server.body);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const clock = { now: 0 };
  const keyring = createLeakKeyring({ now: () => clock.now });
  onTestFinished(async () => {
    await keyring.close();
    http.closeAllConnections();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  const has = async (name: string) => (await keyring.keysFor({ kind: 'fetched', url }, name)).has(name);
  return { server, clock, has };
}

test('a name nobody knows is asked for once a minute, however many ask', async () => {
  const { server, clock, has } = await start();
  expect(await Promise.all(Array.from({ length: 20 }, () => has('one')))).toEqual(Array(20).fill(true));
  expect(server.asked).toBe(1);
  for (let n = 0; n < 20; n++) expect(await has(`two ${n}`)).toBe(false);
  expect(server.asked).toBe(1);
  clock.now += minuteMs;
  server.status = 203;
  await expect(has('two')).rejects.toThrow('they were answered with 203');
  expect([await has('one'), server.asked]).toEqual([true, 2]);
  clock.now += minuteMs;
  Object.assign(server, { status: 200, body: keySet('one', 'two') });
  // Held against what is known, the set is the same: nothing is sent again.
  expect(await has('two')).toBe(false);
  expect(server.conditions).toEqual([null, '"v1"', '"v1"']);
});

test('keys that cannot be had anew are believed for a day, and then by nobody', async () => {
  const { server, clock, has } = await start();
  expect(await has('one')).toBe(true);
  server.status = 500;
  clock.now += 60 * minuteMs;
  expect([await has('one'), server.asked]).toEqual([true, 2]);
  clock.now += 23 * 60 * minuteMs;
  await expect(has('one')).rejects.toMatchObject({ code: 'confirm_unavailable' });
  server.status = 200;
  clock.now += minuteMs;
  expect(await has('one')).toBe(true);
});
