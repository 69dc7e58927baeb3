/** The dashboard's pages about the policy: the matrix, explain, pins and the audit say what the API says, to who may know. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { addressOf, type Case, caseOfQuery, emptyCase } from '../../gateway/admin/dash-explain-case.ts';
import { adminConfig } from '../fixtures/admin.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';

const head = 'admin: { address: 127.0.0.1:0 }';
const yaml = adminConfig
  .replace('kind: bundle_id,', 'kind: bundle_id, first_use: pin,')
  .replace(
    '      GET /status',
    '      POST /apps: { allow: { project: events:write }, pins: [app], body: { json: true, max: 1KiB } }\n      GET /status',
  );

let dash: DashFixture;
let cookie: string;
beforeAll(async () => {
  dash = await startDash(head, yaml);
  ({ cookie } = await dash.signIn());
});
afterAll(() => dash.gateway.stop());

const get = (path: string, by = cookie) => dash.dash(`GET ${path}`, { cookie: by });
const formTokenOf = async (by = cookie) => hiddenOf((await get('/sessions', by)).text, '/sign-out', '_form');
const post = async (path: string, form: Readonly<Record<string, string>>, by = cookie) =>
  dash.dash(`POST ${path}`, { cookie: by, form: { _form: await formTokenOf(by), ...form } });
const pinOf = (subject: string) => ({ pin: 'app', subject });

describe('who lacks a scope', () => {
  const scopeOf = {
    '/matrix': 'config:read',
    '/explain': 'config:read',
    '/pins': 'pins:read',
    '/audit': 'audit:read',
  };

  test('does not see the section, and is told which scope is lacking', async () => {
    for (const [path, scope] of Object.entries(scopeOf)) {
      const { cookie: with_ } = await dash.signIn('tokens:read', scope);
      const { cookie: without } = await dash.signIn('tokens:read');
      expect((await get('/tokens', with_)).text).toContain(`href="${path}"`);
      expect((await get(path, with_)).status).toBe(200);
      expect((await get('/tokens', without)).text).not.toContain(`href="${path}"`);
      const refused = await get(path, without);
      expect([path, refused.status]).toEqual([path, 403]);
      expect(refused.text).toContain(`lacks the scope ${scope}`);
    }
  });

  test('sees pins, but is offered no change and makes none', async () => {
    const subject = 'project=prj_seen';
    await dash.gateway.running.tokens.pins.pinFirst(pinOf(subject), 'com.example.seen', 'test');
    const { cookie: reader } = await dash.signIn('pins:read');
    const path = `/pins/app/${encodeURIComponent(subject)}`;
    for (const page of ['/pins', path]) {
      const { status, text } = await get(page, reader);
      expect([status, text.includes('com.example.seen')]).toEqual([200, true]);
      expect(text).not.toMatch(/href="[^"]*\/(?:set|reset)/);
    }
    const form = { pin: 'app', subject, value: 'other', before: '1' };
    expect((await post('/pins/set', form, reader)).status).toBe(403);
    expect((await post(`${path}/reset`, form, reader)).status).toBe(403);
    expect((await dash.ask(`GET /v1/pins/app/${encodeURIComponent(subject)}`)).json.value).toBe(
      'com.example.seen',
    );
  });

  test('is not told of a token by explain', async () => {
    const { id } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    const { cookie: small } = await dash.signIn('config:read');
    expect((await get('/explain', small)).text).not.toContain('value="token"');
    const { status, text } = await get(`/explain?path=/events&token=${id}`, small);
    expect([status, text.includes('events:read</')]).toEqual([400, text.includes('events:read</')]);
    expect(text).toContain('You may not read tokens');
    expect(text).not.toContain('id="verdict"');
  });
});

describe('the matrix', () => {
  const rowsOf = (text: string) => text.match(/class="method"/g)?.length ?? 0;

  test('has every row, cell and rule that the API has', async () => {
    const { json } = await dash.ask('GET /v1/config/matrix');
    const { text } = await get('/matrix');
    const plain = text.replaceAll(/<[^>]*>/g, '').replaceAll('&amp;', '&');
    expect(rowsOf(text)).toBe(json.rows.length);
    for (const row of json.rows) {
      const words = [
        row.pattern,
        ...Object.values(row.cells),
        ...row.bind,
        ...row.limits,
        ...row.bundle_pins,
      ];
      for (const one of words) expect(plain).toContain(one);
    }
    for (const { scope, sentence } of json.scopes) {
      expect([plain.includes(scope), plain.includes(sentence)]).toEqual([true, true]);
    }
  });

  test('says in words what a cell asks, and leads to the case that it is about', async () => {
    const { text } = await get('/matrix');
    expect(text).toContain(
      'A user token with one of the scopes events:read (Read events), events:write (Send events).',
    );
    expect(text).toContain('A project token with the scope events:write (Send events). Each of them has it.');
    expect(text).toContain('Any user token, whatever its scopes.');
    const links = [...text.matchAll(/href="(\/explain\?[^"]*)"/g)].map(([, path]) => path ?? '');
    const verdicts = await Promise.all(
      links.map(async (path) => (await get(path.replaceAll('&amp;', '&'))).text),
    );
    expect(links).toHaveLength(6);
    const asked = verdicts.filter((text) => !text.includes('value="/apps"'));
    expect(asked).toHaveLength(5);
    for (const verdict of asked) expect(verdict).toMatch(/id="verdict">Forwarded/);
  });

  test('is found by path, api and type', async () => {
    const counts = {
      'words=projects': 1,
      'type=user': 3,
      'type=project': 3,
      'api=main': 5,
      'words=nothing': 0,
    };
    for (const [query, count] of Object.entries(counts)) {
      const { text } = await get(`/matrix?${query}`);
      expect([query, rowsOf(text)]).toEqual([query, count]);
    }
    expect((await get('/matrix?type=user')).text).not.toContain('<th scope="col">legacy</th>');
  });

  test('of 500 rows comes in less than 100 ms', async () => {
    const routes = Array.from(
      { length: 495 },
      (_, n) =>
        `      GET /more/${n}/{x}: { allow: { user: events:read | events:write, project: events:write, legacy: any_scope }, limits: [ingest] }\n`,
    );
    const many = await startDash(head, yaml.replace('    routes:\n', `    routes:\n${routes.join('')}`));
    onTestFinished(() => many.gateway.stop());
    const { cookie: by } = await many.signIn();
    const taken: number[] = [];
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      const { text } = await many.dash('GET /matrix', { cookie: by });
      taken.push(performance.now() - started);
      expect(rowsOf(text)).toBe(500);
    }
    console.info('ms a matrix of 500 rows', taken);
    expect(Math.min(...taken)).toBeLessThan(100);
  });
});

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
    const { status, text } = await get(`/explain?${new URLSearchParams(query as Record<string, string>)}`);
    expect(status).toBe(200);
    const words = {
      forward: `Forwarded to ${json.upstream}`,
      serve: `Answered here: ${json.status}`,
      refuse: `Refused: ${json.status} ${json.code}`,
    };
    expect(verdictOf(text)).toBe(words[json.outcome as keyof typeof words]);
    expect(stepsOf(text)).toEqual(json.steps.map(({ ok }: { ok: boolean }) => ok));
  });

  test('is a form whose address can be sent on', async () => {
    const form = { method: 'GET', path: '/events?limit=1', who: 'type:user', 'scope.user': 'events:read' };
    const { status, location } = await post('/explain', {
      ...form,
      'scope.other': 'x',
      'attribute.user.team': 'core',
    });
    expect(status).toBe(303);
    expect(location).toBe(
      '/explain?method=GET&path=%2Fevents%3Flimit%3D1&as=user&scope=events%3Aread&attribute=team%3Dcore',
    );
    const { text } = await get(location ?? '');
    expect(verdictOf(text)).toBe('Forwarded to app');
    expect(text).toContain('value="/events?limit=1"');
    expect(text).toMatch(/value="type:user" checked/);
    expect(text).toMatch(/name="scope.user" value="events:read" checked/);
    expect(text).toContain('value="core"');
  });

  test('with a body has no address, and reads it', async () => {
    const form = { method: 'POST', path: '/apps', who: 'type:project', 'attribute.project.project': 'a' };
    const shop = { ...form, body: '{"app_id":"com.example.shop"}', pinned: 'app=com.example.other' };
    const { status, location, text } = await post('/explain', shop);
    expect([status, location, verdictOf(text)]).toEqual([200, null, 'Refused: 403 bundle_mismatch']);
    expect(text).toContain('{&quot;app_id&quot;:&quot;com.example.shop&quot;}</textarea>');
    expect(text).toContain('This case has no address');
    expect(verdictOf((await post('/explain', { ...shop, pinned: '' })).text)).toBe('Forwarded to app');
  });

  test('answers what cannot be understood in words, and keeps what was typed', async () => {
    const wrong = { method: 'GET', path: '/events', who: 'type:user', headers: 'no header', nth: 'many' };
    const { status, text } = await post('/explain', wrong);
    expect(status).toBe(400);
    expect(text).toContain('role="alert"');
    expect(text).toContain('no header</textarea>');
    expect((await post('/explain', { ...wrong, nth: '' })).text).toContain('Not a header');
    for (const query of [
      'path=/&as=nothing',
      'path=/&token=tok_0',
      'path=/&from=nowhere',
      'path=/&method=no+no',
    ]) {
      expect([query, (await get(`/explain?${query}`)).status]).toEqual([query, 400]);
    }
  });

  test('takes a token of the store as it is: its scopes, its origins, its end', async () => {
    const { id, token } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    const path = `/explain?path=/events&token=${id}`;
    expect(verdictOf((await get(path)).text)).toBe('Forwarded to app');
    const { tokens } = dash.gateway.running;
    await tokens.update(id, { scopes: [] }, 'test');
    expect(verdictOf((await get(path)).text)).toBe('Refused: 403 scope_missing');
    await tokens.update(id, { scopes: ['events:read'], origins: ['https://app.example'] }, 'test');
    expect(verdictOf((await get(path)).text)).toBe('Refused: 403 origin_not_allowed');
    expect(verdictOf((await get(`${path}&origin=https://app.example`)).text)).toBe('Forwarded to app');
    await tokens.revoke(id, 'test', null);
    expect(verdictOf((await get(path)).text)).toBe('Refused: 401 token_revoked');
    expect((await get(path)).text).not.toContain(token);
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
    expect(verdictOf((await post('/explain', form)).text)).toBe('Forwarded to app');
    expect(await pins.read(key)).toBe(null);
    await pins.pinFirst(key, 'com.example.a', 'test');
    expect(verdictOf((await post('/explain', form)).text)).toBe('Refused: 403 bundle_mismatch');
    const { cookie: blind } = await dash.signIn('config:read', 'tokens:read');
    expect((await post('/explain', form, blind)).text).not.toContain('com.example.a');
  });

  test('changes nothing: no audit row, no use, no count', async () => {
    const { id } = await dash.gateway.mint('legacy');
    const rows = async () => (await dash.ask('GET /v1/audit?limit=1000')).json.entries.length;
    const before = await rows();
    for (let n = 0; n < 20; n++) await get(`/explain?method=POST&path=/events&token=${id}`);
    await dash.gateway.running.tokens.flush();
    expect(await rows()).toBe(before);
    expect((await dash.ask(`GET /v1/tokens/${id}`)).json.last_used_at).toBe(null);
  });

  test('takes no form but of its own session', async () => {
    const form = { method: 'GET', path: '/events' };
    expect((await dash.dash('POST /explain', { cookie, form })).status).toBe(403);
    expect((await dash.dash('POST /explain', { cookie, form: { ...form, _form: 'x' } })).status).toBe(403);
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

describe('a pin', () => {
  const path = (subject: string) => `/pins/app/${encodeURIComponent(subject)}`;

  test('is set, replaced and let go, each with its audit row by whoever is signed in', async () => {
    const { cookie: by, id } = await dash.signIn();
    const subject = 'project=prj_set';
    const first = { pin: 'app', subject, value: 'com.example.one', before: '0' };
    const made = await post('/pins/set', { ...first, reason: 'by hand' }, by);
    expect([made.status, made.location]).toEqual([303, `${path(subject)}?done=set`]);
    expect((await get(made.location ?? '', by)).text).toContain('com.example.one');
    expect((await post('/pins/set', { ...first, value: 'com.example.two', before: '1' }, by)).status).toBe(
      303,
    );
    const done = await post(`${path(subject)}/reset`, { before: '2' }, by);
    expect([done.status, done.location]).toEqual([303, '/pins?done=reset']);
    expect((await get(path(subject), by)).status).toBe(404);
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
      const set = await post('/pins/set', { pin: 'app', subject, value: 'com.example.mine', before });
      const reset = await post(`${path(subject)}/reset`, { before });
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
      const { status, text } = await post('/pins/set', { ...good, ...odd });
      expect([odd, status]).toEqual([odd, 400]);
      expect(text).toContain('role="alert"');
    }
    expect((await get('/pins/nothing/project%3Dx')).status).toBe(400);
    expect((await get('/pins/app/%E0%A4%A')).status).toBe(404);
  });

  test('takes no form but of its own session', async () => {
    const subject = 'project=prj_csrf';
    const form = { pin: 'app', subject, value: 'com.example.evil', before: '0' };
    expect((await dash.dash('POST /pins/set', { cookie, form })).status).toBe(403);
    expect((await dash.dash(`POST ${path(subject)}/reset`, { cookie, form })).status).toBe(403);
    expect((await get(path(subject))).status).toBe(404);
  });

  test('is found by pin and owner, a page at a time, each once', async () => {
    const { pins } = dash.gateway.running.tokens;
    const subjects = Array.from({ length: 60 }, (_, n) => `project=many_${String(n).padStart(2, '0')}`);
    await Promise.all(subjects.map((subject) => pins.pinFirst(pinOf(subject), 'com.example.many', 'test')));
    const seen: string[] = [];
    for (let to: string | undefined = '/pins?pin=app'; to !== undefined; ) {
      const { text } = await get(to);
      seen.push(...[...text.matchAll(/>(project=many_\d\d)<\/a>/g)].map(([, subject]) => subject ?? ''));
      to = /href="(\/pins\?[^"]*)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen).toEqual(subjects);
    expect((await get('/pins?subject=project%3Dmany_07')).text.match(/<tr>/g)).toHaveLength(2);
    expect((await get('/pins?pin=gone')).text).toContain('No pin is like that.');
  });

  test('whose first use pins nothing is let go with a warning that says so', async () => {
    const denying = yaml.replace('first_use: pin', 'first_use: deny');
    const other = await startDash(head, denying);
    onTestFinished(() => other.gateway.stop());
    const { cookie: by } = await other.signIn();
    await other.ask('PUT /v1/pins/app/project%3Da', { body: { value: 'com.example.a' } });
    const { text } = await other.dash('GET /pins/app/project%3Da/reset', { cookie: by });
    expect(text).toContain('The next requests of this owner are refused');
    await dash.ask('PUT /v1/pins/app/project%3Da', { body: { value: 'com.example.a' } });
    expect((await get('/pins/app/project%3Da/reset')).text).toContain(
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
    await post(`/tokens/${token}/disable`, {}, by);
    const { text } = await get(`/audit?subject=${token}`, by);
    expect(actionsOf(text)).toEqual(['token.disable', 'token.create']);
    expect(text).toContain('Token disabled');
    expect(text).toContain(`<a href="/tokens/${id}">admin</a>`);
    expect(text).toContain(`<a href="/tokens/${token}">user</a>`);
    expect(text).toMatch(/<time datetime="\d{4}-\d\d-\d\dT[^"]*Z">/);
    const { cookie: small } = await dash.signIn('audit:read');
    expect((await get(`/audit?subject=${token}`, small)).text).not.toContain('href="/tokens/');
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
      const { text } = await get(to);
      expect(text).not.toContain('alan');
      seen.push(...[...text.matchAll(/<code>(n\d+)<\/code>/g)].map(([, subject]) => subject ?? ''));
      to = /href="(\/audit\?[^"]*)" rel="next"/.exec(text)?.[1]?.replaceAll('&amp;', '&');
    }
    expect(seen).toEqual(Array.from({ length: 65 }, (_, n) => `n${128 - 2 * n}`));
    expect(new Set(actionsOf((await get('/audit?actor=alan&action=token.observe_failed')).text))).toEqual(
      new Set(['token.observe_failed']),
    );
    expect((await get('/audit?action=tok')).text).toContain('No change is like that.');
    expect((await get('/audit?after=%F0%9F%98%80&subject=x')).status).toBe(200);
  });
});
