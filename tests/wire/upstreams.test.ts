/** Several urls of one upstream, as a caller sees them: shared, left out, tried again where that is safe. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '../fixtures/free-port.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let one: UpstreamFixture;
let two: UpstreamFixture;
let gateway: GatewayFixture;

const rows = `apis:
  main:
    to: app
    routes:
      GET /a: { allow: public }
      PUT /a: { allow: public }
      POST /a: { allow: public }
`;

beforeAll(async () => {
  [one, two] = await Promise.all([startUpstream(), startUpstream()]);
  gateway = await startTestGateway(`upstreams: { app: { url: [${one.url}, ${two.url}/base] } }\n${rows}`);
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([one.stop(), two.stop()]);
});

describe('two urls', () => {
  test('share the requests, each with its own base path and Host', async () => {
    for (let i = 0; i < 10; i++) expect((await fetch(`${gateway.url}/a`)).status).toBe(200);
    expect(one.seen).toHaveLength(5);
    expect(two.seen).toHaveLength(5);
    expect(one.seen[0]).toMatchObject({ target: '/a', headers: { host: new URL(one.url).host } });
    expect(two.seen[0]).toMatchObject({ target: '/base/a', headers: { host: new URL(two.url).host } });
  });

  test('the one that is slow gets no more while the other is free', async () => {
    const held: (() => void)[] = [];
    one.answer = (_req, res) => void held.push(() => res.end('late'));
    two.answer = (_req, res) => void res.end('fast');
    const slow: Promise<string>[] = [];
    while (held.length === 0) {
      slow.push(fetch(`${gateway.url}/a`).then((answer) => answer.text()));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let i = 0; i < 10; i++) expect(await (await fetch(`${gateway.url}/a`)).text()).toBe('fast');
    expect(held).toHaveLength(1);
    for (const release of held) release();
    expect((await Promise.all(slow)).filter((text) => text === 'late')).toHaveLength(1);
    one.answer = null;
    two.answer = null;
  });
});

describe('a url that refuses connections', () => {
  test('costs a request nothing where it can be repeated, and a POST is never sent twice', async () => {
    const app = await startUpstream();
    const gate = await startTestGateway(
      `upstreams: { app: { url: ["http://127.0.0.1:${await freePort()}", "${app.url}"] } }\n${rows}`,
    );
    const statusOf = async (init: RequestInit) => (await fetch(`${gate.url}/a`, init)).status;
    // The first url takes the first request: nothing has been sent, but a POST is not ours to repeat.
    const post = await statusOf({ method: 'POST' });
    const get = [await statusOf({}), await statusOf({})];
    const put = [await statusOf({ method: 'PUT' }), await statusOf({ method: 'PUT' })];
    await gate.stop();
    await app.stop();
    expect(get).toEqual([200, 200]);
    expect(put).toEqual([200, 200]);
    expect(post).toBe(502);
  });

  test('is left out after three failures, and every request then succeeds, POST too', async () => {
    const app = await startUpstream();
    const gate = await startTestGateway(
      `upstreams: { app: { url: ["http://127.0.0.1:${await freePort()}", "${app.url}"] } }\n${rows}`,
    );
    for (let i = 0; i < 6; i++) expect((await fetch(`${gate.url}/a`)).status).toBe(200);
    const statuses = await Promise.all(
      Array.from(
        { length: 20 },
        async () => (await fetch(`${gate.url}/a`, { method: 'POST', body: 'x' })).status,
      ),
    );
    const metrics = await (await fetch(`${gate.running.health}/metrics`)).text();
    const told = gate.lines.filter(({ event }) => event === 'upstream_down');
    await gate.stop();
    await app.stop();
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(told).toMatchObject([{ upstream: 'app', reason: 'ECONNREFUSED; left out for 5 s' }]);
    expect(metrics).toMatch(/postern_upstream_up\{upstream="app",url="http:\/\/127\.0\.0\.1:\d+"\} 0/);
  });

  test('all of them: 502, once each was tried', async () => {
    const gate = await startTestGateway(
      `upstreams: { app: { url: ["http://127.0.0.1:${await freePort()}", "http://127.0.0.1:${await freePort()}"] } }\n${rows}`,
    );
    const answer = await fetch(`${gate.url}/a`);
    await gate.stop();
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ code: 'upstream_unreachable' });
  });

  test('an answer that broke off is not asked for again', async () => {
    const app = await startUpstream();
    let asked = 0;
    app.answer = (req) => {
      asked++;
      req.socket.destroy();
    };
    const gate = await startTestGateway(`upstreams: { app: { url: [${app.url}, ${one.url}] } }\n${rows}`);
    const statuses = [(await fetch(`${gate.url}/a`)).status, (await fetch(`${gate.url}/a`)).status];
    await gate.stop();
    await app.stop();
    expect(statuses.toSorted()).toEqual([200, 502]);
    expect(asked).toBe(1);
  });
});

describe('a health check', () => {
  test('takes a sick url out and lets it in again when it is well', async () => {
    const [sick, well] = await Promise.all([startUpstream(), startUpstream()]);
    let status = 503;
    sick.answer = (req, res) => {
      res.statusCode = req.url === '/healthz' ? status : 200;
      res.end('sick');
    };
    well.answer = (req, res) => {
      res.statusCode = req.url === '/healthz' ? 204 : 200;
      res.end(req.url === '/healthz' ? undefined : 'well');
    };
    const gate = await startTestGateway(
      `upstreams: { app: { url: [${sick.url}, ${well.url}/base], health: { path: /healthz, every: 20ms } } }\n${rows}`,
    );
    const told = async (event: string) => {
      while (!gate.lines.some((line) => line.event === event)) await new Promise((go) => setTimeout(go, 5));
    };
    await told('upstream_down');
    const out = await Promise.all(
      Array.from({ length: 10 }, async () => (await fetch(`${gate.url}/a`)).text()),
    );
    status = 200;
    await told('upstream_up');
    const both = await Promise.all(
      Array.from({ length: 10 }, async () => (await fetch(`${gate.url}/a`)).text()),
    );
    await gate.stop();
    await Promise.all([sick.stop(), well.stop()]);
    expect(new Set(out)).toEqual(new Set(['well']));
    expect(new Set(both)).toEqual(new Set(['well', 'sick']));
    expect(gate.lines.find(({ event }) => event === 'upstream_down')).toMatchObject({
      upstream: 'app',
      origin: sick.url,
      reason: 'its health check failed: status 503',
    });
  });
});

test('a url whose answer to the health check begins and never ends is out', async () => {
  const [stuck, well] = await Promise.all([startUpstream(), startUpstream()]);
  stuck.answer = (req, res) => {
    if (req.url !== '/healthz') res.end('stuck');
    else res.writeHead(200, { 'Content-Length': 1000 }).write('x');
  };
  well.answer = (_req, res) => void res.end('well');
  const gate = await startTestGateway(
    `upstreams: { app: { url: [${stuck.url}, ${well.url}], health: { path: /healthz, every: 20ms } } }\n${rows}`,
  );
  const down = await vi.waitFor(
    () => {
      const line = gate.lines.find(({ event }) => event === 'upstream_down');
      expect(line).toBeDefined();
      return line;
    },
    { timeout: 6000 },
  );
  await gate.stop();
  await Promise.all([stuck.stop(), well.stop()]);
  expect(down).toMatchObject({ origin: stuck.url, reason: 'its health check failed: no answer in time' });
}, 10_000);

describe('preserve_host', () => {
  test("calls the upstream by the caller's Host, byte for byte", async () => {
    const app = await startUpstream();
    const gate = await startTestGateway(
      `upstreams: { app: { url: ${app.url}, preserve_host: true } }\n${rows}`,
    );
    await fetch(`${gate.url}/a`);
    await gate.stop();
    await app.stop();
    expect(app.seen[0]?.headers.host).toBe(new URL(gate.url).host);
    expect(app.seen[0]?.rawHeaders.filter((name) => name.toLowerCase() === 'host')).toHaveLength(1);
  });
});

describe('an answer that came whole and is none to follow', () => {
  const odd = `token_types: { user: { prefix: u_, grantable: [a], attributes: { user: required } } }
scopes: { a: Anything }
apis:
  main:
    to: app
    types: [user]
    routes:
      GET /a: { allow: { user: a } }
      POST /reset: { allow: public, observe: { on: 2xx, end: { type: user, attributes: { user: json:/user } } } }
      POST /tokens:
        allow: { user: a }
        serve: token.create
        with: { type: user, scopes: [a], attributes: { user: json:/user } }
        confirm: { to: app, request: GET /me }
`;

  test.each<[string, string, string | undefined]>([
    ['to observe, of no JSON', 'not JSON', undefined],
    ['to observe, too long', JSON.stringify({ user: 'x'.repeat(1024 * 1024) }), undefined],
    ['to observe, in a coding', '{}', 'gzip'],
    ['to confirm, too long', JSON.stringify({ user: 'x'.repeat(64 * 1024) }), undefined],
    ['to confirm, in a coding', '{}', 'gzip'],
  ])('%s: leaves no url out, for whoever it is about may have chosen it', async (what, body, coding) => {
    const [left, right] = await Promise.all([startUpstream(), startUpstream()]);
    const gate = await startTestGateway(`upstreams: { app: { url: [${left.url}, ${right.url}] } }\n${odd}`);
    for (const app of [left, right]) {
      app.answer = (req, res) => {
        req.resume();
        res.writeHead(200, coding === undefined ? {} : { 'content-encoding': coding }).end(body);
      };
    }
    const { token } = await gate.mint('user', { scopes: ['a'], attributes: { user: 'usr_1' } });
    const [path, sent] = what.startsWith('to observe') ? ['/reset', ''] : ['/tokens', '{"label":"x"}'];
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    for (let i = 0; i < 8; i++) {
      const answer = await fetch(`${gate.url}${path}`, { method: 'POST', headers, body: sent });
      expect(answer.status).toBe(path === '/reset' ? 502 : 503);
    }
    expect(gate.logText()).not.toContain('left out');
    await gate.stop();
    await Promise.all([left.stop(), right.stop()]);
  });
});
