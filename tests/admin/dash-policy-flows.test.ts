/** The dashboard's pages about the policy, click by click and key by key, in a real Chromium on a real gateway. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath, heard, launchBrowser } from '../fixtures/browser.ts';
import { type PolicyFixture, policyYaml, startPolicyDash } from '../fixtures/dash-policy.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>';

describe.skipIf(chromiumPath === null)('in a browser', () => {
  let dash: PolicyFixture;
  let upstream: UpstreamFixture;
  let browser: Browser;
  beforeAll(async () => {
    upstream = await startUpstream();
    const yaml = policyYaml.replace('http://127.0.0.1:9001', upstream.url);
    [dash, browser] = await Promise.all([startPolicyDash(yaml), launchBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([dash.gateway.stop(), upstream.stop()]);
  });

  /** Signed in with every scope; what the page says, or refuses to run, is kept. */
  const enter = async (javaScriptEnabled = true): Promise<{ page: Page; said: string[] }> => {
    const context = await browser.newContext({ javaScriptEnabled });
    const { cookie } = await dash.signIn();
    const [name = '', value = ''] = cookie.split('=');
    await context.addCookies([{ name, value, url: dash.url }]);
    const page = await context.newPage();
    const said = heard(page);
    return { page, said };
  };
  const send = async (token: string, appId: string) => {
    const response = await fetch(`${dash.gateway.url}/apps`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ app_id: appId }),
    });
    return response.status;
  };
  const verdict = (page: Page) => page.locator('#verdict').textContent();

  test.each([
    ['with script', true],
    ['without', false],
  ])('a cell of the matrix leads to the case it is about, and that to others, %s', async (_, script) => {
    const { page } = await enter(script);
    await page.goto(`${dash.url}/tokens`);
    await page.getByRole('link', { name: 'Matrix' }).click();
    await page.locator('.filter summary').click();
    await page.getByLabel('Path, scope, host or upstream').fill('/projects');
    await page.getByLabel('Open to').selectOption('user');
    await page.getByRole('button', { name: 'Find' }).click();
    await page.getByText('1 of 5 rows').waitFor();
    await page.locator('.rules summary').click();
    await page.getByText('{project} is token.attribute.projects').waitFor();
    await page.getByRole('link', { name: /Any user token, whatever its scopes/ }).click();
    expect(await verdict(page)).toBe('Forwarded to app');
    await page.getByLabel('Path and query').fill('/projects/other');
    await page.getByRole('button', { name: 'Explain' }).click();
    expect(await verdict(page)).toMatch(/Refused: 403 bind_mismatch/);
    expect(await page.locator('.step.no').textContent()).toMatch(/bind, refused/);
    expect(await page.getByLabel('projects', { exact: true }).inputValue()).toBe('example');
    const address = (await page.locator('#case').textContent()) ?? '';
    expect(address).toBe(page.url());

    const { page: colleague } = await enter();
    await colleague.goto(address);
    expect(await verdict(colleague)).toMatch(/Refused: 403 bind_mismatch/);
    await colleague.context().close();
    await page.context().close();
  });

  test('what belongs to a choice comes up with it, and only that is asked', async () => {
    const { page } = await enter();
    await page.goto(`${dash.url}/explain`);
    expect(await page.getByRole('checkbox').count()).toBe(0);
    await page.getByRole('radio', { name: /^user/ }).check();
    expect(await page.getByRole('checkbox').count()).toBe(2);
    await page.getByRole('checkbox', { name: /events:read/ }).check();
    await page.getByRole('radio', { name: /^legacy/ }).check();
    expect(await page.getByRole('checkbox').count()).toBe(0);
    await page.getByLabel('Method').selectOption('POST');
    await page.getByLabel('Path and query').fill('/events');
    await page.getByText('Host, origin, headers').click();
    await page.getByLabel('Which one in a row').fill('601');
    await page.getByLabel('Path and query').press('Enter');
    await page.locator('#verdict').waitFor();
    expect(await verdict(page)).toBe('Refused: 429 rate_limited');
    expect(page.url()).toContain('as=legacy');
    expect(page.url()).not.toContain('scope');
    await page.context().close();
  });

  test('a body is judged, kept in the form, and in no address', async () => {
    const { page } = await enter();
    await page.goto(`${dash.url}/explain`);
    await page.getByLabel('Method').selectOption('POST');
    await page.getByLabel('Path and query').fill('/apps');
    await page.getByRole('radio', { name: /^project/ }).check();
    await page.getByText('Host, origin, headers').click();
    const body = `{"app_id":"${evil.replaceAll('"', "'")}"}`;
    await page.getByRole('textbox', { name: 'Body' }).fill(body);
    await page.getByLabel('Pinned already').fill('app=com.example.shop');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#verdict').waitFor();
    expect(await verdict(page)).toBe('Refused: 403 bundle_mismatch');
    expect(page.url()).toBe(`${dash.url}/explain`);
    expect(await page.getByRole('textbox', { name: 'Body' }).inputValue()).toBe(body);
    await page.getByText('This case has no address').waitFor();
    await page.context().close();
  });

  test('a token is explained from its page, until it is revoked', async () => {
    const { page } = await enter();
    const { id } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    await page.goto(`${dash.url}/tokens/${id}`);
    await page.getByRole('link', { name: 'Explain a request' }).click();
    expect(await page.getByLabel('Id of the token').inputValue()).toBe(id);
    await page.getByLabel('Path and query').fill('/events');
    await page.getByRole('button', { name: 'Explain' }).click();
    expect(await verdict(page)).toBe('Forwarded to app');
    await dash.gateway.running.tokens.revoke(id, 'test', null);
    await page.reload();
    expect(await verdict(page)).toBe('Refused: 401 token_revoked');
    await page.goto(`${dash.url}/tokens/${id}`);
    await page.getByRole('link', { name: 'Its changes' }).click();
    expect(await page.locator('tbody th').allTextContents()).toEqual([
      'Token revokedtoken.revoke',
      'Token madetoken.create',
    ]);
    await page.context().close();
  });

  test('a pin is reset and set, and the gate does as the page said', async () => {
    const { page } = await enter();
    const { token, id } = await dash.gateway.mint('project', { attributes: { project: 'prj_flow' } });
    expect([await send(token, 'com.example.a'), await send(token, 'com.example.b')]).toEqual([200, 403]);
    await page.goto(`${dash.url}/tokens/${id}`);
    await page.getByRole('link', { name: 'app', exact: true }).click();
    await page.getByRole('heading', { name: 'app of project=prj_flow' }).waitFor();
    await page.getByRole('link', { name: 'Reset' }).click();
    await page.getByText('The next request of this owner that sends an id pins that id').waitFor();
    await page.getByLabel('Why').fill('new app');
    await page.getByRole('button', { name: 'Reset' }).click();
    await page.getByText('Let go.').waitFor();
    expect([await send(token, 'com.example.b'), await send(token, 'com.example.a')]).toEqual([200, 403]);

    await page.getByLabel('Main').getByRole('link', { name: 'Pins' }).click();
    await page.getByRole('link', { name: 'project=prj_flow' }).click();
    await page.getByRole('link', { name: 'Set another' }).click();
    await page.getByLabel('New value').fill('com.example.c');
    await page.getByRole('button', { name: 'Set' }).click();
    await page.getByText('Pinned. It holds from the next request on.').waitFor();
    expect([await send(token, 'com.example.c'), await send(token, 'com.example.b')]).toEqual([200, 403]);

    await page.getByRole('link', { name: 'Who changed it' }).click();
    const done = await page.locator('tbody th code').allTextContents();
    expect(done).toEqual(['pin.change', 'pin.first_use', 'pin.reset', 'pin.first_use']);
    await page.getByText('new app').waitFor();
    await page.context().close();
  });

  test('all of it can be done by keyboard alone', async () => {
    const { page } = await enter();
    const to = async (name: string | RegExp) => {
      for (let steps = 0; steps < 80; steps++) {
        await page.keyboard.press('Tab');
        const words = await page.evaluate(
          `(() => { const e = document.activeElement; return (e.labels?.[0]?.textContent ?? e.textContent ?? '').trim(); })()`,
        );
        if (typeof name === 'string' ? words === name : name.test(String(words))) return;
      }
      throw new Error(`no way to ${name} by Tab`);
    };
    const enterKey = async () => {
      await Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);
    };
    await page.goto(`${dash.url}/tokens`);
    await to('Matrix');
    await enterKey();
    await to(/^events:read \| events:write A user token/);
    const words = page.locator('a:focus .words');
    expect((await words.boundingBox())?.width).toBeGreaterThan(200);
    await enterKey();
    expect(await verdict(page)).toBe('Forwarded to app');
    await to(/^user/);
    await to(/events:read/);
    await page.keyboard.press('Space');
    await to('Explain');
    await enterKey();
    expect(await verdict(page)).toMatch(/Refused: 403 scope_missing/);
    await to('Pins');
    await enterKey();
    await to('Set a pin');
    await enterKey();
    await to('Owner');
    await page.keyboard.type('project=prj_keys');
    await to('Value');
    await page.keyboard.type('com.example.keys');
    await enterKey();
    await page.getByText('Pinned. It holds').waitFor();
    await to('Reset');
    await enterKey();
    await to('Reset');
    await enterKey();
    await page.getByText('Let go.').waitFor();
    await to('Audit');
    await enterKey();
    expect(await page.locator('tbody th').first().textContent()).toContain('Pin let go');
    await page.context().close();
  });

  test('what others wrote is shown and never runs', async () => {
    const { page, said } = await enter();
    const { running } = dash.gateway;
    const subject = `project=${evil}`;
    await running.tokens.pins.pinFirst({ pin: 'app', subject }, evil, evil);
    const detail = { pin: 'app', reason: evil, [evil]: [evil], more: { [evil]: evil } };
    await running.tokens.audit.record({ actor: evil, action: 'pin.observe_failed', subject, detail });
    await running.tokens.audit.record({
      actor: `operator:${evil}`,
      action: 'session.end',
      subject: evil,
      detail,
    });
    const pin = `/pins/app/${encodeURIComponent(subject)}`;
    const query = new URLSearchParams({
      path: `/${evil}`,
      as: evil,
      scope: evil,
      attribute: evil,
      header: evil,
    });
    const valid = new URLSearchParams({ path: '/events', as: 'user', attribute: `team=${evil}` });
    for (const [path, times] of [
      ['/pins', 3],
      [pin, 4],
      [`${pin}/reset`, 3],
      [`/pins/set?${new URLSearchParams({ pin: 'app', subject })}`, 3],
      [`/pins?${new URLSearchParams({ pin: evil, subject: evil })}`, 1],
      ['/audit', 10],
      [`/audit?${new URLSearchParams({ subject, actor: evil, action: evil })}`, 1],
      [`/matrix?${new URLSearchParams({ words: evil, api: evil, type: evil })}`, 0],
      [`/explain?${query}`, 1],
      [`/explain?${valid}`, 1],
    ] as const) {
      await page.goto(`${dash.url}${path}`);
      expect([path, await page.locator('main img, main script').count()]).toEqual([path, 0]);
      const shown = (await page.textContent('main')) ?? '';
      expect([path, shown.split(evil).length > times]).toEqual([path, true]);
    }
    expect(await page.getByLabel('team').inputValue()).toBe(evil);
    expect(said.filter((line) => !line.includes('400'))).toEqual([]);
    await page.context().close();
  });
});
