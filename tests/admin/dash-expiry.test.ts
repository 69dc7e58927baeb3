/** When a token expires is changed by the form that edits it, as `token update` does; and nothing else changes it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askedExpiry, isExpiryDone } from '../../gateway/admin/dash-token-expiry.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';

let dash: DashFixture;
let cookie: string;
beforeAll(async () => {
  dash = await startDash();
  ({ cookie } = await dash.signIn());
});
afterAll(() => dash.gateway.stop());

const dayMs = 86_400_000;

async function made(expiresIn?: string) {
  const more = expiresIn === undefined ? {} : { expires_in: expiresIn };
  const body = { type: 'user', label: 'ci', scopes: ['events:read'], ...more };
  const { id } = (await dash.ask('POST /v1/tokens', { body })).json;
  const path = `/tokens/${id}/edit`;
  const opened = async () => {
    const { text } = await dash.dash(`GET ${path}`, { cookie });
    const [_form, before] = [hiddenOf(text, path, '_form'), hiddenOf(text, path, 'before')];
    return { text, form: { _form, before, label: 'ci', scope: 'events:read', origins: '' } };
  };
  const send = (form: Readonly<Record<string, string>>) => dash.dash(`POST ${path}`, { cookie, form });
  const edit = async (expires: string) => send({ ...(await opened()).form, expires_in: expires });
  const view = async () => (await dash.ask(`GET /v1/tokens/${id}`)).json;
  const daysLeft = async () => {
    const { expires_at: at } = await view();
    return at === null ? null : Math.round((Date.parse(at) - Date.now()) / dayMs);
  };
  return { id, opened, send, edit, view, daysLeft };
}

describe('the form that edits a token', () => {
  test('puts off when it expires, brings it nearer, takes it away and sets it, each once in the audit', async () => {
    const { id, opened, edit, daysLeft } = await made('30d');
    expect((await opened()).text).toMatch(/It expires \d{4}-\d\d-\d\d \d\d:\d\d UTC\. To change that/);
    for (const [written, days] of [
      ['90d', 90],
      ['48h', 2],
      [' Never ', null],
      ['365d', 365],
    ] as const) {
      expect((await edit(written)).location).toBe(`/tokens/${id}?done=changed`);
      expect(await daysLeft()).toBe(days);
    }
    await edit('never');
    expect((await opened()).text).toContain('It never expires.');
    const { json } = await dash.ask(`GET /v1/audit?subject=${id}`);
    const changes = json.entries.filter(({ action }: { action: string }) => action === 'token.update');
    expect(changes.map(({ detail }: { detail: object }) => Object.keys(detail))).toEqual(
      Array(5).fill(['expires_at']),
    );
  });

  test('leaves it as it is where nothing is written, and where it never expired anyway', async () => {
    const { opened, send, edit, view } = await made('30d');
    const { expires_at: at } = await view();
    await edit('');
    await send((await opened()).form);
    await send({ ...(await opened()).form, label: 'other', expires_in: '' });
    expect(await view()).toMatchObject({ label: 'other', expires_at: at, version: 2 });
    const forever = await made();
    expect((await forever.edit('never')).location).toBe(`/tokens/${forever.id}`);
    expect(await forever.view()).toMatchObject({ expires_at: null, version: 1 });
  });

  test('says at the field what is wrong with it, keeps what was written, and changes nothing', async () => {
    const { edit, view } = await made('30d');
    const before = await view();
    for (const [written, words] of [
      ['soon', /&quot;soon&quot; is not a duration: write a number and a unit: [^.]*, or never\./],
      ['90', /is not a duration/],
      ['-1d', /is not a duration/],
      ['2027-01-01', /is not a duration/],
      ['0d', /A token cannot expire then: give a time from now, such as 90d\./],
      ['104249991d', /A token cannot expire then/],
      ['<b>', /&quot;&lt;b&gt;&quot; is not a duration/],
    ] as const) {
      const { status, text } = await edit(written);
      expect([written, status]).toEqual([written, 400]);
      expect(/id="f-expires_in-flaw">([^<]*)</.exec(text)?.[1]).toMatch(words);
      expect(text).toContain(`name="expires_in" type="text" value="${written.replace('<b>', '&lt;b&gt;')}"`);
    }
    expect(await view()).toEqual(before);
  });

  test('sent twice changes it once; sent after somebody else has changed it, not at all', async () => {
    const { id, opened, send, view } = await made('30d');
    const { form } = await opened();
    for (const _ of ['click', 'click']) {
      const { location } = await send({ ...form, expires_in: '90d' });
      expect(location).toBe(`/tokens/${id}?done=changed`);
    }
    const { expires_at: at } = await view();
    expect(await view()).toMatchObject({ version: 2 });
    for (const expires of ['60d', 'never']) {
      const { status, text } = await send({ ...form, expires_in: expires });
      expect([status, text.includes('not what it was when you opened this form')]).toEqual([400, true]);
    }
    expect(await view()).toMatchObject({ expires_at: at, version: 2 });
  });

  test('tells of a token that has expired, or ends by its rotation, what the other time will do', async () => {
    const { opened, edit, view, id } = await made('1ms');
    expect(await view()).toMatchObject({ state: 'expired' });
    expect((await opened()).text).toMatch(/It expired [^;]*; with a later time it works again\./);
    await edit('30d');
    expect(await view()).toMatchObject({ state: 'active' });
    await dash.ask(`POST /v1/tokens/${id}/rotate`, { body: { overlap: '7d' } });
    expect((await opened()).text).toMatch(
      /It expires [^.]*\. To change that .* Its rotation ends it [^,]*, whatever stands here\./,
    );
    const { retire_at: at } = await view();
    await edit('never');
    expect(await view()).toMatchObject({ expires_at: null, retire_at: at });
  });
});

const now = 1_790_000_000_000;

test('whatever is written, it stays, ends later than now, or is never by the one word for it', () => {
  const written = fc.oneof(
    fc.string(),
    fc.constantFrom('never', 'NEVER', 'Never', 'none', 'no', '0', 'never ', '0s'),
    fc
      .tuple(fc.nat(), fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w', 'y', ''))
      .map(([n, unit]) => `${n}${unit}`),
  );
  const is = fc.option(fc.integer({ min: 1, max: 8.64e15 }));
  fc.assert(
    fc.property(written, is, (text, expiresAt) => {
      const asked = askedExpiry(text, { expiresAt }, now);
      if (!asked.ok) return;
      const { expiresInMs } = asked.value;
      if (expiresInMs === undefined) expect(text === '' || expiresAt === null).toBe(true);
      else if (expiresInMs === null)
        expect([text.toLowerCase(), expiresAt === null]).toEqual(['never', false]);
      else expect(expiresInMs > 0 && now + expiresInMs <= 8.64e15).toBe(true);
    }),
  );
});

test('a time is done already only within a minute of it, and never by a token that has none', () => {
  const ms = fc.integer({ min: 1, max: 1e12 });
  fc.assert(
    fc.property(ms, fc.option(ms), (expiresInMs, leftMs) => {
      const expiresAt = leftMs === null ? null : now + leftMs;
      const near = leftMs !== null && Math.abs(leftMs - expiresInMs) < 60_000;
      expect(isExpiryDone({ expiresInMs }, { expiresAt }, now)).toBe(near);
    }),
  );
  expect(isExpiryDone({ expiresInMs: null }, { expiresAt: null }, now)).toBe(true);
  expect(isExpiryDone({ expiresInMs: null }, { expiresAt: now + 1 }, now)).toBe(false);
});
