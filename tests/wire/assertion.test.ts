/** The signed assertion on the wire: once, ours, for callers that are known; and the keys to check it with. */
import { generateKeyPairSync } from 'node:crypto';
import { renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rehearse } from '../../gateway/rehearsal.ts';
import { ask, converse, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { sendRaw } from '../fixtures/raw.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { spellings } from '../support/gate.ts';

let gateway: GatewayFixture;
let plain: GatewayFixture;
let upstream: UpstreamFixture;
let raw: RawUpstream;
let token: { id: string; token: string };

const assertionHeader = 'X-Caller';

function configOf(
  key = '{ file: ./keys/signing-key.pem }',
  identity = `assertion: { header: ${assertionHeader}, key: ${key} }`,
) {
  return `
upstreams: { app: { url: ${upstream.url} }, raw: { url: ${raw.url} } }
token_types:
  item: { prefix: it_, grantable: [read, write], attributes: { tenant: required } }
scopes: { read: Read, write: Write }
identity: { ${identity} }
apis:
  main:
    to: app
    routes:
      GET /open: { allow: public }
      GET /items: { allow: { item: read } }
      GET /other: { to: raw, allow: { item: read } }
      "GET /{all...}": { allow: public }
      "POST /{all...}": { allow: public }
`;
}

beforeAll(async () => {
  [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  [gateway, plain] = await Promise.all([
    startTestGateway(configOf()),
    startTestGateway(configOf('', 'headers: { X-Id: token.id }')),
  ]);
  token = await gateway.mint('item', { scopes: ['write', 'read'], attributes: { tenant: 'acme' } });
});

afterAll(async () => {
  await Promise.all([gateway.stop(), plain.stop()]);
  await Promise.all([upstream.stop(), raw.stop()]);
});

beforeEach(() => {
  upstream.seen.length = 0;
});

const keySet = async () =>
  JSON.parse((await ask(gateway.port, requestBytes('GET /_postern/jwks.json'))).body);

/** Every value the upstream saw under the header, in any spelling. */
function assertionsSeen(): string[] {
  return upstream.seen.flatMap(({ rawHeaders }) =>
    rawHeaders.filter((_, i) => i % 2 === 1 && /^x.caller$/i.test(rawHeaders[i - 1] ?? '')),
  );
}

async function assertionOf(bearer: string, path = '/items'): Promise<string> {
  upstream.seen.length = 0;
  expect(
    (await ask(gateway.port, requestBytes(`GET ${path}`, [`Authorization: Bearer ${bearer}`]))).status,
  ).toBe(200);
  const [only, ...more] = assertionsSeen();
  expect(more).toEqual([]);
  return only ?? '';
}

describe('the upstream', () => {
  test('is told who calls, in words it can check against the published key', async () => {
    const assertion = await assertionOf(token.token);
    const { payload } = await jwtVerify(assertion, createLocalJWKSet(await keySet()), {
      issuer: 'postern',
      audience: 'app',
      algorithms: ['EdDSA'],
    });
    const { iat = 0, exp = 0, ...claims } = payload;
    const attributes = { tenant: 'acme' };
    expect(claims).toEqual({
      ...{ iss: 'postern', aud: 'app', sub: token.id, type: 'item', scope: 'write read', attributes },
    });
    expect(exp - iat).toBe(60);
    expect(Math.abs(iat - Date.now() / 1000)).toBeLessThan(5);
  });

  test('hears nothing of the token itself, in any form', async () => {
    const text = Buffer.from((await assertionOf(token.token)).split('.')[1] ?? '', 'base64url').toString();
    expect(tracesOf(token.token, text)).toEqual([]);
  });

  test('gets the same one again while nothing changed, and never that of another caller', async () => {
    const other = await gateway.mint('item', { scopes: ['read'], attributes: { tenant: 'acme' } });
    const mine = await assertionOf(token.token);
    expect(await assertionOf(token.token)).toBe(mine);
    const theirs = decodeJwt(await assertionOf(other.token));
    expect(theirs).toMatchObject({ sub: other.id, scope: 'read' });
    expect(await assertionOf(token.token)).toBe(mine);
  });

  test('is asserted nothing on a public row, whatever the caller says', async () => {
    const mine = await assertionOf(token.token);
    upstream.seen.length = 0;
    for (const name of ['X-Caller', 'x-caller', 'X_Caller', 'X.Caller', 'X-Postern-Assertion']) {
      await ask(
        gateway.port,
        requestBytes('GET /open', [`${name}: ${mine}`, `Authorization: Bearer ${token.token}`]),
      );
    }
    expect(upstream.seen.length).toBe(5);
    expect(JSON.stringify(upstream.seen)).not.toContain(mine);
    expect(assertionsSeen()).toEqual([]);
  });

  test('sees ours alone where the caller brings one, in any spelling', async () => {
    const bearer = `Authorization: Bearer ${token.token}`;
    const names = spellings.map((spelled) => spelled(assertionHeader));
    for (const name of names) {
      const forged = [`${name}: forged`, `${name}: forged`, `Connection: close, ${name}`];
      await ask(gateway.port, requestBytes('GET /items', [bearer, ...forged]));
    }
    expect(new Set(assertionsSeen().map((one) => decodeJwt(one).sub))).toEqual(new Set([token.id]));
    expect(assertionsSeen().length).toBe(names.length);
    expect(JSON.stringify(upstream.seen)).not.toContain('forged');
  });

  test('cannot hand one to the caller, nor another upstream use its own', async () => {
    raw.answer = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Caller: leaked\r\nx_caller: leaked\r\n\r\n');
    const request = requestBytes('GET /other', [`Authorization: Bearer ${token.token}`]);
    expect(JSON.stringify(await converse(gateway.port, request))).not.toContain('leaked');
  });

  test('is told of a new policy at once: nothing that an old one signed is handed out', async () => {
    const changing = await gateway.mint('item', { scopes: ['read'], attributes: { tenant: 'one' } });
    const before = decodeJwt(await assertionOf(changing.token));
    gateway.rewrite(configOf().replace('grantable: [read, write]', 'scopes: [read]'));
    expect(await gateway.running.reload()).toBe(true);
    const after = decodeJwt(await assertionOf(token.token));
    gateway.rewrite(configOf());
    expect(await gateway.running.reload()).toBe(true);
    expect([before.scope, after.scope]).toEqual(['read', 'read']);
    expect(decodeJwt(await assertionOf(token.token)).scope).toBe('write read');
  });
});

describe('the key set', () => {
  test('is public, typed, and may be kept for five minutes', async () => {
    const answer = await ask(gateway.port, requestBytes('GET /_postern/jwks.json?any=thing'));
    expect(answer.status).toBe(200);
    expect(answer.field('content-type')).toBe('application/jwk-set+json');
    expect(answer.field('cache-control')).toBe('public, max-age=300');
    expect(JSON.parse(answer.body)).toEqual({
      keys: [
        {
          ...{ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA' },
          ...{ x: expect.stringMatching(/^[\w-]{43}$/), kid: expect.stringMatching(/^[\w-]{43}$/) },
        },
      ],
    });
    expect(await gateway.account(answer.field('x-request-id'))).toMatchObject({ status: 200 });
  });

  test('answers HEAD without a body, and no other method', async () => {
    const { text } = await sendRaw(gateway.port, requestBytes('HEAD /_postern/jwks.json'), 60);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Content-Length: [1-9][^{]*\r\n\r\n$/s);
    for (const method of ['POST', 'DELETE', 'OPTIONS']) {
      const answer = await ask(
        gateway.port,
        requestBytes(`${method} /_postern/jwks.json`, ['Content-Length: 0']),
      );
      expect([answer.status, answer.field('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });

  test('is not there without an assertion, and no row for every path gives the word to an upstream', async () => {
    for (const path of ['/_postern/jwks.json', '/_postern/', '/_postern/other', '/_postern']) {
      expect((await ask(plain.port, requestBytes(`GET ${path}`))).status).toBe(404);
      if (path.endsWith('.json')) continue;
      expect((await ask(gateway.port, requestBytes(`GET ${path}`))).status).toBe(404);
    }
    for (const path of ['/_postern%2fjwks.json', '//_postern/jwks.json', '/x/../_postern/jwks.json']) {
      expect((await ask(gateway.port, requestBytes(`GET ${path}`))).status).toBe(400);
    }
    expect(upstream.seen).toEqual([]);
  });
});

describe('the key', () => {
  const fileOf = (name: string) => join(gateway.folder, 'keys', name);
  const kidOf = (assertion: string) => decodeProtectedHeader(assertion).kid;

  test('was made at the start, for this user alone', () => {
    expect(statSync(fileOf('signing-key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(join(gateway.folder, 'keys')).mode & 0o777).toBe(0o700);
  });

  test('is changed in three reloads, and at no time is a key unknown that a living assertion was signed with', async () => {
    const published = async () => (await keySet()).keys.map(({ kid }: { kid: string }) => kid);
    const reload = async (key: string) => {
      gateway.rewrite(configOf(key));
      expect(await gateway.running.reload()).toBe(true);
      return published();
    };
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(fileOf('next.pem'), pem, { mode: 0o600 });
    const [old] = await published();
    const before = kidOf(await assertionOf(token.token));

    const [first, second] = await reload('[{ file: keys/signing-key.pem }, { file: keys/next.pem }]');
    expect([first, before, kidOf(await assertionOf(token.token))]).toEqual([old, old, old]);
    expect(await reload('[{ file: keys/next.pem }, { file: keys/signing-key.pem }]')).toEqual([second, old]);
    expect(kidOf(await assertionOf(token.token))).toBe(second);
    expect(await reload('{ file: keys/next.pem }')).toEqual([second]);
    expect(kidOf(await assertionOf(token.token))).toBe(second);
  });

  test('is read again by every reload, under the same text too', async () => {
    const before = await keySet();
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(fileOf('next.pem'), pem, { mode: 0o600 });
    expect(await gateway.running.reload()).toBe(true);
    const [{ kid }] = (await keySet()).keys;
    expect(before.keys.map((one: { kid: string }) => one.kid)).not.toContain(kid);
    expect(kidOf(await assertionOf(token.token))).toBe(kid);
  });

  test('that cannot be used keeps the old config, and is named without a word of what it holds', async () => {
    const before = await keySet();
    writeFileSync(fileOf('secret.pem'), 'hunter2hunter2');
    gateway.rewrite(configOf('{ file: keys/secret.pem }'));
    expect(await gateway.running.reload()).toBe(false);
    renameSync(fileOf('secret.pem'), fileOf('gone.pem'));
    gateway.rewrite(configOf('{ file: keys/next.pem/under.pem }'));
    expect(await gateway.running.reload()).toBe(false);
    gateway.rewrite(configOf('{ file: /proc/nowhere/key.pem }'));
    expect(await gateway.running.reload()).toBe(false);
    expect(gateway.logText()).toContain('cannot make the signing key /proc/nowhere/key.pem');
    expect(await keySet()).toEqual(before);
    expect(gateway.logText()).toContain('secret.pem holds no private key in PEM (PKCS #8)');
    expect(gateway.logText()).not.toContain('hunter2');
  });
});

describe('explain', () => {
  const explained = (method: string, target: string, from = gateway) => {
    const { policy } = from.running.config();
    const type = policy.types.get('item');
    const as =
      type === undefined ? null : { type, scopes: ['read'], attributes: new Map([['tenant', 'acme']]) };
    return rehearse(policy, { method, target, headers: [], as });
  };

  test('says that the key set is served here, or why it is not', async () => {
    expect(await explained('GET', '/_postern/jwks.json')).toMatchObject({
      outcome: 'serve',
      status: 200,
      row: null,
    });
    expect(await explained('POST', '/_postern/jwks.json')).toMatchObject({
      status: 405,
      code: 'method_not_allowed',
    });
    for (const [path, from] of [
      ['/_postern/jwks.json', plain],
      ['/_postern/', gateway],
    ] as const) {
      expect(await explained('GET', path, from)).toMatchObject({
        status: 404,
        code: 'route_not_found',
        row: null,
      });
    }
  });

  test('shows what would be signed, and signs nothing', async () => {
    const { steps } = await explained('GET', '/items');
    const claims = `{"iss":"postern","aud":"app","sub":"tok_rehearsal","type":"item","scope":"read",`;
    const detail = `signed: ${claims}"attributes":{"tenant":"acme"}}`;
    expect(steps.at(-1)).toEqual({ step: 'assertion', ok: true, detail });
    expect((await explained('GET', '/open')).steps.map(({ step }) => step)).not.toContain('assertion');
  });
});

test('no log line holds an assertion, a key or a token', async () => {
  const assertion = await assertionOf(token.token);
  expect(gateway.logText()).not.toContain(assertion.split('.')[2]);
  expect(gateway.logText()).not.toContain('PRIVATE KEY');
  expect(tracesOf(token.token, gateway.logText())).toEqual([]);
});
