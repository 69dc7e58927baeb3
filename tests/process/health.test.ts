/** What the health listener says, and what it cannot be made to say. */
import { METHODS } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import { type ConfigFile, configFile, type PosternProcess, startPostern } from '../fixtures/process.ts';
import { chanceOf } from '../fixtures/random.ts';

let file: ConfigFile;
let gateway: PosternProcess;
beforeAll(async () => {
  file = configFile(`
upstreams:
  app: { url: http://127.0.0.1:1 }
token_types:
  user: { prefix: usr_, grantable: [items:read] }
scopes:
  items:read: Read items
apis:
  main:
    to: app
    routes:
      GET /items/{id}: { allow: { user: items:read } }
`);
  gateway = await startPostern(file.path);
});
afterAll(async () => {
  await gateway.kill();
  file.remove();
});

const ask = (path: string) => fetch(`${gateway.health}${path}`);

test('/livez and /readyz say what they say in JSON', async () => {
  const live = await ask('/livez');
  expect([live.status, await live.json()]).toEqual([200, { live: true }]);
  const ready = await ask('/readyz');
  const well = { ok: true, reason: null };
  expect([ready.status, await ready.json()]).toEqual([
    200,
    {
      ready: true,
      config: expect.stringMatching(/^[0-9a-f]{6,}$/),
      checks: { life: well, store: well, limiter: well, reload: well, upstreams: well },
    },
  ]);
});

test('nothing else is there, on either listener', async () => {
  for (const path of ['/', '/items/7', '/v1/tokens', '/readyz/x', '/METRICS']) {
    expect((await ask(path)).status).toBe(404);
  }
  for (const path of ['/livez', '/readyz', '/metrics']) {
    expect((await fetch(`${gateway.url}${path}`)).status).toBe(404);
  }
});

/** Names and labels of our own series. */
async function series(): Promise<readonly string[]> {
  const response = await ask('/metrics');
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('postern_'));
  for (const line of lines) expect(line).toMatch(/^postern_[a-z_]+(\{[a-z]+=.*\})? [0-9.e+-]+$/);
  return lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
}

/** 10,000 in all with FULL=1. */
const flooding = process.env.FULL === '1' ? 1000 : 300;

test('thousands of random paths, methods, hosts and tokens add no series to /metrics', async () => {
  const chance = chanceOf(11);
  const word = () => chance.next().toString(36).slice(2);
  const request = (): string => {
    const method = chance.happens(0.3) ? chance.one(METHODS.filter((name) => name !== 'CONNECT')) : 'GET';
    const path = chance.happens(0.3) ? `/items/${word()}` : `/${word()}/${chance.one(['..', '%2f', word()])}`;
    const token = chance.happens(0.5) ? `Authorization: Bearer usr_${word()}${word()}\r\n` : '';
    const host = chance.happens(0.05) ? '' : word();
    return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${token}Origin: https://${word()}.test\r\n\r\n`;
  };
  const flood = async (requests: number): Promise<void> => {
    const connection = new KeepAlive(gateway.port);
    for (let i = 0; i < requests; i++) await connection.ask(request());
    connection.close();
  };
  await flood(500);
  const before = await series();
  expect(before.filter((name) => name.startsWith('postern_requests_total')).length).toBeGreaterThan(4);
  await Promise.all(Array.from({ length: 10 }, () => flood(flooding)));
  expect(await series()).toEqual(before);
});
