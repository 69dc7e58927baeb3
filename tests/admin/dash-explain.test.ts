/** The dashboard's explain says what the API says, takes our own tokens as they are, and keeps secrets out of addresses. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, type Case, caseOfQuery, emptyCase } from '../../gateway/admin/dash-explain-case.ts';
import { type PolicyFixture, startPolicyDash } from '../fixtures/dash-policy.ts';

let dash: PolicyFixture;
beforeAll(async () => {
  dash = await startPolicyDash();
});
afterAll(() => dash.gateway.stop());

const pinOf = (subject: string) => ({ pin: 'app', subject });

describe('explain', () => {
  const verdictOf = (text: string) =>
    (/id="verdict">(.*?)<\/h2>/s.exec(text)?.[1] ?? '').replaceAll(/<[^>]*>/g, '').trim();
  const stepsOf = (text: string) =>
    [...text.matchAll(/<li class="step (yes|no)">/g)].map(([, ok]) => ok === 'yes');

  test.each([
    [{ method: 'GET', path: '/status' }, {}],
    [{ method: 'GET', path: '/nowhere' }, {}],
    [{ method: 'GET', path: '/events', as: 'user', scope: 'events:read' }, { as: 'user:events:read' }],
    [{ method: 'GET', path: '/events', as: 'user' }, { as: 'user' }],
    [
      { method: 'GET', path: '/projects/a', as: 'user', attribute: 'projects=a' },
      { as: 'user', attributes: { projects: ['a'] } },
    ],
    [
      {
        method: 'GET',
        path: '/events',
        as: 'user',
        allowed: 'https://a.example',
        origin: 'https://b.example',
      },
      { as: 'user', origins: ['https://a.example'], headers: ['Origin: https://b.example'] },
    ],
    [
      { method: 'POST', path: '/events', as: 'legacy', nth: '601' },
      { as: 'legacy', nth: 601 },
    ],
    [{ method: 'GET', path: '/events', header: 'X-Api: 1', from: '192.0.2.7' }, { headers: ['X-Api: 1'] }],
  ])('says of %o what the API says', async (query, asked) => {
    const { method, path } = query;
    const { json } = await dash.ask('POST /v1/config/explain', { body: { method, path, ...asked } });
    const { status, text } = await dash.get(
      `/explain?${new URLSearchParams(query as Record<string, string>)}`,
    );
    expect(status).toBe(200);
    const words = {
      forward: `Forwarded to ${json.upstream}`,
      serve: `Answered here: ${json.status}`,
      refuse: `Refused: ${json.status} ${json.code}`,
    };
    expect(verdictOf(text)).toBe(words[json.outcome as keyof typeof words]);
    const isCounted = json.steps.some(
      (one: { step: string; ok: boolean }) => one.step === 'limits' && one.ok,
    );
    expect(text.includes('id="limits"')).toBe(isCounted);
    for (const [name, value] of Object.entries(json.identity))
      expect(text).toContain(`<dt><code>${name}</code></dt><dd><code>${value}</code></dd>`);
    expect(stepsOf(text)).toEqual(json.steps.map(({ ok }: { ok: boolean }) => ok));
  });

  test('is a form whose address can be sent on', async () => {
    const form = { method: 'GET', path: '/events?limit=1', who: 'type:user', 'scope.user': 'events:read' };
    const { status, location } = await dash.post('/explain', {
      ...form,
      'scope.other': 'x',
      'attribute.user.team': 'core',
    });
    expect(status).toBe(303);
    expect(location).toBe(
      '/explain?method=GET&path=%2Fevents%3Flimit%3D1&as=user&scope=events%3Aread&attribute=team%3Dcore',
    );
    const { text } = await dash.get(location ?? '');
    expect(verdictOf(text)).toBe('Forwarded to app');
    expect(text).toContain('value="/events?limit=1"');
    expect(text).toMatch(/value="type:user" checked/);
    expect(text).toMatch(/name="scope.user" value="events:read" checked/);
    expect(text).toContain('value="core"');
  });

  test('with a body has no address, and reads it', async () => {
    const form = { method: 'POST', path: '/apps', who: 'type:project', 'attribute.project.project': 'a' };
    const shop = { ...form, body: '{"app_id":"com.example.shop"}', pinned: 'app=com.example.other' };
    const { status, location, text } = await dash.post('/explain', shop);
    expect([status, location, verdictOf(text)]).toEqual([200, null, 'Refused: 403 bundle_mismatch']);
    expect(text).toContain('{&quot;app_id&quot;:&quot;com.example.shop&quot;}</textarea>');
    expect(text).toContain('This case has no address');
    expect(verdictOf((await dash.post('/explain', { ...shop, pinned: '' })).text)).toBe('Forwarded to app');
  });

  test('answers what cannot be understood in words, and keeps what was typed', async () => {
    const wrong = { method: 'GET', path: '/events', who: 'type:user', headers: 'no header', nth: 'many' };
    const { status, text } = await dash.post('/explain', wrong);
    expect(status).toBe(400);
    expect(text).toContain('role="alert"');
    expect(text).toContain('no header</textarea>');
    expect((await dash.post('/explain', { ...wrong, nth: '' })).text).toContain('Not a header');
    for (const query of [
      'path=/&as=nothing',
      'path=/&token=tok_0',
      'path=/&from=nowhere',
      'path=/&method=no+no',
    ]) {
      expect([query, (await dash.get(`/explain?${query}`)).status]).toEqual([query, 400]);
    }
  });

  test('takes a token of the store as it is: its scopes, its origins, its end', async () => {
    const { id, token } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    const path = `/explain?path=/events&token=${id}`;
    expect(verdictOf((await dash.get(path)).text)).toBe('Forwarded to app');
    const { tokens } = dash.gateway.running;
    await tokens.update(id, { scopes: [] }, 'test');
    expect(verdictOf((await dash.get(path)).text)).toBe('Refused: 403 scope_missing');
    await tokens.update(id, { scopes: ['events:read'], origins: ['https://app.example'] }, 'test');
    expect(verdictOf((await dash.get(path)).text)).toBe('Refused: 403 origin_not_allowed');
    expect(verdictOf((await dash.get(`${path}&origin=https://app.example`)).text)).toBe('Forwarded to app');
    await tokens.revoke(id, 'test', null);
    expect(verdictOf((await dash.get(path)).text)).toBe('Refused: 401 token_revoked');
    expect((await dash.get(path)).text).not.toContain(token);
  });

  test('takes what is pinned to a token of the store, for whoever may read pins, and pins nothing', async () => {
    const { id } = await dash.gateway.mint('project', { attributes: { project: 'prj_pinned' } });
    const key = pinOf('project=prj_pinned');
    const { pins } = dash.gateway.running.tokens;
    const form = {
      method: 'POST',
      path: '/apps',
      who: 'token',
      token: id,
      body: '{"app_id":"com.example.b"}',
    };
    expect(verdictOf((await dash.post('/explain', form)).text)).toBe('Forwarded to app');
    expect(await pins.read(key)).toBe(null);
    await pins.pinFirst(key, 'com.example.a', 'test');
    expect(verdictOf((await dash.post('/explain', form)).text)).toBe('Refused: 403 bundle_mismatch');
    const { cookie: blind } = await dash.signIn('config:read', 'tokens:read');
    expect((await dash.post('/explain', form, blind)).text).not.toContain('com.example.a');
  });

  test('changes nothing: no audit row, no use, no count', async () => {
    const { id } = await dash.gateway.mint('legacy');
    const rows = async () => (await dash.ask('GET /v1/audit?limit=1000')).json.entries.length;
    const before = await rows();
    for (let n = 0; n < 20; n++) await dash.get(`/explain?method=POST&path=/events&token=${id}`);
    await dash.gateway.running.tokens.flush();
    expect(await rows()).toBe(before);
    expect((await dash.ask(`GET /v1/tokens/${id}`)).json.last_used_at).toBe(null);
  });

  test('takes no form but of its own session', async () => {
    const form = { method: 'GET', path: '/events' };
    expect((await dash.dash('POST /explain', { cookie: dash.cookie, form })).status).toBe(403);
    expect(
      (await dash.dash('POST /explain', { cookie: dash.cookie, form: { ...form, _form: 'x' } })).status,
    ).toBe(403);
  });

  describe('in an address', () => {
    const policy = () => dash.gateway.running.config().policy;
    const line = fc
      .string({ unit: 'binary', maxLength: 20 })
      .map((text) => text.replaceAll(/\s/g, '').toWellFormed());
    const word = line.filter((text) => text !== '');
    const words = fc.array(word, { maxLength: 3 });
    const who: fc.Arbitrary<Case['who']> = fc.oneof(
      fc.constant({ kind: 'nobody' } as const),
      fc.record({ kind: fc.constant('token' as const), id: fc.constant(`tok_${'0'.repeat(26)}`) }),
      fc.record({
        kind: fc.constant('type' as const),
        type: word,
        scopes: words,
        attributes: words,
        origins: words,
      }),
    );
    const cases: fc.Arbitrary<Case> = fc.record({
      method: fc.constantFrom('GET', 'POST', 'X-Y'),
      path: line.map((text) => `/${text}`),
      host: line,
      origin: line,
      from: line,
      nth: line,
      headers: words,
      body: fc.constant(''),
      pinned: words,
      who,
    });

    test('a case is found again as it was', () => {
      fc.assert(
        fc.property(cases, (one) => {
          const address = addressOf(one, policy());
          if (address === null) return;
          expect(caseOfQuery(new URLSearchParams(address.slice('/explain?'.length)))).toEqual(one);
        }),
        { numRuns: 300 },
      );
    });

    test('there is never a token, wherever it was pasted, nor a header for one, nor a body', () => {
      const secret = fc
        .tuple(
          fc.constantFrom('prj_', 'usr_', 'old_', 'probe_', 'postern_admin_'),
          fc.stringMatching(/^[A-Za-z0-9]{32}$/),
        )
        .map((parts) => parts.join(''));
      const places: ((text: string) => Partial<Case>)[] = [
        (text) => ({ path: `/a?b=${text}` }),
        (text) => ({ path: `/${text}` }),
        (text) => ({ path: `/prj_a/usr_a/old_a/probe_a/postern_admin_a/${text}` }),
        (text) => ({ headers: [`X-Any: ${text}`] }),
        (text) => ({ headers: [`authorization: Basic ${text.slice(5)}`] }),
        (text) => ({ headers: [`Cookie:a=${text.slice(5)}`] }),
        (text) => ({ headers: [`x-PROBE: ${text.slice(5)}`] }),
        (text) => ({ body: text }),
        (text) => ({ pinned: [`app=${text}`] }),
        (text) => ({ host: text }),
        (text) => ({ from: text }),
        (text) => ({ nth: text }),
        (text) => ({ who: { kind: 'token', id: text } }),
        (text) => ({
          who: { kind: 'type', type: 'user', scopes: [], attributes: [`team=${text}`], origins: [] },
        }),
        (text) => ({ who: { kind: 'type', type: text, scopes: [], attributes: [], origins: [] } }),
      ];
      fc.assert(
        fc.property(secret, fc.constantFrom(...places), (text, place) => {
          expect(addressOf({ ...emptyCase, path: '/', ...place(text) }, policy())).toBe(null);
        }),
        { numRuns: 500 },
      );
    });
  });
});
