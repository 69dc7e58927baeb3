/** What callers and operators say of an activation: what is let in can be carried, signed and verified as it was said. */
import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createTriggerSigner, deriveTriggerKey, verifyTrigger } from '../../gateway/trigger.ts';
import { activationKeys, lifeMsMin, probeChoiceOf, probeSubjectFlaw } from '../../policy/probe-input.ts';

const caps = { lifeMsMax: 3_600_000, triggerLifeMsMax: 86_400_000 };
const type = { prefix: 'probe_', expires: 'trigger_expires_at' };
const until = '2099-01-01T00:00:00.000Z';
const asked = { label_pattern: 'a.*', ttl_seconds: 60 };
const fieldText = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;
const subjects = fc.string({ unit: 'grapheme', maxLength: 60 });

const keyFor = (secret: string, subject: string) =>
  createSecretKey(deriveTriggerKey(secret, subject), 'utf8');

describe('what is said of an activation', () => {
  test('whatever a body holds: no text that a header could not carry, and no life outside the caps', () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.string({ unit: 'binary', maxLength: 210 }),
      fc.integer({ min: -10, max: 100_000 }),
      fc.constantFrom('a.*', '*', 60, 3600, 86_400, 1e300, -0, 60.5),
    );
    const bodies = fc.dictionary(fc.constantFrom(...activationKeys), value);
    fc.assert(
      fc.property(bodies, (more) => {
        for (const said of [more, { ...asked, ...more }]) {
          const choice = probeChoiceOf(said, caps);
          if (!choice.ok) {
            expect(choice.complaint.given).toBeNull();
            continue;
          }
          const { labelPattern, service, environment, lifeMs, triggerLifeMs } = choice.value;
          const carried = [labelPattern, service, environment].every((text) => fieldText.test(text));
          const lives = lifeMs >= lifeMsMin && lifeMs <= caps.lifeMsMax && lifeMs % 1000 === 0;
          const triggers = triggerLifeMs >= lifeMsMin && triggerLifeMs <= caps.triggerLifeMsMax;
          expect([carried, lives, triggers]).toEqual([true, true, true]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('the ends of each cap are in, and what is beyond is not', () => {
    const lives = (ttl: number, trigger?: number) => {
      const choice = probeChoiceOf({ ...asked, ttl_seconds: ttl, trigger_ttl_seconds: trigger }, caps);
      return choice.ok ? [choice.value.lifeMs, choice.value.triggerLifeMs] : null;
    };
    expect([lives(60), lives(3600), lives(59), lives(3601)]).toEqual([
      [60_000, 60_000],
      [3_600_000, 3_600_000],
      null,
      null,
    ]);
    expect([lives(60, 86_400), lives(60, 86_401), lives(60, 59)]).toEqual([[60_000, 86_400_000], null, null]);
    const short = probeChoiceOf({ ...asked, ttl_seconds: 3600 }, { ...caps, triggerLifeMsMax: 120_000 });
    expect(short.ok && short.value.triggerLifeMs).toBe(120_000);
  });
});

describe('a trigger that is signed for a text', () => {
  const words = fc.stringMatching(/^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/);

  test('says what was said, to whoever verifies with the key of that text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), subjects, words, words, words, (secret, subject, ...said) => {
        fc.pre(probeSubjectFlaw(subject) === null);
        const [label_pattern, service, environment] = said;
        const payload = {
          activation_id: 'a',
          label_pattern,
          service,
          environment,
          trigger_expires_at: until,
        };
        const token = createTriggerSigner(secret)('probe_', subject, payload);
        const reading = verifyTrigger(token, type, [keyFor(secret, subject)], 0);
        expect(reading.ok && Object.fromEntries(reading.fields)).toEqual(payload);
      }),
    );
  });

  test('is wrong under the key of any other text, and under the secret itself', () => {
    const sign = createTriggerSigner('the secret');
    fc.assert(
      fc.property(subjects, subjects, (one, other) => {
        fc.pre(one !== other && probeSubjectFlaw(one) === null && probeSubjectFlaw(other) === null);
        const token = sign('probe_', one, { trigger_expires_at: until });
        const keys = [keyFor('the secret', other), createSecretKey('the secret', 'utf8')];
        expect(verifyTrigger(token, type, keys, 0).ok).toBe(false);
      }),
    );
  });
});

test.each([
  ['', 'it is empty'],
  ['x'.repeat(201), 'it is longer than 200 characters'],
  ['a\u0000b', 'it holds a control character'],
  ['a\u0085b', 'it holds a control character'],
  ['a\ud800', 'it is not well-formed Unicode'],
  ['x'.repeat(200), null],
  ['prj_a', null],
  ['\u00e9 \u{1f512}', null],
])('of %j as a text to derive for it is said: %s', (text, flaw) => {
  expect(probeSubjectFlaw(text)).toBe(flaw);
});
