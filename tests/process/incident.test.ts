/** A leak from its report to its end, as operators live it: every door real, every step in the audit. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { verify } from '../../docs/verify/alerts.ts';
import { run } from '../../gateway/admin/cli.ts';
import { adminScopes, adminType } from '../../policy/admin-type.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { startReceiver } from '../fixtures/receiver.ts';
import { startUpstream } from '../fixtures/upstream.ts';

const secret = 'a secret of these tests, of 32 bytes and more';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keySet = JSON.stringify({
  public_keys: [{ key_identifier: 'k1', key: publicKey.export({ type: 'spki', format: 'pem' }) }],
});

async function start() {
  const [upstream, receiver] = await Promise.all([startUpstream(), startReceiver()]);
  process.env.INCIDENT_SECRET = secret;
  const yaml = (leaks: string) => `
${leaks}
alerts: { webhook: { url: "${receiver.url}", secret: { env: INCIDENT_SECRET } } }
upstreams: { app: { url: ${upstream.url} } }
token_types: { service: { prefix: svc_, checksum: required, scopes: [read] } }
scopes: { read: Read }
apis: { main: { to: app, routes: { GET /x: { allow: { service: read } } } } }
`;
  const gateway = await startTestGateway(yaml(''), 'admin: { address: 127.0.0.1:0 }');
  writeFileSync(join(gateway.folder, 'github.keys'), keySet);
  gateway.rewrite(yaml('leaks: { keys: { file: github.keys } }'));
  expect(await gateway.running.reload()).toBe(true);
  onTestFinished(async () => {
    await gateway.stop();
    await Promise.all([upstream.stop(), receiver.stop()]);
  });
  const { plaintext } = await gateway.running.tokens.create({
    ...{ type: adminType, label: 'ops', scopes: adminScopes, attributes: new Map() },
    ...{ origins: [], expiresAt: null, createdBy: 'test' },
  });
  const admin = async (line: string, body?: unknown) => {
    const [method = '', path = ''] = line.split(' ');
    const headers = { Authorization: `Bearer ${plaintext}`, 'Content-Type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(gateway.running.admin + path, { method, headers, ...sent });
    // biome-ignore lint/suspicious/noExplicitAny: an answer is what it is asked to be.
    const json: any = await response.json();
    return { status: response.status, json };
  };
  const cli = async (...args: string[]) => {
    let out = '';
    const code = await run([...args, '--config', gateway.configFile, '--json'], {
      ...{ env: process.env, colours: false, now: Date.now, err: () => {} },
      out: (text: string) => {
        out += text;
      },
    });
    return { code, json: JSON.parse(out) };
  };
  const status = async (token: string) =>
    (await fetch(`${gateway.url}/x`, { headers: { Authorization: `Bearer ${token}` } })).status;
  return { gateway, receiver, admin, cli, status };
}

async function report(url: string, token: string) {
  const body = JSON.stringify([
    {
      token,
      type: 'acme_service',
      url: 'https://github.example/acme/app/blob/1/.env',
      source: 'Content',
    },
  ]);
  const headers = {
    'Content-Type': 'application/json',
    'Github-Public-Key-Identifier': 'k1',
    'Github-Public-Key-Signature': sign('sha256', Buffer.from(body), privateKey).toString('base64'),
  };
  const response = await fetch(`${url}/_postern/leaks`, { method: 'POST', headers, body });
  return { status: response.status, json: await response.json() };
}

test('a leak, its report, quarantine, alert, rotation and end: nothing is lost and every step is in the audit', async () => {
  const { gateway, receiver, admin, cli, status } = await start();
  const made = await admin('POST /v1/tokens', { type: 'service', label: 'checkout' });
  const bait = await admin('POST /v1/tokens', { type: 'service', label: 'bait in .env', canary: true });
  const { id, token: leaked } = made.json;
  expect([made.status, bait.json.state, await status(leaked)]).toEqual([201, 'canary', 200]);

  // The code host finds it: from its answer on the token is refused, and the operator is told.
  expect(await report(gateway.url, leaked)).toMatchObject({
    status: 200,
    json: [{ label: 'true_positive', token_type: 'acme_service' }],
  });
  expect(await status(leaked)).toBe(401);
  const [first] = await receiver.arrived(1);
  const told = verify(first?.body ?? Buffer.alloc(0), String(first?.headers['x-postern-signature']), secret);
  expect(told).toMatchObject({
    kind: 'leak.reported',
    token_id: id,
    detail: {
      state: 'disabled',
      respond: 'quarantine',
      places: ['Content https://github.example/acme/app/blob/1/.env'],
    },
  });

  // Whoever read that file tries the bait too.
  expect(await status(bait.json.token)).toBe(401);
  const [, second] = await receiver.arrived(2);
  expect(JSON.parse(String(second?.body)).alert).toMatchObject({
    kind: 'canary.used',
    token_id: bait.json.id,
    detail: { address: '127.0.0.1', row: 'main GET /x' },
  });

  // A scan finds where else they stand.
  const file = join(gateway.folder, 'app.env');
  writeFileSync(file, `TOKEN=${leaked}\nOLD=${bait.json.token}\n`);
  const scanned = await cli('scan', file);
  const states = scanned.json.findings.map((one: { state: string }) => one.state);
  expect([scanned.code, states]).toEqual([1, ['disabled', 'canary']]);

  // The service cannot be without it for long: it is let live until another is in its place. The same report once more
  // does not stop that.
  expect((await admin(`POST /v1/tokens/${id}/rotate`, {})).json.code).toBe('state_conflict');
  expect((await cli('token', 'enable', id)).json.state).toBe('active');
  expect((await report(gateway.url, leaked)).status).toBe(200);
  const next = await admin(`POST /v1/tokens/${id}/rotate`, { overlap: '500ms' });
  expect([await status(leaked), await status(next.json.token)]).toEqual([200, 200]);
  await expect.poll(() => status(leaked)).toBe(401);
  expect((await cli('token', 'revoke', id, '--reason', 'leaked')).json.state).toBe('revoked');
  expect(await status(next.json.token)).toBe(200);

  const open = await admin('GET /v1/alerts?open=true');
  for (const alert of open.json.alerts) await admin(`POST /v1/alerts/${alert.id}/acknowledge`, {});
  expect((await admin('GET /v1/alerts?open=true')).json.alerts).toEqual([]);
  expect(receiver.got).toHaveLength(2);

  const { json } = await cli('audit', 'list', '--subject', id);
  const steps = json.entries.map(({ actor, action }: { actor: string; action: string }) => [
    actor.replace(/tok_.*/, '…'),
    action,
  ]);
  expect(steps).toEqual([
    ['token:…', 'token.create'],
    ['leak-report', 'token.disable'],
    ['postern', 'alert.raised'],
    ['cli', 'token.enable'],
    ['token:…', 'token.rotate'],
    ['cli', 'token.revoke'],
    ['token:…', 'alert.acknowledge'],
  ]);
  const canaries = await cli('audit', 'list', '--subject', `${bait.json.id} from 127.0.0.1`);
  expect(canaries.json.entries.map(({ action }: { action: string }) => action)).toEqual([
    'alert.raised',
    'alert.acknowledge',
  ]);
  await gateway.stop();
  for (const text of [leaked, bait.json.token, next.json.token]) {
    expect(gateway.logText()).not.toContain(text);
  }
});
