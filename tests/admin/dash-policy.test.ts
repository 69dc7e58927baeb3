/** The dashboard's pages about the policy are for who may know; and the matrix says what the API says. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type PolicyFixture, policyYaml, startPolicyDash } from '../fixtures/dash-policy.ts';

let dash: PolicyFixture;
beforeAll(async () => {
  dash = await startPolicyDash();
});
afterAll(() => dash.gateway.stop());

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
      expect((await dash.get('/tokens', with_)).text).toContain(`href="${path}"`);
      expect((await dash.get(path, with_)).status).toBe(200);
      expect((await dash.get('/tokens', without)).text).not.toContain(`href="${path}"`);
      const refused = await dash.get(path, without);
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
      const { status, text } = await dash.get(page, reader);
      expect([status, text.includes('com.example.seen')]).toEqual([200, true]);
      expect(text).not.toMatch(/href="[^"]*\/(?:set|reset)/);
    }
    const form = { pin: 'app', subject, value: 'other', before: '1' };
    expect((await dash.post('/pins/set', form, reader)).status).toBe(403);
    expect((await dash.post(`${path}/reset`, form, reader)).status).toBe(403);
    expect((await dash.ask(`GET /v1/pins/app/${encodeURIComponent(subject)}`)).json.value).toBe(
      'com.example.seen',
    );
  });

  test('is not told of a token by explain', async () => {
    const { id } = await dash.gateway.mint('user', { scopes: ['events:read'] });
    const { cookie: small } = await dash.signIn('config:read');
    expect((await dash.get('/explain', small)).text).not.toContain('value="token"');
    const { status, text } = await dash.get(`/explain?path=/events&token=${id}`, small);
    expect([status, text.includes('events:read</')]).toEqual([400, text.includes('events:read</')]);
    expect(text).toContain('You may not read tokens');
    expect(text).not.toContain('id="verdict"');
  });
});

describe('the matrix', () => {
  const rowsOf = (text: string) => text.match(/class="method"/g)?.length ?? 0;

  test('has every row, cell and rule that the API has', async () => {
    const { json } = await dash.ask('GET /v1/config/matrix');
    const { text } = await dash.get('/matrix');
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
    const { text } = await dash.get('/matrix');
    expect(text).toContain(
      'A user token with one of the scopes events:read (Read events), events:write (Send events).',
    );
    expect(text).toContain('A project token with the scope events:write (Send events). Each of them has it.');
    expect(text).toContain('Any user token, whatever its scopes.');
    const links = [...text.matchAll(/href="(\/explain\?[^"]*)"/g)].map(([, path]) => path ?? '');
    const verdicts = await Promise.all(
      links.map(async (path) => (await dash.get(path.replaceAll('&amp;', '&'))).text),
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
      const { text } = await dash.get(`/matrix?${query}`);
      expect([query, rowsOf(text)]).toEqual([query, count]);
    }
    expect((await dash.get('/matrix?type=user')).text).not.toContain('<th scope="col">legacy</th>');
  });

  test('of 500 rows comes in less than 100 ms', async () => {
    const routes = Array.from(
      { length: 495 },
      (_, n) =>
        `      GET /more/${n}/{x}: { allow: { user: events:read | events:write, project: events:write, legacy: any_scope }, limits: [ingest] }\n`,
    );
    const many = await startPolicyDash(
      policyYaml.replace('    routes:\n', `    routes:\n${routes.join('')}`),
    );
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
