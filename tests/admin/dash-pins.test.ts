/** The dashboard's pins are set and let go with their audit; and the audit is read, newest first. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type PolicyFixture, policyYaml, startPolicyDash } from '../fixtures/dash-policy.ts';

let dash: PolicyFixture;
beforeAll(async () => {
  dash = await startPolicyDash();
});
afterAll(() => dash.gateway.stop());

const pinOf = (subject: string) => ({ pin: 'app', subject });

describe('a pin', () => {
  const path = (subject: string) => `/pins/app/${encodeURIComponent(subject)}`;

  test('is set, replaced and let go, each with its audit row by whoever is signed in', async () => {
    const { cookie: by, id } = await dash.signIn();
    const subject = 'project=prj_set';
    const first = { pin: 'app', subject, value: 'com.example.one', before: '0' };
    const made = await dash.post('/pins/set', { ...first, reason: 'by hand' }, by);
    expect([made.status, made.location]).toEqual([303, `${path(subject)}?done=set`]);
    expect((await dash.get(made.location ?? '', by)).text).toContain('com.example.one');
    expect(
      (await dash.post('/pins/set', { ...first, value: 'com.example.two', before: '1' }, by)).status,
    ).toBe(303);
    const done = await dash.post(`${path(subject)}/reset`, { before: '2' }, by);
    expect([done.status, done.location]).toEqual([303, '/pins?done=reset']);
    expect((await dash.get(path(subject), by)).status).toBe(404);
    const { json } = await dash.ask(`GET /v1/audit?subject=${subject}`);
    expect(json.entries).toMatchObject([
      {
        actor: `token:${id}`,
        action: 'pin.change',
        detail: { before: null, after: 'com.example.one', reason: 'by hand' },
      },
      {
        actor: `token:${id}`,
        action: 'pin.change',
        detail: { before: 'com.example.one', after: 'com.example.two' },
      },
      { actor: `token:${id}`, action: 'pin.reset', detail: { before: 'com.example.two', after: null } },
    ]);
  });

  test('that is not what the form was made for is not changed', async () => {
    const subject = 'project=prj_stale';
    await dash.gateway.running.tokens.pins.pinFirst(pinOf(subject), 'com.example.new', 'test');
    for (const before of ['0', '7', '']) {
      const set = await dash.post('/pins/set', { pin: 'app', subject, value: 'com.example.mine', before });
      const reset = await dash.post(`${path(subject)}/reset`, { before });
      for (const { status, text } of [set, reset]) {
        expect(status).toBe(400);
        expect(text).toContain('is not what it was');
        expect(text).toContain('com.example.new');
      }
    }
    expect((await dash.ask(`GET /v1/pins/app/${encodeURIComponent(subject)}`)).json.value).toBe(
      'com.example.new',
    );
  });

  test('that cannot be is refused in words, with what was typed', async () => {
    const good = { pin: 'app', subject: 'project=prj_x', value: 'v', before: '0' };
    for (const odd of [
      { value: '' },
      { value: 'a\u0007' },
      { subject: 'team=x' },
      { pin: 'nothing' },
      { reason: 'x'.repeat(300) },
    ]) {
      const { status, text } = await dash.post('/pins/set', { ...good, ...odd });
      expect([odd, status]).toEqual([odd, 400]);
      expect(text).toContain('role="alert"');
    }
    expect((await dash.get('/pins/nothing/project%3Dx')).status).toBe(400);
    expect((await dash.get('/pins/app/%E0%A4%A')).status).toBe(404);
  });

  test('takes no form but of its own session', async () => {
    const subject = 'project=prj_csrf';
    const form = { pin: 'app', subject, value: 'com.example.evil', before: '0' };
    expect((await dash.dash('POST /pins/set', { cookie: dash.cookie, form })).status).toBe(403);
    expect((await dash.dash(`POST ${path(subject)}/reset`, { cookie: dash.cookie, form })).status).toBe(403);
    expect((await dash.get(path(subject))).status).toBe(404);
  });

  test('is found by pin and owner, a page at a time, each once', async () => {
    const { pins } = dash.gateway.running.tokens;
    const subjects = Array.from({ length: 60 }, (_, n) => `project=many_${String(n).padStart(2, '0')}`);
    await Promise.all(subjects.map((subject) => pins.pinFirst(pinOf(subject), 'com.example.many', 'test')));
    const seen: string[] = [];
    for (let to: string | undefined = '/pins?pin=app'; to !== undefined; ) {
      const { text } = await dash.get(to);
      seen.push(...[...text.matchAll(/>(project=many_\d\d)<\/a>/g)].map(([, subject]) => subject ?? ''));
      to = /href="(\/pins\?[^"]*)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen).toEqual(subjects);
    expect((await dash.get('/pins?subject=project%3Dmany_07')).text.match(/<tr>/g)).toHaveLength(2);
    expect((await dash.get('/pins?pin=gone')).text).toContain('No pin is like that.');
  });

  test('whose first use pins nothing is let go with a warning that says so', async () => {
    const denying = policyYaml.replace('first_use: pin', 'first_use: deny');
    const other = await startPolicyDash(denying);
    onTestFinished(() => other.gateway.stop());
    const { cookie: by } = await other.signIn();
    await other.ask('PUT /v1/pins/app/project%3Da', { body: { value: 'com.example.a' } });
    const { text } = await other.dash('GET /pins/app/project%3Da/reset', { cookie: by });
    expect(text).toContain('The next requests of this owner are refused');
    await dash.ask('PUT /v1/pins/app/project%3Da', { body: { value: 'com.example.a' } });
    expect((await dash.get('/pins/app/project%3Da/reset')).text).toContain(
      'The next request of this owner that sends an id pins that id',
    );
  });
});

describe('the audit', () => {
  const actionsOf = (text: string) =>
    [...text.matchAll(/<code class="faint">([a-z._]+)<\/code>/g)].map(([, one]) => one);

  test('says who did what to what, newest first, in words and with links', async () => {
    const { cookie: by, id } = await dash.signIn();
    const { id: token } = await dash.gateway.mint('user');
    await dash.ask(`POST /v1/tokens/${token}/rotate`, { body: { overlap: '36h' } });
    await dash.post(`/tokens/${token}/disable`, {}, by);
    const { text } = await dash.get(`/audit?subject=${token}`, by);
    expect(actionsOf(text)).toEqual(['token.disable', 'token.rotate', 'token.create']);
    expect(text).toContain('<dt>Overlap</dt><dd>36h</dd>');
    expect(text).toContain('Token disabled');
    expect(text).toContain(`<a href="/tokens/${id}">admin</a>`);
    expect(text).toContain(`<a href="/tokens/${token}">user</a>`);
    expect(text).toMatch(/<time datetime="\d{4}-\d\d-\d\dT[^"]*Z">/);
    const { cookie: small } = await dash.signIn('audit:read');
    expect((await dash.get(`/audit?subject=${token}`, small)).text).not.toContain('href="/tokens/');
  });

  test('is found by actor and action, and goes on to what is older', async () => {
    const { audit } = dash.gateway.running.tokens;
    for (let n = 0; n < 130; n++) {
      const [actor, action] =
        n % 2 === 0 ? ['operator:grace', 'pin.observe_failed'] : ['operator:alan', 'token.observe_failed'];
      await audit.record({ actor, action: action as 'pin.observe_failed', subject: `n${n}`, detail: { n } });
    }
    const seen: string[] = [];
    for (let to: string | undefined = '/audit?actor=GRACE&action=pin'; to !== undefined; ) {
      const { text } = await dash.get(to);
      expect(text).not.toContain('alan');
      seen.push(...[...text.matchAll(/<code>(n\d+)<\/code>/g)].map(([, subject]) => subject ?? ''));
      to = /href="(\/audit\?[^"]*)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen).toEqual(Array.from({ length: 65 }, (_, n) => `n${128 - 2 * n}`));
    expect(
      new Set(actionsOf((await dash.get('/audit?actor=alan&action=token.observe_failed')).text)),
    ).toEqual(new Set(['token.observe_failed']));
    expect((await dash.get('/audit?action=tok')).text).toContain('No change is like that.');
    expect((await dash.get('/audit?after=%F0%9F%98%80&subject=x')).status).toBe(400);
  });

  test('looks through 4,000 rows at most, in less than 50 ms, and says where to go on', async () => {
    const many = await startPolicyDash();
    onTestFinished(() => many.gateway.stop());
    const { cookie: by } = await many.signIn();
    const { audit } = many.gateway.running.tokens;
    const event = { actor: 'test', action: 'pin.observe_failed', subject: 'one', detail: {} } as const;
    for (let round = 0; round < 23; round++) {
      await Promise.all(Array.from({ length: 200 }, () => audit.record(event)));
    }
    const times: number[] = [];
    // A busy machine only adds: it is asked until once it did not.
    for (let round = 0; round < 20 && !(Math.min(...times) < 50); round++) {
      const started = performance.now();
      const { text } = await many.dash('GET /audit?actor=bootstrap', { cookie: by });
      times.push(performance.now() - started);
      expect(text).toContain('None among the 4000 that were looked at. There are more.');
    }
    const { text } = await many.dash('GET /audit?actor=bootstrap', { cookie: by });
    const next = /href="(\/audit\?[^"]*)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect((await many.dash(`GET ${next}`, { cookie: by })).text).toContain('at its first start');
    console.info('ms to look through 4,000 audit rows', times);
    expect(Math.min(...times)).toBeLessThan(50);
  });
});
