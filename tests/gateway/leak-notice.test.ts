/** Reports of leaks: only what was signed is believed, and what is believed ends tokens, each once. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isSignedNotice,
  type LeakKeys,
  leakFeedback,
  readLeakKeys,
  readLeakNotice,
} from '../../gateway/leak-notice.ts';
import { type LeakFound, leakResponses, leakSteps } from '../../policy/leak-response.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { fuzz } from '../support/fuzz.ts';

const pemOf = (namedCurve: string) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
  return { pem: String(publicKey.export({ type: 'spki', format: 'pem' })), privateKey };
};
const [ours, others] = [pemOf('P-256'), pemOf('P-256')];
const setOf = (...keys: readonly (readonly [string, string])[]) =>
  JSON.stringify({
    public_keys: keys.map(([key_identifier, key]) => ({ key_identifier, key, is_current: true })),
  });

function keysOf(json: string): LeakKeys {
  const keys = readLeakKeys(json);
  if (typeof keys === 'string') throw new Error(keys);
  return keys;
}

const keys = keysOf(setOf(['one', ours.pem], ['two', others.pem]));
const body = Buffer.from(
  JSON.stringify([{ token: 't'.repeat(20), type: 'x', url: 'https://h/f', source: 'content' }]),
);
const signature = sign('sha256', body, ours.privateKey).toString('base64');

describe('a notice', () => {
  test('is signed if the named key signed its very bytes', () => {
    expect(isSignedNotice(body, 'one', signature, keys)).toBe(true);
    expect(isSignedNotice(body, 'two', signature, keys)).toBe(false);
    expect(isSignedNotice(body, 'three', signature, keys)).toBe(false);
    expect(isSignedNotice(body, null, signature, keys)).toBe(false);
    expect(isSignedNotice(body, 'one', null, keys)).toBe(false);
    expect(isSignedNotice(body, 'one', '', keys)).toBe(false);
    expect(isSignedNotice(Buffer.from(` ${body}`), 'one', signature, keys)).toBe(false);
  });

  test('is signed as the programme publishes it now', () => {
    const known = keysOf(readFileSync(new URL('./bad-configs/leaks.keys', import.meta.url), 'utf8'));
    const [name = ''] = known.keys();
    const sample = Buffer.from(
      '[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]',
    );
    const signed =
      'MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==';
    expect(isSignedNotice(sample, name, signed, known)).toBe(true);
    expect(readLeakNotice(sample)).toEqual([
      {
        token: 'some_token',
        type: 'some_type',
        url: 'https://example.com/base-repo-url/',
        source: 'commit',
      },
    ]);
  });

  test('is signed as the programme published it before', () => {
    const pem =
      '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n' +
      'kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n-----END PUBLIC KEY-----';
    const known = keysOf(setOf(['published', pem]));
    const sample = Buffer.from('[{"token":"some_token","type":"some_type","url":"some_url"}]');
    const signed =
      'MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=';
    expect(isSignedNotice(sample, 'published', signed, known)).toBe(true);
    expect(readLeakNotice(sample)).toEqual([
      { token: 'some_token', type: 'some_type', url: 'some_url', source: '' },
    ]);
  });

  test('is signed by nobody once a byte of it or of its signature is another', () => {
    const change = (bytes: Buffer, at: number, by: number) => {
      const changed = Buffer.from(bytes);
      changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ by;
      return changed;
    };
    const property = fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, by, inBody) => {
        const signed = Buffer.from(signature, 'base64');
        const [said, proof] = inBody ? [change(body, at, by), signed] : [body, change(signed, at, by)];
        expect(isSignedNotice(said, 'one', proof.toString('base64'), keys)).toBe(false);
      },
    );
    fc.assert(property, fuzz(300));
  });

  test('has a signature of one spelling', () => {
    const raw = sign('sha256', body, { key: ours.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64');
    const spellings = [
      ` ${signature}`,
      `${signature}\n`,
      signature.replace(/.{4}$/, '====$&'),
      `${signature}AAAA`,
      raw,
    ];
    for (const one of spellings) expect(isSignedNotice(body, 'one', one, keys)).toBe(false);
    fc.assert(
      fc.property(fc.string(), (any) => !isSignedNotice(body, 'one', any, keys)),
      fuzz(300),
    );
  });

  test.each([
    '',
    '{}',
    'null',
    '[{"token":"","type":"x"}]',
    '[{"token":1,"type":"x"}]',
    '[{"type":"x"}]',
    '[{"token":"t","type":"x"},null]',
    '\ufeff[]',
    '[{"token":"t","type":"x"}',
  ])('is none: %j', (json) => {
    expect(readLeakNotice(Buffer.from(json))).toBeNull();
  });

  test('is none in bad UTF-8 or with more reports than anybody sends, and may be empty', () => {
    expect(readLeakNotice(Buffer.from([0x5b, 0xff, 0x5d]))).toBeNull();
    const many = Array.from({ length: 10_001 }, () => ({ token: 't', type: 'x' }));
    expect(readLeakNotice(Buffer.from(JSON.stringify(many)))).toBeNull();
    expect(readLeakNotice(Buffer.from('[]'))).toEqual([]);
  });
});

test.each([
  ['no JSON', 'is no {"public_keys":[{"key_identifier","key"}]}'],
  ['{"public_keys":[]}', 'is no {"public_keys":[{"key_identifier","key"}]}'],
  [setOf(['a', 'not a key']), 'holds a key that is no public key on P-256'],
  [setOf(['a', pemOf('P-384').pem]), 'holds a key that is no public key on P-256'],
  [
    setOf(['a', String(ours.privateKey.export({ type: 'pkcs8', format: 'pem' }))]),
    'holds a key that is no public key on P-256',
  ],
  [setOf(['a', ours.pem], ['a', others.pem]), 'names a key twice, or not at all'],
])('a key set that cannot be used says why', (json, message) => {
  expect(readLeakKeys(json)).toBe(message);
});

test('feedback names tokens by their hash alone', () => {
  const sha256 = createHash('sha256').update('secret').digest('hex');
  expect(leakFeedback([{ sha256, type: 'x', isOurs: true }])).toEqual([
    { token_hash: sha256, token_type: 'x', label: 'true_positive' },
  ]);
});

describe('a leak is answered', () => {
  const record = (id: string, more: Partial<TokenRecord> = {}): TokenRecord => ({
    ...{
      id,
      type: 'x',
      label: 'l',
      preview: 'p',
      scopes: [],
      attributes: new Map(),
      origins: [],
      externalId: null,
    },
    ...{
      createdAt: 0,
      createdBy: 'cli',
      notBefore: null,
      expiresAt: null,
      lastUsedAt: null,
      rotatedTo: null,
    },
    ...{
      retireAt: null,
      disabledAt: null,
      revokedAt: null,
      revokedBy: null,
      revokedReason: null,
      version: 1,
    },
    ...more,
  });
  const found = (one: TokenRecord | null, url = 'https://h/f'): LeakFound => ({
    record: one,
    url,
    source: 'commit',
  });

  test('with one step a token, and none for what is over or not ours', () => {
    const leaks = [
      found(record('tok_1')),
      found(record('tok_1'), 'https://h/other'),
      found(null),
      found(record('tok_2', { revokedAt: 1 })),
      found(record('tok_3', { expiresAt: 9 })),
      found(record('tok_4', { retireAt: 10 })),
      found(record('tok_5', { disabledAt: 1, expiresAt: 11 })),
    ];
    const steps = (respond: 'notify' | 'quarantine' | 'revoke') =>
      leakSteps(leaks, { respond }, 10).map((step) => `${step.do} ${step.id}`);
    expect(steps('revoke')).toEqual(['revoke tok_1', 'revoke tok_5']);
    expect(steps('notify')).toEqual(['notify tok_1', 'notify tok_5']);
    expect(steps('quarantine')).toEqual(['disable tok_1']);
  });

  test('of a canary with words alone: it stays on guard', () => {
    const leaks = [found(record('tok_1', { canary: true }))];
    for (const respond of leakResponses) {
      expect(leakSteps(leaks, { respond }, 10).map((step) => step.do)).toEqual(['notify']);
    }
  });

  test('with a reason that a record takes, whatever the url', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (url) => {
        const [step] = leakSteps([found(record('tok_1'), url)], { respond: 'revoke' }, 0);
        expect(step?.reason).toMatch(/^leaked: commit[\x20-\x7e]*$/);
        expect(step?.reason.length).toBeLessThanOrEqual(120);
      }),
      fuzz(200),
    );
  });
});
