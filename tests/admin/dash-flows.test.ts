/** The dashboard, click by click and key by key, in a real Chromium on a real gateway. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminConfig } from '../fixtures/admin.ts';
import { chromiumPath, heard, launchBrowser } from '../fixtures/browser.ts';
import { type DashFixture, oneOperator, password, startDash } from '../fixtures/dash.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const run = promisify(execFile);

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let dash: DashFixture;
  let upstream: UpstreamFixture;
  let browser: Browser;
  beforeAll(async () => {
    upstream = await startUpstream();
    const yaml = adminConfig.replace('http://127.0.0.1:9001', upstream.url);
    [dash, browser] = await Promise.all([startDash(oneOperator, yaml), launchBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([dash.gateway.stop(), upstream.stop()]);
  });

  /** What a browser keeps of ada's session; null: nobody has signed in yet. */
  let kept: Awaited<ReturnType<BrowserContext['storageState']>> | null = null;
  /** At the tokens, as ada, who has to sign in but once; what the page refuses to run is kept. */
  const enter = async (): Promise<{ page: Page; said: string[] }> => {
    const page = await browser.newPage(kept === null ? {} : { storageState: kept });
    const said = heard(page);
    if (kept !== null) {
      await page.goto(`${dash.url}/tokens`);
      return { page, said };
    }
    await page.goto(dash.url);
    await page.getByLabel('Name').fill('ada');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('link', { name: 'Tokens', exact: true }).click();
    await page.waitForURL('**/tokens');
    kept = await page.context().storageState();
    return { page, said };
  };
  const statusOf = async (line: string) => {
    const { stdout } = await run('sh', ['-c', `${line} -s -o /dev/null -w '%{http_code}'`]);
    return Number(stdout);
  };
  const shownCurl = async (page: Page) => (await page.locator('#curl').textContent()) ?? '';
  const create = async (page: Page, label: string) => {
    await page.goto(`${dash.url}/tokens/new?type=user`);
    await page.getByLabel('Label').fill(label);
    await page.getByRole('checkbox', { name: /events:read/ }).check();
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('Copy it now.').waitFor();
    return shownCurl(page);
  };
  const open = async (page: Page, label: string) => {
    await page.goto(`${dash.url}/tokens`);
    await page.getByRole('link', { name: label, exact: true }).first().click();
  };

  test('a token is made, used by the shown line, watched, rotated, and the old one is retired', async () => {
    const { page } = await enter();
    await page.getByRole('link', { name: 'New token' }).click();
    await page.getByRole('link', { name: 'user' }).click();
    await page.getByLabel('Label').fill('ci-cd-pipeline');
    await page.getByRole('checkbox', { name: /events:read/ }).check();
    await page.getByLabel('Expires in').fill('90d');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('Copy it now.').waitFor();
    const token = (await page.locator('#made').textContent()) ?? '';
    expect(token).toMatch(/^usr_/);
    const curl = await shownCurl(page);
    expect(curl).toContain(token);
    expect(await statusOf(curl)).toBe(200);
    await dash.gateway.running.tokens.flush();

    await page.getByRole('link', { name: 'All tokens' }).click();
    const row = page.getByRole('row').filter({ hasText: 'ci-cd-pipeline' });
    await expect.poll(() => row.textContent()).toContain('events:read');
    expect(await row.textContent()).toMatch(/Active.*just now.*just now/s);
    expect(await page.content()).not.toContain(token);

    await page.getByRole('link', { name: 'ci-cd-pipeline' }).click();
    await page.getByRole('link', { name: 'Rotate' }).click();
    await page.getByRole('button', { name: 'Rotate' }).click();
    await page.getByText('Copy it now.').waitFor();
    const next = await shownCurl(page);
    expect([await statusOf(curl), await statusOf(next)]).toEqual([200, 200]);
    await page.getByRole('link', { name: 'Its page' }).click();
    await page.getByRole('heading', { name: 'Not safe to retire yet' }).waitFor();
    await page.getByRole('link', { name: 'Retire it now' }).click();
    await page.getByLabel('Why').fill('rotated');
    await page.getByRole('button', { name: 'Revoke for good' }).click();
    await page.getByText('Revoked. The next request with it is refused.').waitFor();
    expect([await statusOf(curl), await statusOf(next)]).toEqual([401, 200]);
    const { json } = await dash.ask('GET /v1/audit');
    const mine = json.entries.filter((one: { actor: string }) => one.actor === 'operator:ada');
    expect(mine.map((one: { action: string }) => one.action)).toEqual([
      'session.open',
      'token.create',
      'token.rotate',
      'token.revoke',
    ]);
    await page.close();
  });

  test('a token is disabled, enabled, edited and regenerated', async () => {
    const { page } = await enter();
    const curl = await create(page, 'shop');
    await open(page, 'shop');
    await page.getByRole('link', { name: 'Disable' }).click();
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('Disabled. Requests').waitFor();
    expect(await statusOf(curl)).toBe(401);
    await page.getByRole('link', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByText('Enabled. Requests').waitFor();
    expect(await statusOf(curl)).toBe(200);

    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Label').fill('web shop');
    await page.getByLabel('Allowed origins').fill('https://app.example.com, https://shop.example.com');
    await page.getByLabel('Expires in').fill('30d');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'web shop' }).waitFor();
    const expires = page.getByRole('definition').locator('time').last();
    expect(Date.parse((await expires.getAttribute('datetime')) ?? '') - Date.now()).toBeGreaterThan(
      29.9 * 86_400_000,
    );
    expect(await page.textContent('main')).toMatch(
      /https:\/\/app\.example\.com\s*https:\/\/shop\.example\.com/,
    );
    expect(await statusOf(curl)).toBe(403);
    expect(await statusOf(`${curl} -H 'Origin: https://app.example.com'`)).toBe(200);

    await page.goto(`${dash.url}/tokens/new?type=project`);
    await page.getByLabel('Label').fill('sdk');
    await page.getByLabel('project').fill('prj_a');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('Copy it now.').waitFor();
    const before = await shownCurl(page);
    expect(before).toContain('POST');
    await open(page, 'sdk');
    await page.getByRole('link', { name: 'Regenerate' }).click();
    await page.getByRole('button', { name: 'Regenerate' }).click();
    await page.getByText('Copy it now.').waitFor();
    expect([await statusOf(before), await statusOf(await shownCurl(page))]).toEqual([401, 200]);
    await page.close();
  });

  test('all of it can be done by keyboard alone', async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(15_000);
    const { token } = await dash.mint();
    await page.goto(dash.url);
    const to = async (name: string | RegExp) => {
      for (let steps = 0; steps < 60; steps++) {
        await page.keyboard.press('Tab');
        const words = await page.evaluate(
          `(() => { const e = document.activeElement; return (e.labels?.[0]?.textContent ?? e.textContent ?? '').trim(); })()`,
        );
        if (typeof name === 'string' ? words === name : name.test(String(words))) return;
      }
      throw new Error(`no way to ${name} by Tab`);
    };
    const enterKey = () => Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    await to('Admin token');
    await page.keyboard.type(token);
    await enterKey();
    await to('Tokens');
    await enterKey();
    await page.waitForURL('**/tokens');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await to('New token');
    await enterKey();
    await to(/^user/);
    await enterKey();
    await to('Label');
    await page.keyboard.type('by keys');
    await to(/events:read/);
    await page.keyboard.press('Space');
    await to('Create token');
    await enterKey();
    await page.getByText('Copy it now.').waitFor();
    const curl = await shownCurl(page);
    expect(await statusOf(curl)).toBe(200);
    await to('To the token');
    await enterKey();
    await to('Revoke');
    await enterKey();
    await to('Revoke for good');
    await enterKey();
    await page.getByText('Revoked. The next').waitFor();
    expect(await statusOf(curl)).toBe(401);
    await to('Sign out');
    await enterKey();
    await page.getByText('You are signed out.').waitFor();
    await page.close();
  });

  test('a double click makes one token and shows it, with script and without', async () => {
    const { page } = await enter();
    const plain = await browser.newContext({
      javaScriptEnabled: false,
      storageState: await page.context().storageState(),
    });
    for (const [label, one] of [
      ['twice', page],
      ['twice without script', await plain.newPage()],
    ] as const) {
      await one.goto(`${dash.url}/tokens/new?type=user`);
      await one.getByLabel('Label').fill(label);
      await one.getByRole('button', { name: 'Create token' }).dblclick();
      await one.getByText('Copy it now.').waitFor();
      expect(await one.locator('#made').textContent()).toMatch(/^usr_/);
      const { json } = await dash.ask('GET /v1/tokens?type=user&limit=1000');
      expect(json.tokens.filter((token: { label: string }) => token.label === label)).toHaveLength(1);
    }
    await plain.close();
    await page.close();
  });

  test('a token is rotated to end when nobody needs it: by keyboard, on a phone, without script', async () => {
    const { page } = await enter();
    await create(page, 'quiet');
    const [old] = (await dash.ask('GET /v1/tokens?type=user&limit=1000')).json.tokens.filter(
      ({ label }: { label: string }) => label === 'quiet',
    );
    const phone = await browser.newContext({
      javaScriptEnabled: false,
      viewport: { width: 390, height: 844 },
      storageState: await page.context().storageState(),
    });
    const one = await phone.newPage();
    await one.goto(`${dash.url}/tokens/${old.id}`);
    await one.getByRole('link', { name: 'Rotate' }).click();
    const overlap = one.getByLabel('How long the old one still works');
    const tick = one.getByRole('checkbox', { name: /^End it earlier, as soon as nobody needs it/ });
    expect(await tick.isChecked()).toBe(false);
    await overlap.focus();
    for (const key of ['Tab', 'Space', 'Enter']) await one.keyboard.press(key);
    await one
      .getByRole('alert')
      .getByText(/An overlap that ends before anybody can tell/)
      .waitFor();
    expect([await tick.isChecked(), await overlap.inputValue()]).toEqual([true, '24h']);
    expect(await dash.gateway.running.tokens.retirements.pending('')).toEqual([]);
    await overlap.fill('30d');
    await overlap.press('Enter');
    await one.getByText('Copy it now.').waitFor();
    await one.getByText(/, or ends before, as soon as nobody needs it\./).waitFor();
    const pending = await dash.gateway.running.tokens.retirements.pending('');
    expect(pending.map(({ tokenId }) => tokenId)).toEqual([old.id]);
    await one.getByRole('link', { name: 'Its page' }).click();
    await one.getByRole('heading', { name: 'It ends by itself, as soon as nobody needs it' }).waitFor();
    await one.getByRole('region', { name: 'It ends by itself' }).getByRole('link').click();
    await one.getByText('Followed by').waitFor({ state: 'detached' });
    await phone.close();
    await page.close();
  });

  test('what others wrote is shown and never runs', async () => {
    const { page, said } = await enter();
    const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
    const { running } = dash.gateway;
    const user = running.config().policy.types.get('user');
    const project = running.config().policy.types.get('project');
    if (user === undefined || project === undefined) throw new Error('no types');
    const common = { scopes: [], expiresAt: null, createdBy: evil };
    const made = await running.tokens.create({
      ...common,
      type: project,
      label: evil,
      attributes: new Map([['project', evil]]),
      origins: [`https://${evil}`],
    });
    const { id } = made.record;
    await running.tokens.pins.pinFirst({ pin: 'app', subject: `project=${evil}` }, evil, evil);
    const use = { tokenId: id, at: Date.now(), address: evil, route: evil };
    await running.tokens.usage.add([], [use]);
    for (const path of ['', '/edit', '/revoke', '/rotate', '/regenerate']) {
      await page.goto(`${dash.url}/tokens/${id}${path}`);
      expect(await page.locator('h1').textContent()).toContain(evil);
      expect(await page.locator('main img, main script').count()).toBe(0);
    }
    await page.goto(`${dash.url}/tokens/${id}`);
    expect((await page.textContent('main'))?.split(evil).length).toBeGreaterThanOrEqual(7);
    const query = new URLSearchParams({ words: evil, type: evil, state: evil, attribute: evil, done: evil });
    await page.goto(`${dash.url}/tokens?${query}`);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(await page.getByLabel('Label, id or token').inputValue()).toBe(evil);
    expect(said.filter((line) => !line.includes('400'))).toEqual([]);
    await page.close();
  });

  test('even a script that got in would not run', async () => {
    const { page, said } = await enter();
    await page.evaluate(
      `document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x onerror="document.title = 1">')`,
    );
    await page.evaluate(
      `(() => { const s = document.createElement('script'); s.textContent = 'document.title = 2'; document.body.append(s); })()`,
    );
    await expect
      .poll(() => said.filter((line) => /Content Security Policy/.test(line)).length)
      .toBeGreaterThan(0);
    expect(await page.title()).toBe('Tokens · Postern');
    await page.close();
  });

  test('what is copied is the token', async () => {
    const { page } = await enter();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: dash.url });
    await create(page, 'copied');
    await page.getByRole('button', { name: 'Copy the token' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(
      await page.locator('#made').textContent(),
    );
    await page.close();
  });

  test('tokens are found by label, type, state and attribute', async () => {
    const { page } = await enter();
    await dash.gateway.mint('project', { attributes: { project: 'prj_found' } });
    await page.locator('main summary').click();
    await page.getByLabel('Type').selectOption('project');
    await page.getByLabel('Attribute').fill('project=prj_found');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1);
    await page.getByLabel('State').selectOption('revoked');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('No token is like that.').waitFor();
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await page.waitForURL('**/tokens');
    await page.close();
  });
});
