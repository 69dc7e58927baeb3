/** Alerts of a real gateway: from requests on its wire to the signed post, the log, the metrics and the audit. */
import { expect, onTestFinished, test } from 'vitest';
import { verify } from '../../docs/verify/alerts.ts';
import type { AlertRecord } from '../../policy/alert-types.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { startUpstream } from '../fixtures/upstream.ts';

const secret = 'a secret of these tests, of 32 bytes and more';

async function start(alerts: (receiverUrl: string) => string, mode = '') {
  const [upstream, receiver] = await Promise.all([startUpstream(), startReceiver()]);
  process.env.ALERTS_OF_TESTS = secret;
  const config = (written: string) => `
${written}
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: u_, scopes: [read] } }
scopes: { read: Read }
pins: { app: { kind: bundle_id, from: header:X-App, belongs_to: token, first_use: pin, when_missing: allow${mode} } }
apis:
  main:
    to: app
    routes:
      GET /x: { allow: { user: read } }
      POST /pinned: { allow: { user: read }, pins: [app] }
`;
  const gateway = await startTestGateway(config(alerts(receiver.url)), '', { alertEveryMs: 20 });
  onTestFinished(async () => {
    await gateway.stop();
    await Promise.all([upstream.stop(), receiver.stop()]);
  });
  const { token, id } = await gateway.mint('user');
  const ask = async (path: string, headers: Record<string, string> = {}, bearer = token) => {
    const method = path === '/pinned' ? 'POST' : 'GET';
    const response = await fetch(gateway.url + path, {
      method,
      headers: { Authorization: `Bearer ${bearer}`, ...headers },
    });
    await response.arrayBuffer();
    return response.status;
  };
  return { gateway, receiver, token, id, ask, rewrite: (text: string) => gateway.rewrite(config(text)) };
}

const webhook = (url: string) => `webhook: { url: "${url}", secret: { env: ALERTS_OF_TESTS } }`;

/** Those in the store, once there are so many. */
async function alertsOf({ running }: GatewayFixture, count: number): Promise<readonly AlertRecord[]> {
  for (let tries = 0; tries < 500; tries++) {
    const { alerts } = await running.tokens.alerts.list({ open: false, after: null, limit: 100 });
    if (alerts.length >= count) return alerts;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`there are fewer than ${count} alerts`);
}

const byKind = (alerts: readonly AlertRecord[]) =>
  alerts.map(({ kind, subject, detail }) => [kind, subject, detail.values ?? null]).sort();

test('places, spikes and bursts of refusals are told from the wire to the receiver', async () => {
  const { gateway, receiver, id, ask } = await start(
    (url) =>
      `alerts: { learn: 0s, spike: { times: 2, per_minute: 2 }, refusals: { token: 2, network: 2 }, ${webhook(url)} }`,
    ', mode: monitor, until: 2999-01-01',
  );
  const evil = { Origin: 'https://evil.example', 'X-App': 'com.evil' };
  expect([await ask('/pinned', evil), await ask('/pinned', evil), await ask('/pinned', evil)]).toEqual([
    200, 200, 200,
  ]);
  expect(
    [await ask('/y'), await ask('/pinned', { Origin: 'null, x' })].every((status) => status >= 200),
  ).toBe(true);
  for (let i = 0; i < 3; i++) expect(await ask('/x', {}, 'u_wrong')).toBe(401);
  const alerts = await alertsOf(gateway, 6);
  expect(byKind(alerts).filter(([kind]) => !String(kind).startsWith('refusals.token'))).toEqual([
    ['refusals.network', '127.0.0.0/24', null],
    ['spike.bundle', 'com.evil', null],
    ['spike.token', id, null],
    ['unseen.bundle', id, expect.arrayContaining(['com.evil'])],
    ['unseen.network', id, ['127.0.0.0/24']],
    ['unseen.origin', id, expect.arrayContaining(['https://evil.example'])],
  ]);
  const got = await receiver.arrived(6);
  const sent = got.map(({ body, headers }) => verify(body, String(headers['x-postern-signature']), secret));
  expect(new Set(sent.map((alert) => alert.id)).size).toBe(6);
  const logged = gateway.lines.filter(({ event }) => event === 'alert');
  expect(logged.map((line) => line.id)).toEqual(expect.arrayContaining(sent.map((alert) => alert.id)));
  const metrics = await (await fetch(`${gateway.running.health}/metrics`)).text();
  expect(metrics).toContain('postern_alerts_total{kind="unseen.origin"} 1');
  const { entries } = await gateway.running.tokens.audit.list({ subject: id, after: null, limit: 100 });
  expect(entries.map(({ action }) => action)).toContain('alert.raised');
  expect(gateway.logText()).not.toContain(secret);
  expect(gateway.logText()).not.toContain('in-the-url');
  expect(gateway.logText()).not.toContain('evil');
});

test('the access log has neither Origin nor bundle id, watched or not', async () => {
  const { gateway, ask } = await start(() => 'alerts: { refusals: off, unseen: off, spike: off }');
  await ask('/pinned', { Origin: 'https://a.example', 'X-App': 'com.a' });
  await gateway.stop();
  expect(gateway.lines.some(({ event }) => event === 'request')).toBe(true);
  expect(gateway.logText()).not.toMatch(/a\.example|com\.a\b/);
});

test('a reload begins to watch, and ends it', async () => {
  const { gateway, ask, rewrite } = await start(() => '');
  await ask('/x');
  rewrite('alerts: { learn: 0s, unseen: [network], spike: off, refusals: off }');
  expect(await gateway.running.reload()).toBe(true);
  await ask('/x');
  expect(byKind(await alertsOf(gateway, 1)).map(([kind]) => kind)).toEqual(['unseen.network']);
  rewrite('');
  expect(await gateway.running.reload()).toBe(true);
  const { token } = await gateway.mint('user');
  await ask('/x', {}, token);
  await gateway.running.tokens.sightings.newcomers(10).then((found) => expect(found).toEqual([]));
});

test('a receiver that hangs keeps neither requests nor the end of the process waiting', async () => {
  const { gateway, receiver, ask } = await start(
    (url) => `alerts: { learn: 0s, unseen: [network], spike: off, refusals: off, ${webhook(url)} }`,
  );
  receiver.say('hang', 'hang');
  await ask('/x');
  await receiver.arrived(1);
  const startedMs = performance.now();
  expect(await ask('/x')).toBe(200);
  await gateway.running.stop();
  expect(performance.now() - startedMs).toBeLessThan(3000);
});
