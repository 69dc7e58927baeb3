/** The way to every section: in sight on a wide screen, behind the name of its own on a phone, in a real Chromium without script. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sections } from '../../gateway/admin/dash-sections.ts';
import { chromiumPath, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, startDash } from '../fixtures/dash.ts';

const titles = sections.map(({ title }) => title);

test.each([
  ['/tokens/new', 'Tokens'],
  ['/', 'Overview'],
  ['/sessions', 'Sessions'],
  ['/nothing', null],
])('at %s the menu names the section: %s', async (path, title) => {
  const dash = await startDash();
  onTestFinished(() => dash.gateway.stop());
  const { cookie } = await dash.signIn();
  const { text } = await dash.dash(`GET ${path}`, { cookie });
  const named = /<summary>(?:<span class="unseen">Menu, at<\/span> (\w+)|Menu)</.exec(text);
  expect(named).not.toBeNull();
  expect(named?.[1] ?? null).toBe(title);
  expect(/aria-current="page">(\w+)/.exec(text)?.[1] ?? null).toBe(title);
});

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let dash: DashFixture;
  let browser: Browser;
  beforeAll(async () => {
    [dash, browser] = await Promise.all([startDash(), launchBrowser()]);
    const { alerts } = dash.gateway.running.tokens;
    const detail = { refused: 5000, minute: new Date().toISOString(), networks: 31 };
    await alerts.raise({ kind: 'refusals.network', subject: 'x', tokenId: null, detail, quietMs: 0 });
  });
  afterAll(async () => {
    await browser.close();
    await dash.gateway.stop();
  });

  const enter = async (width: number, path: string) => {
    const { cookie } = await dash.signIn();
    const viewport = { width, height: 844 };
    const context = await browser.newContext({ javaScriptEnabled: false, viewport });
    onTestFinished(() => context.close());
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: dash.url }]);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(`${dash.url}${path}`);
    const nav = page.getByRole('navigation', { name: 'Main' });
    const height = async () => (await page.locator('.top').boundingBox())?.height ?? 0;
    return { page, nav, links: nav.getByRole('link'), menu: nav.locator('summary'), height };
  };

  test.each([768, 800, 1024, 1280])(
    '%i wide all of it is in sight, and no table breaks a word',
    async (width) => {
      const { page, links } = await enter(width, '/sessions');
      for (const one of await links.all()) {
        const box = await one.boundingBox();
        expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(width);
      }
      const end = await page.getByRole('button', { name: 'End' }).first().boundingBox();
      expect(end?.height).toBeLessThan(44);
      const scopes = Array.from({ length: 40 }, (_, i) => `area:of-a-long-name-${i}`);
      const record = { actor: 'cli', action: 'token.create', subject: 'tok_1', detail: { scopes } } as const;
      await dash.gateway.running.tokens.audit.record(record);
      await page.goto(`${dash.url}/audit`);
      const word = await page.locator('.audit tbody th').first().boundingBox();
      expect(word?.width).toBeGreaterThan(width / 8);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    },
  );

  test.each([390, 320])('on a phone %i wide it is one line, and one key opens it', async (width) => {
    const { page, links, menu, height } = await enter(width, '/tokens');
    expect(await height()).toBeLessThan(64);
    expect(await links.count()).toBe(0);
    expect(await menu.textContent()).toBe('Menu, at Tokens 1 open alerts');
    const { y = 0, height: tall = 0 } = (await menu.boundingBox()) ?? {};
    expect(tall).toBeGreaterThanOrEqual(44);
    const out = await page.getByRole('button', { name: 'Sign out' }).boundingBox();
    expect(Math.abs(y + tall / 2 - (out?.y ?? 0) - (out?.height ?? 0) / 2)).toBeLessThan(4);
    expect((out?.x ?? 0) + (out?.width ?? 0)).toBeLessThanOrEqual(width);
    await menu.focus();
    await page.keyboard.press('Enter');
    expect(await links.allTextContents()).toEqual(
      titles.map((title) => (title === 'Alerts' ? 'Alerts 1 open' : title)),
    );
    for (const one of await links.all()) {
      const box = await one.boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(width);
      expect(box?.height).toBeGreaterThanOrEqual(44);
    }
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${dash.url}/`);
    expect([await menu.textContent(), await links.count()]).toEqual(['Menu, at Overview 1 open alerts', 0]);
    await menu.click();
    await menu.click();
    expect(await links.count()).toBe(0);
  });

  test('on a wide screen every section is in sight, and there is no menu', async () => {
    const { links, menu, height } = await enter(1280, '/usage');
    expect([await links.count(), await menu.isVisible()]).toEqual([titles.length, false]);
    expect(await height()).toBeLessThan(72);
  });
});
