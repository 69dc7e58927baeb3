/** Whoever guesses at passwords and tokens of the dashboard is slowed down, and learns nothing. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { oneOperator, password, startDash } from '../fixtures/dash.ts';

const own = async (head: string) => {
  const fixture = await startDash(head);
  onTestFinished(() => fixture.gateway.stop());
  return fixture;
};
const byPassword = (name: string, word: string) => ({ form: { with: 'password', name, password: word } });
const unknown = `postern_admin_${'0'.repeat(48)}`;

describe('whoever guesses', () => {
  test('learns nothing of which names there are', async () => {
    const fixture = await own(oneOperator);
    const wrong = await fixture.dash('POST /sign-in', byPassword('ada', 'not her password'));
    const nobody = await fixture.dash('POST /sign-in', byPassword('bob', 'not her password'));
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect(wrong.text.replaceAll('value="ada"', '')).toBe(nobody.text.replaceAll('value="bob"', ''));
    for (const text of [wrong.text, fixture.gateway.logText()])
      expect(text).not.toContain('not her password');
  });

  test('at a password is stopped by name, wherever the right one is tried from then on', async () => {
    const fixture = await own(oneOperator);
    const tries = [];
    for (let i = 0; i < 11; i++)
      tries.push((await fixture.dash('POST /sign-in', byPassword('ada', 'no'))).status);
    expect(tries).toEqual([...Array(10).fill(401), 429]);
    const { status, headers } = await fixture.dash('POST /sign-in', byPassword('ada', password));
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    const { token } = await fixture.mint();
    expect((await fixture.dash('POST /sign-in', { form: { with: 'token', token } })).status).toBe(303);
  });

  test('at many names or tokens is stopped by address', async () => {
    const fixture = await own(oneOperator);
    const { token } = await fixture.signIn();
    const names = [];
    for (let i = 0; i < 24; i++) {
      names.push((await fixture.dash('POST /sign-in', { form: { with: 'token', token: unknown } })).status);
    }
    expect(names).toContain(429);
    expect((await fixture.dash('POST /sign-in', { form: { with: 'token', token } })).status).toBe(303);
    for (let i = 0; i < 4; i++) await fixture.dash('POST /sign-in', byPassword(`nobody-${i}`, 'no'));
    expect((await fixture.dash('POST /sign-in', byPassword('nobody-9', 'no'))).status).toBe(429);
  });

  test('many at once are not more than a few at a time, and the event loop is free', async () => {
    const fixture = await own(oneOperator);
    const names = Array.from({ length: 16 }, (_, index) => `name-${index}`);
    const answers = await Promise.all(
      names.map((name) => fixture.dash('POST /sign-in', byPassword(name, 'no'))),
    );
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(10);
  });
});
