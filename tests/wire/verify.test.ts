/** The verifiers of docs/verify, against a real gateway: right assertions pass, and no forgery does. */
import { spawn, spawnSync } from 'node:child_process';
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postern, verify } from '../../docs/verify/verify.ts';
import { ask, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const folder = resolve(import.meta.dirname, '../../docs/verify');
const starts = (program: string, args: readonly string[]) =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

let gateway: GatewayFixture;
let upstream: UpstreamFixture;
let tokenId: string;
let right: string;
let key: KeyObject;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types: { item: { prefix: it_, grantable: [read, write] } }
scopes: { read: Read, write: Write }
identity: { assertion: { key: { file: key.pem } } }
apis: { main: { to: app, routes: { GET /items: { allow: { item: read } } } } }
`);
  const { id, token } = await gateway.mint('item', { scopes: ['read', 'write'] });
  tokenId = id;
  await ask(gateway.port, requestBytes('GET /items', [`Authorization: Bearer ${token}`]));
  right = String(upstream.seen[0]?.headers['x-postern-assertion']);
  key = createPrivateKey(readFileSync(join(gateway.folder, 'key.pem')));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());

type Assertions = Readonly<
  Record<'accepted' | 'forged', readonly (readonly [what: string, assertion: string])[]>
>;

/** By what is right or wrong with them. Made when they are needed: one of them ended a second ago. */
function makeAssertions(): Assertions {
  const [headPart = '', payloadPart = '', signature = ''] = right.split('.');
  const head = decode(headPart);
  const claims = decode(payloadPart);
  const now = Math.floor(Date.now() / 1000);
  const other = generateKeyPairSync('ed25519').privateKey;
  const otherJwk = createPublicKey(other).export({ format: 'jwk' });
  const signed = (changed: object, changedHead: object = {}, by = key) => {
    const input = `${encode({ ...head, ...changedHead })}.${encode({ ...claims, ...changed })}`;
    return `${input}.${sign(null, Buffer.from(input), by).toString('base64url')}`;
  };
  const hmac = (secret: string | Buffer) => {
    const input = `${encode({ ...head, alg: 'HS256' })}.${payloadPart}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const publicKey = createPublicKey(key);
  const x = String(publicKey.export({ format: 'jwk' }).x);

  const accepted = {
    'as it came': right,
    'ended within the leeway': signed({ iat: now - 61, exp: now - 1 }),
  };
  const none = `${encode({ ...head, alg: 'none' })}.${payloadPart}.`;
  const forged = {
    'alg none': none,
    'alg none with the signature': none + signature,
    'alg None': `${encode({ ...head, alg: 'None' })}.${payloadPart}.`,
    'HS256 by the public key as PEM': hmac(publicKey.export({ type: 'spki', format: 'pem' })),
    'HS256 by the public key as bytes': hmac(Buffer.from(x, 'base64url')),
    'HS256 by the public key as text': hmac(x),
    'HS256 by nothing': hmac(''),
    expired: signed({ iat: now - 120, exp: now - 60 }),
    'without an end': signed({ exp: undefined }),
    'for another audience': signed({ aud: 'api' }),
    'without an audience': signed({ aud: undefined }),
    'by another issuer': signed({ iss: 'gate-2' }),
    'without a subject': signed({ sub: undefined }),
    'with another payload': `${headPart}.${encode({ ...claims, scope: 'admin' })}.${signature}`,
    'with another head': `${encode({ ...head, x: 1 })}.${payloadPart}.${signature}`,
    'without a signature': `${headPart}.${payloadPart}.`,
    'with half a signature': `${headPart}.${payloadPart}.${signature.slice(0, 43)}`,
    'of two parts': `${headPart}.${payloadPart}`,
    'of four parts': `${right}.${signature}`,
    'of an unknown key': signed({}, { kid: 'x'.repeat(43) }, other),
    'of another key under our id': signed({}, {}, other),
    'of a key it brings along': signed({}, { jwk: otherJwk }, other),
    'that is no JWT': 'hello',
    'that is no JSON': `${Buffer.from('{').toString('base64url')}.e30.e30`,
    'that is empty': '',
  };
  return { accepted: Object.entries(accepted), forged: Object.entries(forged) };
}

test('TypeScript, with jose', async () => {
  const keys = postern(gateway.url);
  const { accepted, forged } = makeAssertions();
  const expected = { issuer: 'postern', audience: 'app' };
  for (const [what, assertion] of accepted) {
    const { tokenId: id, scopes } = await verify(assertion, keys, expected);
    expect([what, id, scopes]).toEqual([what, tokenId, ['read', 'write']]);
  }
  for (const [what, assertion] of forged) {
    await expect(verify(assertion, keys, expected), what).rejects.toThrow();
  }
  await expect(verify(undefined, keys, expected)).rejects.toThrow('no assertion');
});

/** Each assertion on a line of its own, and what the program says of it. */
async function judgedBy(program: string, args: readonly string[]): Promise<void> {
  const { accepted, forged } = makeAssertions();
  const all = [...accepted, ...forged];
  const child = spawn(program, [...args, gateway.url, 'postern', 'app'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(all.map(([, assertion]) => `${assertion}\n`).join(''));
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const lines = said.trimEnd().split('\n');
  expect(all.map(([what], i) => [what, lines[i]])).toEqual([
    ...accepted.map(([what]) => [what, `accepted ${tokenId} read write`]),
    ...forged.map(([what]) => [what, 'refused']),
  ]);
}

/** The Python on PATH, or Debian's, which has its libraries as packages. */
const python = ['python3', '/usr/bin/python3'].find((one) => starts(one, ['-c', 'import jwt, cryptography']));

test.skipIf(python === undefined)(
  'Python, with PyJWT (runs where `apt-get install python3-jwt python3-cryptography` was done)',
  () => judgedBy(python ?? '', [join(folder, 'verify.py')]),
);

test.skipIf(!starts('go', ['version']))(
  'Go, with its standard library (runs where go is on PATH)',
  async () => {
    // Compiled first: the assertions are young for seconds only.
    const program = join(gateway.folder, 'verify');
    const [code] = await once(spawn('go', ['build', '-o', program, join(folder, 'verify.go')]), 'exit');
    expect(code).toBe(0);
    await judgedBy(program, []);
  },
  180_000,
);
