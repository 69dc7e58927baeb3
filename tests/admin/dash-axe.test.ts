/** Every page passes axe (WCAG 2.2 AA and best practices), at phone and desktop width, in light and dark, and fits. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, startDash } from '../fixtures/dash.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const widths = [390, 1280];
/** In the dark only colours are others, and of axe's rules only this one looks at them. What passes is not told in full. */
const schemes = [
  ['light', "axe.run({ resultTypes: ['violations'] })"],
  ['dark', "axe.run({ runOnly: ['color-contrast'], resultTypes: ['violations'] })"],
] as const;
/** Where pictures of the pages go, for looking at; unset: none are taken. */
const pictures = process.env.POSTERN_PICTURES;

type Violation = { readonly id: string; readonly nodes: readonly { readonly html: string }[] };

describe.skipIf(chromiumPath === null)('every page', () => {
  let dash: DashFixture;
  let browser: Browser;
  let page: Page;
  let cookie: string | null = null;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    [dash, browser] = await Promise.all([startDash(), launchBrowser()]);
    const { tokens } = dash.gateway.running;
    const shop = await dash.gateway.mint('project', { attributes: { project: 'prj_shop' } });
    const old = await dash.gateway.mint('user', {
      scopes: ['events:read'],
      origins: ['https://app.example'],
    });
    const type = dash.gateway.running.config().policy.types.get('user');
    const quiet = await dash.gateway.mint('user', { scopes: ['events:read'] });
    if (type !== undefined) {
      await tokens.rotate(old.id, type, 3_600_000, 'test');
      await tokens.rotate(quiet.id, type, 30 * 86_400_000, 'test', true);
    }
    const gone = await dash.gateway.mint('legacy');
    await tokens.revoke(gone.id, 'test', 'leaked');
    await tokens.disable((await dash.gateway.mint('user')).id, 'test');
    await tokens.pins.pinFirst({ pin: 'app', subject: 'project=prj_shop' }, 'com.example.shop', shop.id);
    const use = { tokenId: shop.id, at: Date.now(), address: '192.0.2.7', route: 'main POST /events' };
    await tokens.usage.add([], [use]);
    const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    const counts = Array.from({ length: 50 }, (_, i) => ({
      tokenId: i % 3 === 0 ? '' : shop.id,
      minuteMs: i < 40 ? hour - i * 7_200_000 : Math.floor(Date.now() / 60_000) * 60_000 - i * 60_000,
      route: i % 3 === 0 ? '' : 'main POST /events',
      passed: i % 3 === 0 ? 0 : 40 + ((i * 37) % 90),
      refused: i % 4 === 0 ? i : 0,
      failed: i % 7 === 0 ? 3 : 0,
    }));
    await tokens.usage.add(counts, []);
    await fetch(`${dash.gateway.url}/events`);
    const told = { subject: shop.id, tokenId: shop.id, quietMs: 0 };
    const minute = new Date().toISOString();
    const spike = { requests: 2000, minute, usual: 10.5, busiest: 200 };
    await tokens.alerts.raise({ ...told, kind: 'spike.token', detail: spike });
    const places = { values: [null, 'https://app.example'], more: 2, known: 3 };
    await tokens.alerts.raise({ ...told, kind: 'unseen.origin', detail: places });
    const burst = { refused: 5000, minute, networks: 31 };
    const many = { subject: 'many networks', tokenId: null, detail: burst, quietMs: 0 } as const;
    const seen = await tokens.alerts.raise({ ...many, kind: 'refusals.network' });
    await tokens.alerts.acknowledge(seen?.id ?? '', 'operator:ada');
    Object.assign(ids, { shop: shop.id, old: old.id, quiet: quiet.id, gone: gone.id });
    page = await browser.newPage({ reducedMotion: 'reduce' });
    if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
  });
  afterAll(async () => {
    await browser.close();
    await dash.gateway.stop();
  });

  const flaws = async (name: string): Promise<readonly string[]> => {
    await page.evaluate(axe);
    const found: string[] = [];
    for (const width of widths) {
      await page.setViewportSize({ width, height: 844 });
      for (const [colorScheme, run] of schemes) {
        await page.emulateMedia({ colorScheme });
        if (pictures !== undefined) {
          await page.screenshot({
            path: join(pictures, `${name}-${width}-${colorScheme}.png`),
            fullPage: true,
          });
        }
        const { violations } = (await page.evaluate(run)) as { violations: readonly Violation[] };
        for (const { id, nodes } of violations)
          found.push(`${width} ${colorScheme} ${id}: ${nodes[0]?.html}`);
      }
      const isTooWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
      if (await page.evaluate(isTooWide)) found.push(`${width}: scrolls sideways`);
    }
    return found;
  };

  /** Once for all pages: a session more for each would make the audit and the list of sessions longer and longer. */
  const enter = async () => {
    cookie ??= (await dash.signIn()).cookie;
    const [name = '', value = ''] = cookie.split('=');
    await page.context().addCookies([{ name, value, url: dash.url }]);
  };

  test('before anybody is signed in', async () => {
    await page.goto(`${dash.url}/sign-in?done=out`);
    expect(await flaws('sign-in')).toEqual([]);
    await page.getByLabel('Admin token').fill('nothing');
    await page.getByLabel('Admin token').press('Enter');
    await page.getByRole('alert').waitFor();
    expect(await flaws('sign-in-refused')).toEqual([]);
  });

  test.each([
    ['list', () => '/tokens?state=active'],
    ['list-none', () => '/tokens?words=nobody'],
    ['token', () => `/tokens/${ids.shop}?done=changed`],
    ['token-rotated', () => `/tokens/${ids.old}`],
    ['token-quiet', () => `/tokens/${ids.quiet}`],
    ['token-revoked', () => `/tokens/${ids.gone}`],
    ['new', () => '/tokens/new'],
    ['new-form', () => '/tokens/new?type=user'],
    ['edit', () => `/tokens/${ids.shop}/edit`],
    ['rotate', () => `/tokens/${ids.shop}/rotate`],
    ['regenerate', () => `/tokens/${ids.shop}/regenerate`],
    ['revoke', () => `/tokens/${ids.shop}/revoke`],
    ['sessions', () => '/sessions?done=ended'],
    ['home', () => '/'],
    ['alerts', () => '/alerts?done=acknowledged'],
    ['alerts-all', () => '/alerts?show=all'],
    ['usage', () => '/usage'],
    ['usage-30d', () => '/usage?last=30d'],
    ['unused', () => '/usage/unused'],
    ['live', () => '/live?refusals=true'],
    ['live-flawed', () => '/live?row=nothing'],
    ['nothing', () => '/nothing'],
    ['matrix', () => '/matrix'],
    ['matrix-one', () => '/matrix?type=user&words=projects'],
    ['matrix-none', () => '/matrix?words=nowhere'],
    ['reload', () => '/config/reload'],
    ['explain', () => '/explain'],
    ['explain-forward', () => '/explain?method=POST&path=/events&as=project&attribute=project%3Dprj_a'],
    ['explain-refuse', () => '/explain?path=/events&as=user&origin=https%3A%2F%2Fapp.example'],
    ['explain-token', () => `/explain?path=/events&token=${ids.old}`],
    ['explain-flawed', () => '/explain?path=/events&as=nothing&nth=many'],
    ['pins', () => '/pins?done=reset'],
    ['pins-none', () => '/pins?subject=nobody'],
    ['pin', () => '/pins/app/project%3Dprj_shop?done=set'],
    ['pin-set', () => '/pins/set'],
    ['pin-set-another', () => '/pins/set?pin=app&subject=project%3Dprj_shop'],
    ['pin-reset', () => '/pins/app/project%3Dprj_shop/reset'],
    ['audit', () => '/audit'],
    ['audit-none', () => '/audit?actor=nobody&action=pin'],
  ])('%s', async (name, path) => {
    await enter();
    await page.goto(`${dash.url}${path()}`);
    expect(await flaws(name)).toEqual([]);
  });

  test('live, with decisions in it', async () => {
    await enter();
    await page.goto(`${dash.url}/live`);
    await page.getByText('Listening.').waitFor();
    const { token } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    const asked = { headers: { Authorization: `Bearer ${token}` } };
    for (const path of ['/events', '/projects/x', '/nowhere', '/status'])
      await fetch(`${dash.gateway.url}${path}`, asked);
    await fetch(`${dash.gateway.url}/events`);
    await expect.poll(() => page.locator('#live li').count()).toBe(5);
    expect(await flaws('live-lines')).toEqual([]);
  });

  test('with the menu open', async () => {
    await enter();
    await page.setViewportSize({ width: widths[0] ?? 0, height: 844 });
    await page.goto(`${dash.url}/usage`);
    await page.locator('.menu summary').click();
    expect(await flaws('menu-open')).toEqual([]);
  });

  test('after a form was sent', async () => {
    await enter();
    await page.goto(`${dash.url}/tokens/new?type=user`);
    await page.getByLabel('Label').fill('made');
    await page.getByLabel('Allowed origins').fill('not one');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('Nothing was changed yet').waitFor();
    expect(await flaws('new-flawed')).toEqual([]);
    await page.getByLabel('Allowed origins').fill('');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('Copy it now.').waitFor();
    expect(await flaws('made')).toEqual([]);
    await page.goto(`${dash.url}/tokens/${ids.old}/edit`);
    await page.getByLabel('Expires in').fill('soon');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Nothing was changed yet').waitFor();
    expect(await flaws('edit-flawed')).toEqual([]);
  });
});
