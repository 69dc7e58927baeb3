/** The page of a token that was rotated says when it ends by itself, and what that waits for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pendingEnd } from '../../gateway/admin/operations-pending.ts';
import { quietMs } from '../../policy/retire.ts';
import { type DashFixture, startDash } from '../fixtures/dash.ts';

let dash: DashFixture;
let cookie: string;
beforeAll(async () => {
  dash = await startDash();
  ({ cookie } = await dash.signIn('tokens:read'));
});
afterAll(() => dash.gateway.stop());

async function made(expiresIn?: string): Promise<string> {
  const more = expiresIn === undefined ? {} : { expires_in: expiresIn };
  return (await dash.ask('POST /v1/tokens', { body: { type: 'user', label: 'ci', ...more } })).json.id;
}

async function rotated(body: object, expiresIn?: string) {
  const old = await made(expiresIn);
  const { id } = (await dash.ask(`POST /v1/tokens/${old}/rotate`, { body })).json;
  return { old, successor: String(id) };
}

async function use(id: string) {
  dash.gateway.running.tokens.touch(id, Date.now());
  await dash.gateway.running.tokens.flush();
}

/** As a person reads it; null: the page says nothing of an end. */
async function said(id: string): Promise<string | null> {
  const { status, text } = await dash.dash(`GET /tokens/${id}`, { cookie });
  expect(status).toBe(200);
  const [section] = /<section aria-labelledby="ending".*?<\/section>/s.exec(text) ?? [];
  return (
    section
      ?.replace(/<[^>]*>/g, '')
      .replace(/\s+/g, ' ')
      .trim() ?? null
  );
}

const utc = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC';

describe('a token that was rotated', () => {
  test('to its deadline says when that is, and what follows it', async () => {
    const { old, successor } = await rotated({ overlap: '7d' });
    expect(await said(old)).toMatch(
      new RegExp(
        `^It ends ${utc} \\(in 6 d\\) From then on requests with it are refused, .* Its successor takes its place\\.$`,
      ),
    );
    expect((await dash.dash(`GET /tokens/${old}`, { cookie })).text).toContain(
      `<a href="/tokens/${successor}">Its successor</a> takes its place.`,
    );
    expect(await said(successor)).toBeNull();
  });

  test('to end when quiet says what that waits for, when it comes, and when at the latest', async () => {
    const { old, successor } = await rotated({ overlap: '30d', retire: 'when_quiet' });
    const latest = `At the latest it ends ${utc} \\(in 29 d\\), whether`;
    expect(await said(old)).toMatch(
      new RegExp(`^It ends by itself, .* As yet it stays: the new token was never used\\. ${latest}`),
    );
    const { id: by } = (await dash.ask('GET /v1/whoami')).json;
    expect(await said(old)).toMatch(new RegExp(`Asked for ${utc} \\(just now\\) by token:${by}\\.$`));
    await use(successor);
    const { text } = await dash.dash(`GET /tokens/${old}`, { cookie });
    const [, at = ''] = /If nobody uses it again, that is <time datetime="([^"]+)"/.exec(text) ?? [];
    const { created_at: madeAt } = (await dash.ask(`GET /v1/tokens/${successor}`)).json;
    expect(Date.parse(at) - Date.parse(madeAt)).toBe(quietMs);
    expect(await said(old)).toMatch(
      new RegExp(`If nobody uses it again, that is ${utc} \\(in 1 d\\)\\. ${latest}`),
    );
    await dash.ask(`POST /v1/tokens/${successor}/disable`, { body: {} });
    expect(await said(old)).toContain('As yet it stays: the new token cannot be used any more.');
  });

  test('says so on to the end, and no more after it', async () => {
    const { old, successor } = await rotated({ overlap: '2d', retire: 'when_quiet' });
    await use(successor);
    const { running } = dash.gateway;
    const { tokens } = running;
    const record = await tokens.byId(old);
    if (record === null) throw new Error('no token');
    const at = (now: number) =>
      pendingEnd(
        {
          ...{ policy: running.config().policy, tokens, now: () => now },
          ...{ usage: tokens.usage, retirements: tokens.retirements },
        },
        record,
      );
    const retireAt = record.retireAt ?? 0;
    const quietAt = (await at(Date.now()))?.whenQuiet?.quietAt ?? 0;
    expect(quietAt).toBeLessThan(retireAt);
    expect((await at(quietAt))?.whenQuiet?.verdict.because).toMatch(
      /^the new token is in use, and the old one was not/,
    );
    expect(await at(retireAt - 1)).toMatchObject({ endsAt: retireAt });
    expect(await at(retireAt)).toBeNull();
  });

  test('says that it ends when it expires, where that is before', async () => {
    const { old } = await rotated({ overlap: '30d', retire: 'when_quiet' }, '10d');
    expect(await said(old)).toMatch(/^It ends by itself, .* At the latest it ends [^(]* \(in 9 d\)/);
    const plain = await rotated({ overlap: '30d' }, '10d');
    expect(await said(plain.old)).toMatch(/^It ends [^(]* \(in 9 d\)/);
  });

  test('says nothing once it is revoked, and one that was not says nothing', async () => {
    const { old } = await rotated({ overlap: '30d', retire: 'when_quiet' });
    await dash.ask(`POST /v1/tokens/${old}/revoke`, { body: {} });
    expect(await said(old)).toBeNull();
    expect(await said(await made('10d'))).toBeNull();
    expect(await said((await rotated({ overlap: '0s' })).old)).toBeNull();
  });
});
