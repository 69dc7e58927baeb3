/** Signed tokens that annotate: the published vector, and that nothing but a right one is ever believed. */
import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deriveTriggerKey, signTrigger, verifyTrigger } from '../../gateway/trigger.ts';
import { fuzz } from '../support/fuzz.ts';
import { noon } from '../support/policy.ts';

const type = { prefix: 'probe_', expires: 'trigger_expires_at' };
const secret = 'a key of the tests, kept elsewhere 01';
const keys = [createSecretKey(secret, 'utf8')];
const alive = { label: 'payment.*', trigger_expires_at: '2099-01-01T00:00:00.000Z' };

/** What its sender signs, however odd. */
function signedText(text: string, key = secret): string {
  return `probe_${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

const signedJson = (json: string | Uint8Array) => signedText(Buffer.from(json).toString('base64url'));

function read(token: string, now = noon): string {
  const reading = verifyTrigger(token, type, keys, now);
  return reading.ok ? 'verified' : reading.reason;
}

test('the published vector is reproduced: key, token, and what it says', () => {
  const key = deriveTriggerKey('gateway-test-secret', '11111111-1111-4111-8111-111111111111');
  expect(key).toBe('cf0c1f0252c9809b60d912f3535b63ae06110ed97faecd44550ddf5519bcf6fa');
  const payload = {
    activation_id: '550e8400-e29b-41d4-a716-446655440000',
    label_pattern: 'payment.*',
    service: 'payments',
    environment: 'staging',
    trigger_expires_at: '2099-01-01T00:00:00.000Z',
  };
  const prefix = 'dbundle_probe_';
  const token = signTrigger(prefix, key, payload);
  expect(token).toBe(
    'dbundle_probe_eyJhY3RpdmF0aW9uX2lkIjoiNTUwZTg0MDAtZTI5Yi00MWQ0LWE3MTYtNDQ2NjU1NDQwMDAwIiwibGFiZWxfcGF0dGVybiI6InBheW1lbnQuKiIsInNlcnZpY2UiOiJwYXltZW50cyIsImVudmlyb25tZW50Ijoic3RhZ2luZyIsInRyaWdnZXJfZXhwaXJlc19hdCI6IjIwOTktMDEtMDFUMDA6MDA6MDAuMDAwWiJ9.Y5lTBNv67nccIQQF_XKZvh-FnFQJGQlJkiT7u86lpKU',
  );
  const reading = verifyTrigger(token, { ...type, prefix }, [createSecretKey(key, 'utf8')], noon);
  expect(reading).toEqual({ ok: true, fields: new Map(Object.entries(payload)) });
});

test('one key of several is enough, and none is not', () => {
  const old = createSecretKey('the key before it, kept elsewhere 00', 'utf8');
  const token = signTrigger('probe_', old, alive);
  expect(verifyTrigger(token, type, [...keys, old], noon).ok).toBe(true);
  for (const some of [keys, []]) {
    expect(verifyTrigger(token, type, some, noon)).toEqual({
      ok: false,
      reason: 'no key of its type signed it',
    });
  }
});

describe('what is signed and wrong all the same is ignored:', () => {
  const right = signTrigger('probe_', secret, alive);
  const unsigned = right.slice(0, right.indexOf('.'));
  const until = (time: unknown) => signedJson(JSON.stringify({ label: 'a', trigger_expires_at: time }));
  const shape = 'the payload is no JSON object of texts';
  const time = 'trigger_expires_at is missing, or no time of RFC 3339';
  const form = 'not PAYLOAD.SIGNATURE in base64url';
  test.each<[string, string, string]>([
    ['nothing', '', 'another prefix'],
    ['the prefix alone', 'probe_', 'no signature'],
    ['another prefix', right.replace('probe_', 'probes_'), 'another prefix'],
    ['the placeholder of a page', 'probe_m3n4o5p6q7r8', 'no signature'],
    ['no signature', unsigned, 'no signature'],
    ['an empty signature', `${unsigned}.`, form],
    ['an empty payload', signedText(''), form],
    ['a third part', `${right}.x`, form],
    ['padding', `${right}=`, form],
    ['a payload with padding', signedText('eyJhIjoiYiJ9IA=='), form],
    ['the other base64', signedText('+/+/'), form],
    ['stray bits', signedText('eyJhIjoiYiJ9IB'), form],
    ['a space', signedText('eyJh IjoiYiJ9'), form],
    ['a list', signedJson('["a"]'), shape],
    ['null', signedJson('null'), shape],
    ['a text', signedJson('"a"'), shape],
    ['a number in it', signedJson('{"trigger_expires_at":"2099-01-01T00:00:00Z","n":1}'), shape],
    ['a map in it', signedJson('{"trigger_expires_at":"2099-01-01T00:00:00Z","n":{}}'), shape],
    ['no JSON', signedJson('{'), shape],
    ['a byte order mark', signedJson(`\ufeff${JSON.stringify(alive)}`), shape],
    ['bad UTF-8', signedJson(Buffer.from('7b2261223a22ff227d', 'hex')), shape],
    ['no end', signedJson('{"label":"a"}'), time],
    ['a day', until('2099-01-01'), time],
    ['a time without a zone', until('2099-01-01T00:00:00'), time],
    ['a day the calendar does not have', until('2099-02-30T00:00:00Z'), time],
    ['a time in words', until('tomorrow'), time],
    ['too long', signedJson(JSON.stringify({ ...alive, x: 'x'.repeat(2000) })), 'a payload over 2048 bytes'],
  ])('%s', (_, token, reason) => {
    expect(read(token)).toBe(reason);
  });

  test('its end is the first moment at which it is', () => {
    const ends = new Date(noon).toISOString();
    expect([read(until(ends), noon - 1), read(until(ends), noon), read(until(ends), noon + 1)]).toEqual([
      'verified',
      'it has expired',
      'it has expired',
    ]);
    for (const zoned of [
      '2026-01-01T13:00:00.123456+01:00',
      '2026-01-01T12:00:00.123Z',
      '2026-01-01t12:00:00.123z',
    ]) {
      expect([read(until(zoned), noon + 122), read(until(zoned), noon + 123)]).toEqual([
        'verified',
        'it has expired',
      ]);
    }
  });

  test('2,048 bytes are the most it may hold', () => {
    const rest = 2048 - JSON.stringify({ ...alive, x: '' }).length;
    expect(read(signedJson(JSON.stringify({ ...alive, x: 'x'.repeat(rest) })))).toBe('verified');
    expect(read(signedJson(JSON.stringify({ ...alive, x: 'x'.repeat(rest + 1) })))).not.toBe('verified');
  });
});

describe('whatever is sent', () => {
  const right = signTrigger('probe_', secret, alive);

  test('a right token with any one change is not right', () => {
    const bit = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 2 });
    fc.assert(
      fc.property(fc.nat(right.length), fc.nat(2), bit, (at, gone, put) => {
        const changed = right.slice(0, at) + put + right.slice(at + gone);
        if (changed !== right) expect(verifyTrigger(changed, type, keys, noon).ok).toBe(false);
      }),
      fuzz(5000),
    );
  });

  test('no other key makes a right one, whatever it says', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.string()), (key, payload) => {
        if (key === secret) return;
        const token = signTrigger('probe_', key, { ...payload, ...alive });
        expect(verifyTrigger(token, type, keys, noon).ok).toBe(false);
      }),
      fuzz(1000),
    );
  });

  test('what is signed is told as it is, to the last field', () => {
    const texts = fc.dictionary(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.string({ unit: 'binary', maxLength: 40 }),
      {
        maxKeys: 5,
      },
    );
    fc.assert(
      fc.property(texts, (payload) => {
        const whole = { ...payload, ...alive };
        const reading = verifyTrigger(signTrigger('probe_', secret, whole), type, keys, noon);
        expect(reading).toEqual({ ok: true, fields: new Map(Object.entries(whole)) });
      }),
      fuzz(200),
    );
  });
});
