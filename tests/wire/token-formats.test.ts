/** Tokens of every format on the wire: `<id>|<random>`, with a checksum, under a pepper, and none as another. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { endsInChecksum } from '../../store/token-format.ts';
import { ask, flawsInRefusal, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { importedToken } from '../store/token-types.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const random = 'abcXYZ0123456789abcXYZ0123456789abcXYZ01';
const [older, newer] = ['an older pepper, kept elsewhere 01', 'a newer pepper, kept elsewhere 002'];

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
const yaml = (peppers: string) => `
upstreams: { app: { url: ${upstream.url} } }
token_types:
  sanctum: { format: id_pipe_random, scopes: [], sources: [bearer, "query:token", "cookie:session"] }
  checked: { prefix: ck_, checksum: required, issue: { length: 30 }, scopes: [] }
  keyed: { prefix: pk_, hash: { use: sha256, pepper: [${peppers}] }, scopes: [] }
  bare: { scopes: [] }
scopes: {}
identity: { headers: { X-Postern-Type: token.type } }
failure_budget: { rate: 500/1m, per: address }
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { sanctum: any_scope, checked: any_scope, keyed: any_scope, bare: any_scope } }
fixtures:
  - { name: sanctum, request: GET /items, as: { sanctum: {} }, expect: forward }
  - { name: checked, request: GET /items, as: { checked: {} }, expect: forward }
  - { name: keyed, request: GET /items, as: { keyed: {} }, expect: forward }
  - { name: bare, request: GET /items, as: { bare: {} }, expect: forward }
`;

beforeAll(async () => {
  process.env.PEPPER_NEWER = newer;
  process.env.PEPPER_OLDER = older;
  upstream = await startUpstream();
  gateway = await startTestGateway(yaml('{ env: PEPPER_NEWER }, { env: PEPPER_OLDER }'));
  const type = gateway.running.config().policy.types.get('sanctum');
  if (type === undefined) throw new Error('no such type');
  await gateway.running.tokens.import([importedToken(type, { sha256: sha256(random) }, { externalId: '2' })]);
});

afterAll(async () => {
  delete process.env.PEPPER_NEWER;
  delete process.env.PEPPER_OLDER;
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  upstream.seen.length = 0;
});

async function codeOf(token: string): Promise<unknown> {
  const answer = await ask(gateway.port, requestBytes('GET /items', [`Authorization: Bearer ${token}`]));
  if (answer.status !== 200) expect(flawsInRefusal(answer)).toEqual([]);
  const { status, code } = await gateway.account(answer.field('x-request-id'));
  return status === 200 ? upstream.seen.at(-1)?.headers['x-postern-type'] : code;
}

test.each([
  ['/items', [`Authorization: Bearer 2|${random}`]],
  [`/items?token=2|${random}`, []],
  [`/items?token=2%7C${random}`, []],
  ['/items', [`Cookie: session=2|${random}`]],
])('an imported <id>|<random> is read and cut: %s %j', async (target, lines) => {
  expect((await ask(gateway.port, requestBytes(`GET ${target}`, lines))).status).toBe(200);
  const [seen] = upstream.seen;
  expect(seen?.target).toBe('/items');
  expect(seen?.headers['x-postern-type']).toBe('sanctum');
  expect(tracesOf(random, JSON.stringify(seen))).toEqual([]);
});

test.each([
  [`3|${random}`, 'token_unknown'],
  [`2|${random}x`, 'token_unknown'],
  [`2||${random}`, 'token_unknown'],
  [`2|2|${random}`, 'token_unknown'],
  [`|${random}`, 'token_unknown'],
  [random, 'token_unknown'],
  [sha256(random), 'token_unknown'],
  [`ck_|${random}`, 'credential_malformed'],
  [`r:${sha256(random)}`, 'credential_malformed'],
])('%s is %s', async (token, code) => {
  expect(await codeOf(token)).toBe(code);
  expect(upstream.seen).toEqual([]);
});

test('a minted token of each type is read as its own', async () => {
  for (const type of ['sanctum', 'checked', 'keyed', 'bare']) {
    const { token } = await gateway.mint(type);
    expect(await codeOf(token)).toBe(type);
  }
});

test('a wrong checksum is malformed, whichever character is wrong', async () => {
  const { token } = await gateway.mint('checked');
  expect(token).toMatch(/^ck_[0-9A-Za-z]{36}$/);
  expect(endsInChecksum(token)).toBe(true);
  const flip = (at: number) => token.slice(0, at) + (token[at] === 'a' ? 'b' : 'a') + token.slice(at + 1);
  for (const wrong of [flip(3), flip(20), flip(32), flip(38), `${token}0`, token.slice(0, -1)]) {
    expect(await codeOf(wrong)).toBe('credential_malformed');
  }
  expect(upstream.seen).toEqual([]);
});

test('neither the file nor the log holds a digest without its pepper, or a pepper', async () => {
  const { id, token } = await gateway.mint('keyed');
  expect(await codeOf(token)).toBe('keyed');
  const file = readFileSync(join(gateway.folder, 'data/postern.db-wal'));
  expect(file.includes(id)).toBe(true);
  expect(file.includes(sha256(token))).toBe(false);
  for (const secret of [older, newer]) {
    expect(file.includes(secret)).toBe(false);
    expect(tracesOf(secret, gateway.logText())).toEqual([]);
  }
});

test('a reload with other peppers is refused by the name of the key', async () => {
  gateway.rewrite(yaml('{ env: PEPPER_OLDER }'));
  expect(await gateway.running.reload()).toBe(false);
  expect(gateway.logText()).toContain('restart needed: token_types.keyed.hash.pepper"');
  writeFileSync(join(gateway.folder, 'pepper'), `${newer}\n`);
  gateway.rewrite(yaml('{ file: pepper }, { env: PEPPER_OLDER }'));
  expect(await gateway.running.reload()).toBe(true);
  expect(tracesOf(newer, gateway.logText())).toEqual([]);
});

test('wrong checksums spend from the failure budget; a verified token still passes', async () => {
  const budget = await startTestGateway(yaml('{ env: PEPPER_NEWER }').replace('rate: 500/1m', 'rate: 3/1m'));
  try {
    const { token } = await budget.mint('checked');
    const { token: piped } = await budget.mint('sanctum');
    const get = async (value: string) => {
      const answer = await ask(budget.port, requestBytes('GET /items', [`Authorization: Bearer ${value}`]));
      return answer.status;
    };
    expect([await get(token), await get(piped)]).toEqual([200, 200]);
    const wrong = `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`;
    const told = [await get(wrong), await get(wrong), await get(wrong), await get(wrong)];
    expect(told).toEqual([401, 401, 401, 429]);
    expect([await get(token), await get(piped)]).toEqual([200, 200]);
  } finally {
    await budget.stop();
  }
});
