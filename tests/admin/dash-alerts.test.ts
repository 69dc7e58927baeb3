/** Alerts in the dashboard: told on every page, shown with what they were measured against, and acknowledged once. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { AlertKind } from '../../policy/alert-types.ts';
import { chromiumPath, heard, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';

const minute = '2026-01-05T12:00:00.000Z';
const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';

const own = async () => {
  const fixture = await startDash();
  onTestFinished(() => fixture.gateway.stop());
  return fixture;
};
const raise = async (
  { gateway }: DashFixture,
  kind: AlertKind,
  subject: string,
  detail: object,
  tokenId: string | null = null,
) => {
  const alert = { kind, subject, tokenId, detail: { ...detail }, quietMs: 0 };
  const raised = await gateway.running.tokens.alerts.raise(alert);
  if (raised === null) throw new Error('it was not raised');
  return raised.id;
};
const wordsOf = (text: string) =>
  text
    .replace(/<[^>]*>/g, '')
    .replace(/&quot;/g, '"')
    .replace(/\s+/g, ' ');

describe('alerts', () => {
  test('are shown open ones first, each beside what is usual, with its token', async () => {
    const dash = await own();
    const { id } = await dash.gateway.mint('user');
    await raise(dash, 'spike.token', id, { requests: 2000, minute, usual: 10.5, busiest: 200 }, id);
    await raise(dash, 'unseen.origin', id, { values: [null, 'https://a.example'], more: 3, known: 2 }, id);
    await raise(dash, 'refusals.network', 'many networks', { refused: 5000, minute, networks: 31 });
    const odd = { anything: ['at all'] };
    await raise(dash, 'spike.bundle', 'com.example', odd);
    const leak = { type: 'user', state: 'revoked', places: ['commit https://a.example/x'], more: 2 };
    await raise(dash, 'leak.reported', id, leak, id);
    await raise(dash, 'canary.used', `${id} from 192.0.2.9`, { address: '192.0.2.9', row: null }, id);
    const { cookie } = await dash.signIn('alerts:read', 'tokens:read');
    const { text } = await dash.dash('GET /alerts', { cookie });
    const words = wordsOf(text);
    for (const said of [
      '2,000 requests in the minute from 2026-01-05 12:00 UTC; usual are 10.5 a minute, and the busiest minute of the day before had 200.',
      'Now no Origin, https://a.example and 3 more; 2 known before.',
      '5,000 requests refused from 31 networks in the minute from 2026-01-05 12:00 UTC.',
      'anything ["at all"]',
      'Found at commit https://a.example/x and 2 more. The token is now revoked.',
      'From 192.0.2.9, at no row.',
      'About com.example.',
      'About the token user.',
    ]) {
      expect(words).toContain(said);
    }
    expect(text).toContain(`href="/tokens/${id}"`);
    expect(text).not.toContain('Acknowledge<');
    // Newest first, as they were raised.
    expect(text.indexOf('refusals.network')).toBeLessThan(text.indexOf('spike.token'));
    const { cookie: other } = await dash.signIn('alerts:read');
    expect((await dash.dash('GET /alerts', { cookie: other })).text).not.toContain('href="/tokens/tok_');
    expect((await dash.dash('GET /', { cookie: other })).text).toContain('>Open alerts</h2>');
  });

  test('are told on every page by their number, to whoever may see them and to nobody else', async () => {
    const dash = await own();
    const { cookie } = await dash.signIn('alerts:read', 'usage:read');
    const { cookie: blind } = await dash.signIn('usage:read');
    const count = async (path: string, who = cookie) => {
      const { text } = await dash.dash(`GET ${path}`, { cookie: who });
      return /<span class="count">([^<]*)/.exec(text)?.[1] ?? null;
    };
    expect(await count('/usage')).toBeNull();
    const first = await raise(dash, 'refusals.network', '192.0.2.0/24', { refused: 1, minute, from: 1 });
    for (const path of ['/', '/usage', '/sessions', '/alerts', '/nothing'])
      expect(await count(path)).toBe('1');
    expect(await count('/usage', blind)).toBeNull();
    expect((await dash.dash('GET /alerts', { cookie: blind })).status).toBe(403);
    expect((await dash.dash('GET /', { cookie: blind })).text).not.toContain('lert');
    for (let i = 0; i < 99; i++) await raise(dash, 'refusals.network', `n${i}`, { refused: 1, minute });
    expect(await count('/usage')).toBe('99+');
    await dash.gateway.running.tokens.alerts.acknowledge(first, 'test');
    expect(await count('/usage')).toBe('99');
    const page = await dash.dash('GET /alerts', { cookie });
    const next = /href="(\/alerts\?after=[^"]*)"/.exec(page.text)?.[1] ?? '';
    expect((await dash.dash(`GET ${next}`, { cookie })).text.split('<li class="card').length - 1).toBe(49);
  });

  test('are acknowledged by a form of ours, with the scope, once, in the audit', async () => {
    const dash = await own();
    const id = await raise(dash, 'refusals.network', '192.0.2.0/24', { refused: 9, minute, from: 5 });
    const { cookie, id: holder } = await dash.signIn('alerts:read', 'alerts:write');
    const { cookie: reader } = await dash.signIn('alerts:read');
    const action = `/alerts/${id}/acknowledge`;
    const { text } = await dash.dash('GET /alerts', { cookie });
    const form = { _form: hiddenOf(text, action, '_form') };
    expect((await dash.dash(`POST ${action}`, { cookie, form: { _form: 'x' } })).status).toBe(403);
    const readers = {
      _form: hiddenOf((await dash.dash('GET /', { cookie: reader })).text, '/sign-out', '_form'),
    };
    expect((await dash.dash(`POST ${action}`, { cookie: reader, form: readers })).status).toBe(403);
    for (let i = 0; i < 2; i++) {
      const { status, location } = await dash.dash(`POST ${action}`, { cookie, form });
      expect([status, location]).toEqual([303, '/alerts?done=acknowledged']);
    }
    expect((await dash.dash('POST /alerts/alr_none/acknowledge', { cookie, form })).status).toBe(404);
    const { json } = await dash.ask('GET /v1/audit');
    const rows = json.entries.filter((one: { action: string }) => one.action === 'alert.acknowledge');
    expect(rows.map((one: { actor: string }) => one.actor)).toEqual([`token:${holder}`]);
    const open = await dash.dash('GET /alerts?done=acknowledged', { cookie });
    expect(open.text).toContain('No open alerts.');
    expect(wordsOf((await dash.dash('GET /alerts?show=all', { cookie })).text)).toContain(
      `Acknowledged just now by token:${holder}.`,
    );
  });
});

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  test('one is seen on the overview, opened, and acknowledged by keyboard; what others chose is text', async () => {
    const dash = await own();
    const { id } = await dash.gateway.mint('user');
    await raise(dash, 'unseen.origin', id, { values: [evil], known: 1 }, id);
    await raise(dash, 'spike.bundle', evil, { requests: 900, minute: evil, usual: 1, busiest: evil });
    await raise(dash, 'refusals.token', evil, { [evil]: evil }, evil);
    const seen = { places: [evil], more: evil, state: evil };
    await raise(dash, 'leak.reported', id, seen, id);
    await raise(dash, 'canary.used', evil, { address: evil, row: evil }, id);
    const { cookie } = await dash.signIn();
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: dash.url }]);
    const page = await context.newPage();
    const said = heard(page);
    await page.goto(dash.url);
    await page.getByRole('heading', { name: 'Open alerts' }).waitFor();
    expect((await page.textContent('main'))?.split(evil).length).toBeGreaterThan(3);
    expect(await page.locator('main img, main script').count()).toBe(0);
    await page.getByRole('link', { name: 'Alerts 5 open' }).press('Enter');
    await page.waitForURL('**/alerts');
    expect(await page.locator('main img, main script').count()).toBe(0);
    for (const left of ['4', '3', '2', '1']) {
      await page
        .getByRole('button', { name: /Acknowledge/ })
        .first()
        .press('Enter');
      await page.getByRole('link', { name: `Alerts ${left} open` }).waitFor();
    }
    await page.getByRole('button', { name: /Acknowledge/ }).press('Enter');
    await page.getByText('No open alerts.').waitFor();
    expect(said).toEqual([]);
  });
});
