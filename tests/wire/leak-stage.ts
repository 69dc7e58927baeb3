/** A gateway that takes reports of leaks, somebody known who signs them, and what is looked at afterwards. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TokenType } from '../../policy/token-types.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream } from '../fixtures/upstream.ts';

export const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = String(publicKey.export({ type: 'spki', format: 'pem' }));
export const keySet = (...names: readonly string[]) =>
  JSON.stringify({
    public_keys: names.map((key_identifier) => ({ key_identifier, key: pem, is_current: true })),
  });

export const path = '/_postern/leaks';

export const config = (keys: string, upstream: string, more = '') => `
leaks: { keys: ${keys}, respond: { noted: notify, ended: revoke } }
${more}
upstreams: { app: { url: ${upstream} } }
token_types:
  plain: { prefix: pl_, scopes: [read] }
  noted: { prefix: nt_, scopes: [read] }
  ended: { prefix: en_, checksum: required, scopes: [read] }
  slow: { prefix: sl_, hash: { use: bcrypt, cost: 10 }, scopes: [read] }
  slower: { prefix: su_, hash: { use: bcrypt, cost: 10, then: sha256 }, scopes: [read] }
  piped: { format: id_pipe_random, scopes: [read] }
  peppered: { prefix: pp_, hash: { use: sha256, pepper: [{ env: LEAK_PEPPER }] }, scopes: [read] }
scopes: { read: Read }
apis:
  main:
    to: app
    routes:
      GET /x: { allow: { plain: read, noted: read, ended: read, slow: read, slower: read, piped: read, peppered: read } }
`;

export async function start(keys: string | null = null, more = '', head = '') {
  process.env.LEAK_PEPPER = 'a pepper of these tests, long enough for one';
  const upstream = await startUpstream();
  const file = join(await folder(), 'keys.json');
  writeFileSync(file, keySet('one'));
  const gateway = await startTestGateway(config(keys ?? `{ file: ${file} }`, upstream.url, more), head);
  onTestFinished(async () => {
    await gateway.stop();
    await upstream.stop();
  });
  return gateway;
}

async function folder() {
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const made = await mkdtemp(join(tmpdir(), 'postern-leaks-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

type Report = {
  readonly token: string;
  readonly type?: string;
  readonly url?: string;
  readonly source?: string;
};

const reportOf = ({ token, type = 'any', url = 'https://h.example/f', source = 'Content' }: Report) => ({
  token,
  type,
  url,
  source,
});

export async function report(
  { url }: GatewayFixture,
  reports: readonly Report[] | string,
  headers: Readonly<Record<string, string>> = {},
) {
  const body = typeof reports === 'string' ? reports : JSON.stringify(reports.map(reportOf));
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Github-Public-Key-Identifier': 'one',
      'Github-Public-Key-Signature': sign('sha256', Buffer.from(body), privateKey).toString('base64'),
      ...headers,
    },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer is what it is asked to be.
  const json: any = await response.json();
  return { status: response.status, headers: response.headers, json };
}

export const statusOf = async ({ url }: GatewayFixture, token: string) =>
  (await fetch(`${url}/x`, { headers: { Authorization: `Bearer ${token}` } })).status;

export async function alertsOf({ running }: GatewayFixture) {
  return (await running.tokens.alerts.list({ open: false, after: null, limit: 100 })).alerts;
}

export async function actionsOn({ running }: GatewayFixture, subject: string) {
  const { entries } = await running.tokens.audit.list({ subject, after: null, limit: 100 });
  return entries.map(({ actor, action }) => `${actor} ${action}`);
}

export const typesOf = ({ running }: GatewayFixture): readonly TokenType[] => [
  ...running.config().policy.types.values(),
];
