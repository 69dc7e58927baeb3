/** The overview and the pages about usage: what they say of a real gateway, and who sees which part. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { deskOf } from '../../gateway/admin/http-desk.ts';
import { endingTokens, safeToRetire } from '../../gateway/admin/operations-ending.ts';
import type { ServeOptions } from '../../gateway/main.ts';
import { chromiumPath, heard, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, oneOperator, startDash } from '../fixtures/dash.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash();
});
afterAll(() => dash.gateway.stop());

const typeNamed = (name: string) => {
  const type = dash.gateway.running.config().policy.types.get(name);
  if (type === undefined) throw new Error('no such type');
  return type;
};
const own = async (head?: string, options: Partial<ServeOptions> = {}) => {
  const fixture = await startDash(head, undefined, options);
  onTestFinished(() => fixture.gateway.stop());
  return fixture;
};
const section = (text: string, heading: string) =>
  text
    .split('<section')
    .find((one) => one.includes(`>${heading}</h2>`))
    ?.split('</section>')[0] ?? null;

describe('the overview', () => {
  test('says that the gate is ready, with which config, and why it is not well', async () => {
    const fixture = await own();
    const { running } = fixture.gateway;
    const { cookie } = await fixture.signIn('tail:read');
    const { text } = await fixture.dash('GET /', { cookie });
    expect(text).toMatch(/<h2 id="gate" class="gate-word">Ready<\/h2>/);
    expect(section(text, 'Ready')).toContain(`<code>${running.config().policy.version}</code>`);
    expect(text).toContain('href="/">Load again</a>');
    running.life.phase = 'announcing';
    const leaving = section((await fixture.dash('GET /', { cookie })).text, 'Not ready');
    expect(leaving).toContain('The process:</strong> <span class="reason">announcing');
    running.life.phase = 'serving';
  });

  test('has refusals by code, tokens that end soon, and rotations that are safe to retire', async () => {
    const { tokens } = dash.gateway.running;
    const type = typeNamed('user');
    const base = { type, scopes: [], attributes: new Map(), origins: [], createdBy: 'test' };
    const now = Date.now();
    await tokens.create({ ...base, label: 'ends later', expiresAt: now + 13 * dayMs });
    await tokens.create({ ...base, label: 'ends soon', expiresAt: now + 2 * dayMs + 60_000 });
    await tokens.create({ ...base, label: 'ends far', expiresAt: now + 15 * dayMs });
    const quiet = await tokens.create({ ...base, label: 'quiet one', expiresAt: null });
    const busy = await tokens.create({ ...base, label: 'busy one', expiresAt: null });
    for (const { record } of [quiet, busy]) await tokens.rotate(record.id, type, 30 * dayMs, 'test');
    for (let i = 0; i < 3; i++) await fetch(`${dash.gateway.url}/events`);
    await fetch(`${dash.gateway.url}/nowhere`);
    const { cookie } = await dash.signIn('tokens:read', 'usage:read', 'tail:read');
    const { text } = await dash.dash('GET /', { cookie });
    const refused = section(text, 'Refused or failed in the last hour') ?? '';
    expect([...refused.matchAll(/<code>(\w+)<\/code><\/th><td>(\d+)/g)].map((all) => all.slice(1))).toEqual([
      ['credential_missing', '3'],
      ['route_not_found', '1'],
    ]);
    expect(refused).toContain('href="/live?refusals=true"');
    const ending = section(text, 'Ending within 14 days') ?? '';
    expect(ending).toMatch(/first start.*ends soon.*in 2 d.*ends later.*in 12 d/s);
    expect(ending).not.toContain('ends far');
    // Rotated a moment ago: what runs once a day has not been seen yet.
    expect(section(text, 'Safe to retire')).toBeNull();
  });

  test('calls a rotation safe to retire once its successor is in use and nobody had the old one for a day', async () => {
    const { gateway } = await own();
    const { tokens, config } = gateway.running;
    const type = config().policy.types.get('user');
    if (type === undefined) throw new Error('no such type');
    const rotated = async (label: string) => {
      const base = { type, scopes: [], attributes: new Map(), origins: [], createdBy: 'test' };
      const { record } = await tokens.create({ ...base, label, expiresAt: null });
      const rotation = await tokens.rotate(record.id, type, 30 * dayMs, 'test');
      if (rotation?.kind !== 'rotated') throw new Error('it was not rotated');
      return [record.id, rotation.created.record.id] as const;
    };
    const [quiet, next] = await rotated('quiet');
    const [busy, other] = await rotated('busy');
    await rotated('never moved');
    const [ended, last] = await rotated('ended');
    await tokens.revoke(ended, 'test', null);
    const at = Date.now() + 20 * hourMs;
    const use = (tokenId: string) => ({ tokenId, at, address: '192.0.2.1', route: 'main GET /events' });
    await tokens.usage.add([], [use(next), use(other), use(last), use(busy)]);
    const now = () => Date.now() + 26 * hourMs;
    const desk = deskOf({ tokens, now }, config(), { by: 'test', scopes: [] }, 'for_good');
    expect((await safeToRetire(desk)).map(({ old }) => old.id)).toEqual([quiet]);
    const soon = await endingTokens(desk, 29 * dayMs);
    expect([soon.tokens.map(({ record }) => record.label), soon.isMore]).toEqual([
      ['quiet', 'busy', 'never moved'],
      false,
    ]);
  });

  test('shows each only what the API would tell', async () => {
    const heads = {
      'usage:read': ['The last hour', 'Refused or failed in the last hour'],
      'tokens:read': ['Ending within 14 days'],
    };
    for (const [scope, seen] of Object.entries(heads)) {
      const { cookie } = await dash.signIn(scope);
      const { text } = await dash.dash('GET /', { cookie });
      for (const heading of Object.values(heads).flat()) {
        expect([scope, heading, section(text, heading) !== null]).toEqual([
          scope,
          heading,
          seen.includes(heading),
        ]);
      }
      for (const [path, needed] of [
        ['/usage', 'usage:read'],
        ['/live', 'tail:read'],
        ['/usage/unused', 'tokens:read'],
      ]) {
        const { status } = await dash.dash(`GET ${path}`, { cookie });
        expect([path, status]).toEqual([path, needed === scope ? 200 : 403]);
      }
      expect(text.includes('<a href="/usage">Usage</a>')).toBe(scope === 'usage:read');
      expect(text).not.toContain('<a href="/live">');
    }
  });
});

describe('usage', () => {
  const rowsOf = (text: string, heading: string) =>
    [
      ...(section(text, heading) ?? '').matchAll(/<tr><th scope="row">(.*?)<\/th>((?:<td>[^<]*<\/td>)+)/g),
    ].map(([, name = '', cells = '']) => [
      name.replace(/<[^>]*>/g, ''),
      ...[...cells.matchAll(/<td>([^<]*)/g)].map(([, cell = '']) => Number(cell.replaceAll(',', ''))),
    ]);

  test('adds up: the bars, the tokens and the rows of each window, and what the API says', async () => {
    const fixture = await own();
    const { tokens } = fixture.gateway.running;
    const { id } = await fixture.gateway.mint('user');
    const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
    const count = (ago: number, more: object) => ({
      tokenId: id,
      minuteMs: minuteMs - ago,
      route: 'main GET /events',
      passed: 0,
      refused: 0,
      failed: 0,
      ...more,
    });
    await tokens.usage.add(
      [
        count(0, { passed: 1000, failed: 2 }),
        count(23 * hourMs, { passed: 30, refused: 4 }),
        count(3 * dayMs, { passed: 500 }),
        count(20 * dayMs, { tokenId: '', route: '', refused: 7 }),
      ],
      [],
    );
    const { cookie } = await fixture.signIn('usage:read', 'tokens:read');
    for (const [last, sum] of [
      ['24h', [1030, 4, 2]],
      ['7d', [1530, 4, 2]],
      ['30d', [1530, 11, 2]],
    ] as const) {
      const { text } = await fixture.dash(`GET /usage?last=${last}`, { cookie });
      const all = rowsOf(text, 'All requests');
      expect(all.at(-1)).toEqual(['Together', ...sum]);
      const together = [1, 2, 3].map((i) =>
        all.slice(0, -1).reduce((total, row) => total + Number(row[i]), 0),
      );
      expect(together).toEqual(sum);
      for (const heading of ['Busiest tokens', 'Busiest rows']) {
        const parts = rowsOf(text, heading);
        expect([1, 2, 3].map((i) => parts.reduce((total, row) => total + Number(row[i]), 0))).toEqual(sum);
      }
    }
    const { text } = await fixture.dash(`GET /tokens/${id}?last=7d`, { cookie });
    expect(rowsOf(text, 'Use').slice(-2)).toEqual([
      ['Together', 1530, 4, 2],
      ['main GET /events', 1530, 4, 2],
    ]);
    const { json } = await fixture.ask(`GET /v1/tokens/${id}/usage?since=7d&by=route`);
    expect(json.rows).toEqual([{ route: 'main GET /events', passed: 1530, refused: 4, failed: 2 }]);
  });

  test('of a token is not shown to who may not see usage, and labels not to who may not see tokens', async () => {
    const { id } = await dash.gateway.mint('user');
    const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
    const counts = { passed: 5, refused: 0, failed: 0, route: 'main GET /events', minuteMs };
    await dash.gateway.running.tokens.usage.add([{ ...counts, tokenId: id }], []);
    const { cookie } = await dash.signIn('tokens:read');
    expect((await dash.dash(`GET /tokens/${id}`, { cookie })).text).not.toMatch(/<svg|Passed/);
    const { cookie: other } = await dash.signIn('usage:read');
    const { text } = await dash.dash('GET /usage', { cookie: other });
    expect(text).toContain(`<code>${id}</code>`);
    expect(text).not.toContain(`/tokens/${id}`);
  });

  test('lists tokens that nobody used for 90 days', async () => {
    const { tokens } = dash.gateway.running;
    const row = {
      type: typeNamed('user'),
      hash: { sha256: 'ab'.repeat(32) },
      externalId: null,
      label: 'forgotten',
      scopes: [],
      attributes: new Map(),
      origins: [],
      createdAt: Date.now() - 100 * dayMs,
      expiresAt: null,
      createdBy: 'test',
    };
    await tokens.import([row]);
    const { cookie } = await dash.signIn('tokens:read');
    const { text } = await dash.dash('GET /usage/unused', { cookie });
    // When a token came to this store counts as a use: it came just now.
    expect(text).not.toContain('forgotten');
    expect(text).toContain('Every token was used, or is younger.');
  });
});

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  const enter = async (to = dash) => {
    const { cookie } = await to.signIn();
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: to.url }]);
    const page = await context.newPage();
    const said = heard(page);
    return { page, said };
  };

  test("a request that was sent is in the chart's table, opened by keyboard", async () => {
    // What is counted is written whenever alerts are looked for.
    const desk = await own(`${oneOperator}\nalerts: {}`, { alertEveryMs: 50 });
    const { page } = await enter(desk);
    const { token, id } = await desk.gateway.mint('user', { scopes: ['events:read'] });
    const asked = { headers: { Authorization: `Bearer ${token}` } };
    for (let i = 0; i < 2; i++) await fetch(`${desk.gateway.url}/projects/not_mine`, asked);
    const { usage } = desk.gateway.running.tokens;
    const counted = { tokenId: id, sinceMs: 0, bucket: 'minute', by: 'token', limit: 1 } as const;
    await expect.poll(() => usage.sums(counted)).toMatchObject([{ refused: 2 }]);
    await page.goto(`${desk.url}/tokens/${id}`);
    expect(await page.locator('.figures').textContent()).toMatch(/Refused\s*2/);
    await page.getByText('In figures').press('Enter');
    const last = page.locator('.in-figures tbody tr').last();
    await last.waitFor({ state: 'visible' });
    expect(await page.locator('.in-figures tfoot td').allTextContents()).toEqual(['0', '2', '0']);
    const picture = page.getByRole('img', { name: 'Requests with this token in the last 24 hours' });
    expect(await picture.count()).toBe(1);
    await page.getByRole('link', { name: '30 days' }).press('Enter');
    await page.waitForURL('**?last=30d');
  });

  test('what others wrote is shown and never runs', async () => {
    const { page, said } = await enter();
    const { tokens } = dash.gateway.running;
    const base = { type: typeNamed('user'), scopes: [], attributes: new Map(), origins: [] };
    const soon = Date.now() + dayMs;
    const { record } = await tokens.create({ ...base, label: evil, expiresAt: soon, createdBy: 'test' });
    const minuteMs = Math.floor(Date.now() / 60_000) * 60_000;
    const counts = { passed: 9e6, refused: 1, failed: 1, minuteMs };
    await tokens.usage.add([{ ...counts, tokenId: record.id, route: evil }], []);
    for (const path of ['/', '/usage', `/tokens/${record.id}`]) {
      await page.goto(`${dash.url}${path}`);
      expect(await page.textContent('main')).toContain(evil);
      expect(await page.locator('main img, main script').count()).toBe(0);
    }
    await page.goto(`${dash.url}/live?${new URLSearchParams({ token: evil, row: evil, refusals: evil })}`);
    expect(await page.getByLabel('Row').inputValue()).toBe(evil);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(said.filter((line) => !line.includes('400'))).toEqual([]);
  });
});
