/** An attribute that a csrf rule reads is as good as the token: no face shows it, and no audit row holds it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attributesShown, attributesTold, detailShown, hiddenValue } from '../../policy/secret-attributes.ts';
import { adminConfig } from '../fixtures/admin.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';
import { mcpConfig } from './mcp-desk.ts';
import { Terminal } from './terminal.ts';

const secret = 'NOBODYSBUSINESS';
const other = 'NOBODYSEITHER';
const page =
  '  page: { scopes: [events:write], sources: [cookie:sid], csrf: { header: X-CSRF, equals: token.attribute.csrf }, attributes: { user_id: required, csrf: required } }\n';
const yaml = adminConfig
  .replace('token_types:\n', `token_types:\n${page}`)
  .replace('legacy: events:write }', 'legacy: events:write, page: events:write }');

describe.each(['SQLite', 'PostgreSQL'] as const)('on %s', (kind) => {
  let dash: DashFixture;
  let database: TestDatabase | null = null;
  let id = '';
  const body = { type: 'page', label: 'a page', attributes: { user_id: 'u1', csrf: secret } };
  beforeAll(async () => {
    database = kind === 'PostgreSQL' ? await createTestDatabase() : null;
    const store = database === null ? '' : `\nstore: { url: "${database.url}" }`;
    dash = await startDash(`admin: { address: 127.0.0.1:0 }${store}`, yaml);
    id = (await dash.ask('POST /v1/tokens', { body })).json.id;
  });
  afterAll(async () => {
    await dash.gateway.stop();
    await database?.drop();
  });

  test('no answer of the admin API has it', async () => {
    const attributes = { user_id: 'u2', csrf: other };
    const texts = [
      await dash.ask('POST /v1/tokens', { body }),
      await dash.ask('POST /v1/tokens?dry_run=true', { body }),
      await dash.ask(`PATCH /v1/tokens/${id}`, { body: { attributes } }),
      await dash.ask(`GET /v1/tokens/${id}`),
      await dash.ask('GET /v1/tokens?type=page'),
      await dash.ask(`POST /v1/tokens/${id}/rotate`, { body: {} }),
      await dash.ask('POST /v1/tokens/regenerate', { body: { type: 'page', attributes } }),
      await dash.ask('GET /v1/audit'),
    ];
    for (const { status, text } of texts) {
      expect([status < 300, text.includes(secret), text.includes(other)]).toEqual([true, false, false]);
    }
    const { entries } = (await dash.ask(`GET /v1/audit?subject=${id}`)).json;
    const update = entries.find(({ action }: { action: string }) => action === 'token.update');
    expect(update.detail).toEqual({ attributes: { user_id: 'u2', csrf: hiddenValue } });
  });

  test('nobody finds a token by it, right or wrong', async () => {
    const { cookie } = await dash.signIn();
    for (const guess of [secret, other, 'nothing']) {
      const { status, json, text } = await dash.ask(`GET /v1/tokens?type=page&attribute=csrf=${guess}`);
      expect([status, json.code, json.path, text.includes(guess)]).toEqual([
        400,
        'payload_invalid',
        'attribute',
        false,
      ]);
      const page = await dash.dash(`GET /tokens?type=page&attribute=csrf%3D${guess}`, { cookie });
      expect([page.status, page.text.includes('a page')]).toEqual([400, false]);
    }
  });

  test('no row of the audit holds it, and the token has it all the same', async () => {
    const { audit, byId } = dash.gateway.running.tokens;
    const { entries } = await audit.list({ subject: null, after: null, limit: 1000 });
    expect(entries.map(({ action }) => action)).toContain('token.update');
    expect(JSON.stringify(entries)).not.toMatch(/NOBODYS/);
    const record = await byId.call(dash.gateway.running.tokens, id);
    expect(record?.attributes.get('csrf')).toBe(other);
  });

  test('no page of the dashboard shows it', async () => {
    const { cookie } = await dash.signIn();
    for (const path of [
      `/tokens/${id}`,
      '/tokens',
      `/tokens/${id}/edit`,
      `/tokens/${id}/regenerate`,
      '/audit',
    ]) {
      const { status, text } = await dash.dash(`GET ${path}`, { cookie });
      expect([path, status, /NOBODYS/.test(text)]).toEqual([path, 200, false]);
    }
  });

  test('what stands in its place is never taken for it', async () => {
    const { json: shown } = await dash.ask(`GET /v1/tokens/${id}`);
    expect(shown.attributes.csrf).toBe(hiddenValue);
    const tries = [
      await dash.ask(`PATCH /v1/tokens/${id}`, { body: { attributes: shown.attributes } }),
      await dash.ask('POST /v1/tokens', { body: { type: 'page', attributes: shown.attributes } }),
      await dash.ask('POST /v1/tokens/regenerate', { body: { type: 'page', attributes: shown.attributes } }),
    ];
    for (const { status, json } of tries) expect([status, json.path]).toEqual([400, 'attributes.csrf']);
  });

  test('a row that an older version wrote is shown without any value, and stays', async () => {
    const detail = { attributes: { user_id: 'u3', csrf: secret } };
    const { audit } = dash.gateway.running.tokens;
    await audit.record({ actor: 'cli', action: 'token.update', subject: 'tok_old', detail });
    const { text, json } = await dash.ask('GET /v1/audit?subject=tok_old');
    expect(text).not.toContain(secret);
    expect(json.entries[0].detail).toEqual({ attributes: { user_id: hiddenValue, csrf: hiddenValue } });
    const kept = await audit.list({ subject: 'tok_old', after: null, limit: 1 });
    expect(kept.entries[0]?.detail).toEqual(detail);
  });

  test('nor is it shown once the config has its type no more, and what was no secret still is', async () => {
    const { cookie } = await dash.signIn();
    dash.gateway.rewrite(adminConfig);
    expect((await dash.ask('POST /v1/config/reload')).status).toBe(200);
    expect(dash.gateway.running.config().policy.types.has('page')).toBe(false);
    const { text, json } = await dash.ask('GET /v1/audit?limit=1000');
    const page = await dash.dash('GET /audit', { cookie });
    expect([/NOBODYS/.test(text), page.status, /NOBODYS/.test(page.text)]).toEqual([false, 200, false]);
    const details = json.entries
      .filter(({ action }: { action: string }) => action === 'token.update')
      .map(({ detail }: { detail: unknown }) => detail);
    expect(details).toEqual([
      { attributes: { user_id: 'u2', csrf: hiddenValue } },
      { attributes: { user_id: hiddenValue, csrf: hiddenValue } },
    ]);
    dash.gateway.rewrite(yaml);
    expect((await dash.ask('POST /v1/config/reload')).status).toBe(200);
  });

  test('the curl line has it for whoever has just written it, and for nobody else', async () => {
    const { cookie } = await dash.signIn();
    const send = async (path: string, more: Readonly<Record<string, string>>) => {
      const { text } = await dash.dash(`GET ${path}`, { cookie });
      const action = path.replace(/\?.*/, '');
      const hidden = ['_form', 'key', 'before'].map((name) => [name, hiddenOf(text, action, name)]);
      const form = { ...Object.fromEntries(hidden), ...more };
      const made = await dash.dash(`POST ${action}`, { cookie, form });
      const line = /id="curl" class="whole">([^<]*)</.exec(made.text)?.[1] ?? '';
      const [, next = ''] =
        /href="\/tokens\/(tok_[0-9A-Z]+)"/.exec(made.text.split('id="curl"')[1] ?? '') ?? [];
      return { status: made.status, text: made.text, line, next };
    };
    const fields = { type: 'page', label: 'mine', 'attribute.user_id': 'u9', 'attribute.csrf': secret };
    const created = await send('/tokens/new?type=page', fields);
    expect([created.status, created.line]).toEqual([201, expect.stringContaining(`x-csrf: ${secret}`)]);
    expect(created.text).not.toContain(hiddenValue);
    const rotated = await send(`/tokens/${created.next}/rotate`, { overlap: '1h' });
    const regenerated = await send(`/tokens/${created.next}/regenerate`, {});
    for (const { status, text, line } of [rotated, regenerated]) {
      expect([status, line]).toEqual([201, expect.stringContaining(`x-csrf: ${hiddenValue}`)]);
      expect([/NOBODYS/.test(text), /Write the value of <code>csrf<\/code>/.test(text)]).toEqual([
        false,
        true,
      ]);
    }
  });

  test('nobody is told it by what a request of the token would get, nor whether a guess is right', async () => {
    const { cookie } = await dash.signIn();
    const { json } = await dash.ask('POST /v1/tokens', { body });
    const asked = async (csrf: string) => {
      const query = { method: 'POST', path: '/events', token: json.id, header: `X-CSRF: ${csrf}` };
      const { text } = await dash.dash(`GET /explain?${new URLSearchParams(query)}`, { cookie });
      const [, verdict] = /id="verdict">([^<]*)</.exec(text) ?? [];
      return { verdict, isRefused: text.includes('csrf_invalid'), isTold: /NOBODYS/.test(text) };
    };
    const refused = { verdict: 'Refused: ', isRefused: true };
    expect(await asked('WRONG')).toEqual({ ...refused, isTold: false });
    expect(await asked(secret)).toMatchObject(refused);
    const right = { verdict: 'Forwarded to ', isRefused: false, isTold: false };
    expect(await asked(hiddenValue)).toEqual(right);
  });
});

test('the command line shows it neither', async () => {
  const terminal = new Terminal(mcpConfig);
  const words = (csrf: string) => ['--attribute', 'user_id=u1', '--attribute', `csrf=${csrf}`];
  const made = await terminal.run('token', 'create', '--type', 'page', ...words(secret), '--json');
  const { id } = JSON.parse(made.stdout);
  const told = [made];
  told.push(await terminal.run('token', 'update', id, ...words(other)));
  for (const line of [
    `token show ${id}`,
    'token list',
    'token list --json',
    'audit list',
    'audit list --json',
  ]) {
    told.push(await terminal.run(...line.split(' ')));
  }
  for (const { code, stdout, stderr } of told) {
    expect([code, /NOBODYS/.test(stdout + stderr)]).toEqual([0, false]);
  }
});

test('whatever the names and values are, a secret is never among what is shown', () => {
  const name = fc.constantFrom('csrf', 'user_id', 'team', '__proto__', 'toString', 'without_secrets');
  const values = fc.dictionary(name, fc.oneof(fc.string(), fc.array(fc.string())));
  const secretOf = fc.option(name, { nil: null });
  const typeOf = (csrf: string | null) =>
    // biome-ignore lint/suspicious/noExplicitAny: nothing else of a type is looked at.
    (csrf === null ? {} : { csrf: { header: 'x-csrf', attribute: csrf } }) as any;
  // biome-ignore lint/suspicious/noExplicitAny: nothing else of a policy is looked at.
  const policyOf = (csrf: string | null) => ({ types: new Map([['t', typeOf(csrf)]]) }) as any;
  const shownOf = (detail: Readonly<Record<string, unknown>>, csrf: string | null) => {
    const { attributes, ...rest } = detailShown(JSON.parse(JSON.stringify(detail)), policyOf(csrf));
    expect(rest).toEqual({ label: 'l' });
    return new Map(Object.entries(attributes as object));
  };
  fc.assert(
    fc.property(values, secretOf, secretOf, (attributes, csrf, later) => {
      const given = new Map(Object.entries(attributes));
      const shown = new Map(Object.entries(attributesShown(given, typeOf(csrf))));
      const told = shownOf({ label: 'l', ...attributesTold(given, typeOf(csrf)) }, later);
      const old = shownOf({ label: 'l', attributes: Object.fromEntries(given) }, later);
      for (const [key, value] of given) {
        expect(shown.get(key)).toEqual(key === csrf ? hiddenValue : value);
        expect(told.get(key)).toEqual(key === csrf || key === later ? hiddenValue : value);
        expect(old.get(key)).toBe(hiddenValue);
      }
      const lost = attributesShown(given, undefined);
      expect(Object.values(lost).every((value) => value === hiddenValue)).toBe(true);
    }),
  );
});
