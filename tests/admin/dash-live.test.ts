/** Decisions as they are made, in a real Chromium and by hand: who may watch, for how long, and what is shown. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { chromiumPath, heard, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';
import { again } from '../support/busy.ts';

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash();
});
afterAll(() => dash.gateway.stop());

const at = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${dash.gateway.url}${path}`, { headers }).then((response) => response.status);

describe('the stream of the dashboard', () => {
  const open = async (cookie: string, query = '') => {
    const asking = request(`${dash.url}/live/stream${query}`, { headers: { Cookie: cookie }, agent: false });
    asking.on('error', () => {});
    const [response] = (await once(asking.end(), 'response')) as [IncomingMessage];
    response.setEncoding('utf8').on('error', () => {});
    let text = '';
    response.on('data', (chunk: string) => {
      text += chunk;
    });
    const over = new Promise<void>((resolve) => response.once('close', () => resolve()));
    onTestFinished(() => void asking.destroy());
    return { response, said: () => text, over };
  };

  test('tells of decisions, with the headers of every page, and takes the filters of the API', async () => {
    const { cookie } = await dash.signIn('tail:read');
    const all = await open(cookie);
    const some = await open(cookie, '?refusals=true&row=main+GET+%2Fevents');
    expect(all.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(await at('/nowhere')).toBe(404);
    expect(await at('/events')).toBe(401);
    await expect.poll(some.said).toContain('credential_missing');
    await expect.poll(all.said).toMatch(/route_not_found.*credential_missing/s);
    expect(some.said()).not.toContain('route_not_found');
    const flawed = await dash.dash('GET /live/stream?row=nothing', { cookie });
    expect([flawed.status, flawed.text]).toEqual([404, expect.stringContaining('No row has this id')]);
  });

  test('is for the session and its scope alone: no cookie, no scope, no other origin, no HEAD', async () => {
    const { cookie, token } = await dash.signIn('tail:read');
    const { cookie: other } = await dash.signIn('usage:read');
    const path = 'GET /live/stream';
    expect((await dash.dash(path)).location).toMatch(/^\/sign-in/);
    expect((await dash.dash(path, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(303);
    expect((await dash.dash(path, { cookie: other })).status).toBe(403);
    expect((await dash.dash(path, { cookie, headers: { Origin: 'http://evil.example' } })).status).toBe(403);
    expect((await dash.dash('HEAD /live/stream', { cookie })).status).toBe(405);
  });

  test('ends when the session does, when its token does, and when the scope is lost', async () => {
    const ends: readonly ((id: string, cookie: string) => Promise<unknown>)[] = [
      async (_id, cookie) => {
        const { text } = await dash.dash('GET /live', { cookie });
        return dash.dash('POST /sign-out', {
          cookie,
          form: { _form: hiddenOf(text, '/sign-out', '_form') },
        });
      },
      (id) => dash.gateway.running.tokens.revoke(id, 'test', null),
      (id) => dash.gateway.running.tokens.disable(id, 'test'),
      (id) => dash.gateway.running.tokens.update(id, { scopes: ['usage:read'] }, 'test'),
    ];
    for (const end of ends) {
      const { cookie, id } = await dash.signIn('tail:read');
      const { over } = await open(cookie);
      await end(id, cookie);
      await over;
      expect((await dash.dash('GET /live/stream', { cookie })).status).not.toBe(200);
    }
  });

  test('has as many readers as the tail has, whichever door they came by', async () => {
    const { cookie, token } = await dash.signIn('tail:read');
    const streams = await Promise.all(Array.from({ length: 8 }, () => open(cookie)));
    expect((await dash.dash('GET /live/stream', { cookie })).status).toBe(503);
    const { status } = await dash.ask('GET /v1/tail', { token });
    expect(status).toBe(503);
    for (const { response } of streams) response.destroy();
    await expect.poll(async () => (await open(cookie)).response.statusCode).toBe(200);
  });
});

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  const enter = async (path: string, options: { javaScriptEnabled?: boolean } = {}) => {
    const { cookie, id } = await dash.signIn('tail:read', 'tokens:read', 'config:read');
    const context = await browser.newContext(options);
    onTestFinished(() => context.close());
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: dash.url }]);
    const page = await context.newPage();
    const said = heard(page);
    await page.goto(`${dash.url}${path}`);
    return { page, id, said };
  };
  const listening = (page: Page) => page.getByText('Listening.').waitFor();
  const lines = (page: Page) => page.locator('#live li');

  test('a refused request is in the page within two seconds, and one that passed too', again, async () => {
    const { page } = await enter('/live');
    await listening(page);
    const { token, id } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    await at('/events');
    await lines(page).filter({ hasText: 'credential_missing' }).waitFor({ timeout: 2000 });
    await at('/events', { Authorization: `Bearer ${token}` });
    const link = page.getByRole('link', { name: id });
    await link.waitFor({ timeout: 2000 });
    expect(await lines(page).first().textContent()).toContain('main GET /events');
    await link.click();
    await page.waitForURL(`**/tokens/${id}`);
  });

  test('only some are shown where only some are asked for', async () => {
    const { page } = await enter('/live');
    await page.locator('main summary').press('Enter');
    await page.getByLabel('Row').fill('main GET /events');
    await page.getByLabel('Only refusals').check();
    await page.getByRole('button', { name: 'Show' }).click();
    await listening(page);
    await at('/nowhere');
    await at('/events');
    await lines(page).first().waitFor();
    expect(await lines(page).allTextContents()).toEqual([expect.stringContaining('main GET /events')]);
  });

  test('a pause, by keyboard, holds what comes until it is over', async () => {
    const { page } = await enter('/live');
    await listening(page);
    await at('/nowhere');
    await lines(page).first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).press('Enter');
    await page.getByText('Paused.').waitFor();
    const { page: other } = await enter('/live');
    await listening(other);
    await at('/events');
    await lines(other).filter({ hasText: 'credential_missing' }).waitFor();
    expect(await lines(page).count()).toBe(1);
    await page.getByRole('button', { name: 'Go on' }).press('Enter');
    await lines(page).filter({ hasText: 'credential_missing' }).waitFor();
    expect(await lines(page).count()).toBe(2);
  });

  test('never has more than 200 lines, and says how many there were', async () => {
    const { page } = await enter('/live');
    await listening(page);
    for (let i = 0; i < 26; i++) await Promise.all(Array.from({ length: 10 }, () => at('/nowhere')));
    await expect.poll(() => lines(page).count()).toBe(200);
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('Listening. 260 decisions, 260 of them refused or failed.').waitFor();
  });

  test('what callers send is text', async () => {
    const { page, said } = await enter('/live');
    await listening(page);
    // What a decision has of a caller is short and of few characters; a page must not rely on that.
    const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
    await page.route('**/live/stream', (route) =>
      route.fulfill({
        contentType: 'text/event-stream',
        body: `event: decision\ndata: ${JSON.stringify({
          at: evil,
          method: evil,
          row: evil,
          status: evil,
          code: evil,
          reason: evil,
          token_id: evil,
          address: evil,
          duration_ms: 1,
        })}\n\n`,
      }),
    );
    await page.reload();
    await lines(page).first().waitFor();
    expect((await lines(page).first().textContent())?.split(evil).length).toBe(7);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(said).toEqual([]);
  });

  test('says when the session is over', async () => {
    const { page, id } = await enter('/live');
    await listening(page);
    await dash.gateway.running.tokens.revoke(id, 'test', null);
    await page.getByText('It is over:').waitFor();
  });

  test('without JavaScript it says what shows the same', async () => {
    const { page } = await enter('/live', { javaScriptEnabled: false });
    const words = page.locator('.notice.plain');
    await words.waitFor();
    expect(await words.textContent()).toContain('postern tail');
    expect(await page.getByRole('button', { name: 'Pause' }).isVisible()).toBe(false);
  });
});
