/** Dry runs: everything is checked, the answer is what would be, and nothing is left behind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminFixture, adminConfig, startAdmin } from '../fixtures/admin.ts';
import { createTestDatabase, type TestDatabase } from '../fixtures/postgres.ts';

const kinds = ['SQLite', 'PostgreSQL'] as const;

describe.each(kinds)('a dry run on %s', (kind) => {
  let admin: AdminFixture;
  let database: TestDatabase | null = null;
  beforeAll(async () => {
    database = kind === 'PostgreSQL' ? await createTestDatabase() : null;
    const store = database === null ? '' : `\nstore: { url: "${database.url}" }`;
    admin = await startAdmin(adminConfig, `admin: { address: 127.0.0.1:0 }${store}`);
  });
  afterAll(async () => {
    await admin.gateway.stop();
    await database?.drop();
  });

  const user = { type: 'user', scopes: ['events:read'], attributes: { team: 't', projects: ['a'] } };
  /** All that there is, as anybody could see it. */
  async function everything() {
    const lines = ['tokens?limit=1000', 'pins', 'audit?limit=1000', 'probes?for=prj_a'];
    const all = await Promise.all(lines.map(async (line) => (await admin.ask(`GET /v1/${line}`)).json));
    return JSON.stringify(all, (key, value) => (key === 'last_used_at' ? null : value));
  }

  /** What a change says on a dry run and then for good, with ids, times and secrets left out. */
  async function bothWays(line: string, body: unknown = {}) {
    const before = await everything();
    const dry = (await admin.ask(`${line}?dry_run=true`, { body })).json;
    expect(await everything()).toBe(before);
    const done = (await admin.ask(line, { body })).json;
    const alike = ({
      dry_run: _dry,
      token: _token,
      trigger_token: _trigger,
      ...rest
    }: Record<string, unknown>) =>
      JSON.stringify(rest)
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
        .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'uuid')
        .replaceAll(/tok_[0-9A-Z]{26}/g, 'tok_')
        .replaceAll(/_[0-9A-Za-z]{4}\.\.\./g, '_...');
    expect(alike(dry)).toBe(alike(done));
    expect(dry.dry_run).toBe(true);
    expect(done).not.toHaveProperty('dry_run');
    return done;
  }

  test('says of each change what it would be', async () => {
    const { id } = await bothWays('POST /v1/tokens', user);
    await bothWays(`PATCH /v1/tokens/${id}`, {
      label: 'y',
      attributes: { projects: ['b'] },
      expires_in: '1d',
    });
    await bothWays(`POST /v1/tokens/${id}/disable`);
    await bothWays(`POST /v1/tokens/${id}/enable`);
    await bothWays(`POST /v1/tokens/${id}/rotate`, { overlap: '1h' });
    const { replaced } = await bothWays('POST /v1/tokens/regenerate', {
      ...user,
      attributes: { projects: ['b'] },
    });
    expect(replaced).toHaveLength(2);
    await bothWays(`POST /v1/tokens/${id}/revoke`, { reason: 'over' });
    const pin = '/v1/pins/app/project%3Dprj_a';
    for (const value of ['com.a', 'com.b', 'com.b']) await bothWays(`PUT ${pin}`, { value });
    await bothWays(`POST ${pin}/reset`);
    await bothWays(`PUT ${pin}`, { value: 'com.c' });
    const { activation_id } = await bothWays('POST /v1/probes', { for: 'prj_a', label_pattern: 'x' });
    await bothWays(`POST /v1/probes/${activation_id}/deactivate`, { for: 'prj_a' });
  });

  test('refuses what would be refused', async () => {
    const { token } = await admin.mint('tokens:write', 'tokens:read');
    const tries: readonly (readonly [string, unknown, number])[] = [
      ['POST /v1/tokens', { type: 'nothing' }, 400],
      ['POST /v1/tokens', { type: 'postern_admin', scopes: ['audit:read'] }, 403],
      ['POST /v1/tokens/tok_none/revoke', {}, 404],
    ];
    for (const [line, body, status] of tries) {
      expect((await admin.ask(`${line}?dry_run=true`, { body, token })).status).toBe(status);
    }
    const { id } = (await admin.ask('POST /v1/tokens', { body: user })).json;
    await admin.ask(`POST /v1/tokens/${id}/revoke`, { body: {} });
    for (const verb of ['rotate', 'enable', 'disable']) {
      expect((await admin.ask(`POST /v1/tokens/${id}/${verb}?dry_run=true`, { body: {} })).status).toBe(409);
    }
  });

  test('is asked for in so many words, and only where something would change', async () => {
    for (const asked of ['1', 'yes', '', 'TRUE']) {
      expect((await admin.ask(`POST /v1/tokens?dry_run=${asked}`, { body: user })).status).toBe(400);
    }
    expect((await admin.ask('GET /v1/tokens?dry_run=true')).status).toBe(400);
    expect((await admin.ask('POST /v1/tokens?dry_run=false', { body: user })).json.token).toMatch(/^usr_/);
  });
});
