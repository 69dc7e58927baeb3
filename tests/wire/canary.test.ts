/** Canaries on every face: from outside a token that nobody knows, from inside an alarm. */
import { expect, onTestFinished, test } from 'vitest';
import { adminType } from '../../policy/admin-type.ts';
import type { AlertRecord } from '../../policy/alert-types.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { mintSecret } from '../../store/secret.ts';
import { ask, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream } from '../fixtures/upstream.ts';

const bearers = '{ plain: read, checked: read, slow: read, slower: read, piped: read, peppered: read }';

const config = (upstream: string) => `
failure_budget: { rate: 1000/1m, per: address }
upstreams: { app: { url: ${upstream} } }
token_types:
  plain: { prefix: pl_, scopes: [read] }
  checked: { prefix: ck_, checksum: required, scopes: [read] }
  slow: { prefix: sl_, hash: { use: bcrypt, cost: 10 }, scopes: [read] }
  slower: { prefix: su_, hash: { use: bcrypt, cost: 10, then: sha256 }, scopes: [read] }
  piped: { format: id_pipe_random, scopes: [read] }
  peppered: { prefix: pp_, hash: { use: sha256, pepper: [{ env: CANARY_PEPPER }] }, scopes: [read] }
scopes: { read: Read }
errors: { own: { body: { why: "{code}" } } }
apis:
  main:
    to: app
    routes:
      GET /x: { allow: ${bearers} }
      GET /worded: { allow: ${bearers}, errors: own }
      GET /socket: { allow: ${bearers}, websocket: true }
      POST /tokens: { allow: ${bearers}, serve: token.create, with: { type: plain } }
      GET /tokens: { allow: ${bearers}, serve: token.list, with: { type: plain } }
      POST /confirmed: { allow: ${bearers}, serve: token.create, with: { type: plain }, confirm: { to: app, request: GET /may } }
`;

async function start() {
  process.env.CANARY_PEPPER = 'a pepper of these tests, long enough for one';
  const upstream = await startUpstream();
  const gateway = await startTestGateway(config(upstream.url), 'admin: { address: 127.0.0.1:0 }');
  onTestFinished(async () => {
    await gateway.stop();
    await upstream.stop();
  });
  return { gateway, upstream };
}

function typesOf({ running }: GatewayFixture): readonly TokenType[] {
  return [...running.config().policy.types.values()];
}

const made = { label: 'c', attributes: new Map(), origins: [], expiresAt: null, createdBy: 'test' } as const;

async function canary({ running }: GatewayFixture, type: TokenType) {
  const scopes = type === adminType ? ['tokens:write'] : ['read'];
  const { record, plaintext } = await running.tokens.create({ ...made, type, scopes, canary: true });
  return { id: record.id, token: plaintext };
}

/** A token of the type that nobody has made. */
function stranger(type: TokenType): string {
  return mintSecret(type, type.format === undefined ? undefined : '01NOBODY');
}

const socket = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const json = ['Content-Type: application/json', 'Content-Length: 13'];
const requests: readonly (readonly [line: string, fields: readonly string[], body: string])[] = [
  ['GET /x', [], ''],
  ['HEAD /x', [], ''],
  ['GET /worded', [], ''],
  ['GET /socket', socket, ''],
  ['POST /tokens', json, '{"label":"a"}'],
  ['GET /tokens', [], ''],
  ['POST /confirmed', json, '{"label":"a"}'],
];

async function told({ running }: GatewayFixture, count: number): Promise<readonly AlertRecord[]> {
  for (let tries = 0; tries < 500; tries++) {
    const { alerts } = await running.tokens.alerts.list({ open: false, after: null, limit: 100 });
    if (alerts.length >= count) return alerts;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`there are fewer than ${count} alerts`);
}

test('a canary of every type is answered as a token that nobody knows, on every kind of row, and reaches nothing', async () => {
  const { gateway, upstream } = await start();
  const types = typesOf(gateway);
  const canaries = await Promise.all(types.map((type) => canary(gateway, type)));
  const before = gateway.running.tokens.verifierCompleted();
  const answerTo = async (line: string, fields: readonly string[], body: string, token: string) => {
    const lines = [...fields, `Authorization: Bearer ${token}`];
    const isSocket = fields === socket;
    const bytes = requestBytes(line, lines, body);
    const answer = await ask(gateway.port, isSocket ? bytes.replace('Connection: close\r\n', '') : bytes);
    const id = answer.field('x-request-id') ?? '';
    const fixed = answer.fields.filter(([name]) => !['Date', 'X-Request-Id'].includes(name));
    return { status: answer.status, fields: fixed, body: answer.body.replaceAll(id, 'ID') };
  };
  for (const [index, type] of types.entries()) {
    for (const [line, fields, body] of requests) {
      const said = await answerTo(line, fields, body, canaries[index]?.token ?? '');
      expect(said).toEqual(await answerTo(line, fields, body, stranger(type)));
      expect(said.status).toBe(401);
    }
    expect(gateway.running.tokens.verifiedBefore(canaries[index]?.token ?? '')).toBe(false);
  }
  expect(upstream.seen).toEqual([]);
  // Not even by the time a comparison takes can one be told.
  expect(gateway.running.tokens.verifierCompleted()).toBe(before);
  const alerts = await told(gateway, types.length);
  expect(alerts.map(({ subject }) => subject).sort()).toEqual(
    canaries.map(({ id }) => `${id} from 127.0.0.1`).sort(),
  );
  const [first] = alerts.filter(({ tokenId }) => tokenId === canaries[0]?.id);
  expect(first).toMatchObject({
    kind: 'canary.used',
    detail: { address: '127.0.0.1', row: 'main GET /x', request: expect.any(String) },
  });
  const { entries } = await gateway.running.tokens.audit.list({
    subject: first?.subject ?? '',
    after: null,
    limit: 9,
  });
  expect(entries.map(({ action }) => action)).toEqual(['alert.raised']);
  await gateway.stop();
  for (const { token } of canaries) expect(gateway.logText()).not.toContain(token);
});

test('a canary spends from the failure budget, so that nobody can tell it by what it costs', async () => {
  const { gateway } = await start();
  gateway.rewrite(config('http://127.0.0.1:1').replace('1000/1m', '3/1m'));
  await gateway.running.reload();
  const { token } = await canary(gateway, typesOf(gateway)[0] as TokenType);
  const statuses: number[] = [];
  for (let tries = 0; tries < 5; tries++) {
    statuses.push(
      (await ask(gateway.port, requestBytes('GET /x', [`Authorization: Bearer ${token}`]))).status,
    );
  }
  expect(statuses.slice(0, 3)).toEqual([401, 401, 401]);
  expect(statuses.at(-1)).toBe(429);
});

test('use of a canary is no use of a token: nothing of it is counted, seen or remembered as one', async () => {
  const { gateway } = await start();
  const { id, token } = await canary(gateway, typesOf(gateway)[0] as TokenType);
  const answer = await ask(gateway.port, requestBytes('GET /x', [`Authorization: Bearer ${token}`]));
  const line = await gateway.account(answer.field('x-request-id'));
  expect([line.code, line.canary, line.tokenId, line.tokenType]).toEqual([
    'token_unknown',
    id,
    undefined,
    undefined,
  ]);
  await gateway.running.tokens.flush();
  expect((await gateway.running.tokens.byId(id))?.lastUsedAt).toBeNull();
});

test('a canary that was revoked or has expired tells nothing', async () => {
  const { gateway } = await start();
  const [type] = typesOf(gateway) as [TokenType];
  const { id, token } = await canary(gateway, type);
  await gateway.running.tokens.revoke(id, 'test', null);
  const late = await gateway.running.tokens.create({
    ...made,
    type,
    scopes: ['read'],
    canary: true,
    expiresAt: Date.now() - 1,
  });
  const other = await canary(gateway, type);
  for (const one of [token, late.plaintext, other.token]) {
    const answer = await ask(gateway.port, requestBytes('GET /x', [`Authorization: Bearer ${one}`]));
    expect(answer.status).toBe(401);
  }
  expect((await told(gateway, 1)).map(({ tokenId }) => tokenId)).toEqual([other.id]);
});

test('an admin token that is a canary opens nothing, and is told', async () => {
  const { gateway } = await start();
  const { id, token } = await canary(gateway, adminType);
  const answers = await Promise.all(
    [token, stranger(adminType)].map(async (one) => {
      const response = await fetch(`${gateway.running.admin}/v1/whoami`, {
        headers: { Authorization: `Bearer ${one}` },
      });
      const body = (await response.json()) as Record<string, unknown>;
      return [response.status, { ...body, instance: '' }];
    }),
  );
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]?.[0]).toBe(401);
  expect((await told(gateway, 1))[0]).toMatchObject({ tokenId: id, detail: { row: 'admin' } });
});
