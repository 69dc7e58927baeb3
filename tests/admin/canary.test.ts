/** Canaries through the operators' faces: made, marked and ended there, known nowhere else, and never made to live. */
import { expect, onTestFinished, test } from 'vitest';
import { startAdmin } from '../fixtures/admin.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { Terminal } from './terminal.ts';

const attributes = { project: 'a' };

test('the admin API makes one, marks it, and lets nobody make it live', async () => {
  const admin = await startAdmin();
  onTestFinished(() => admin.gateway.stop());
  const body = { type: 'project', label: 'bait', attributes, canary: true };
  const dry = await admin.ask('POST /v1/tokens?dry_run=true', { body });
  expect([dry.status, dry.json.state, dry.json.token]).toEqual([201, 'canary', null]);
  const { status, json } = await admin.ask('POST /v1/tokens', { body });
  expect([status, json.state, json.token.startsWith('prj_')]).toEqual([201, 'canary', true]);
  const listed = await admin.ask('GET /v1/tokens?type=project');
  expect(listed.json.tokens.map(({ state }: { state: string }) => state)).toEqual(['canary']);
  for (const way of ['rotate', 'disable', 'enable']) {
    const refused = await admin.ask(`POST /v1/tokens/${json.id}/${way}`, { body: {} });
    expect([refused.status, refused.json.code]).toEqual([409, 'state_conflict']);
  }
  const regenerated = await admin.ask('POST /v1/tokens/regenerate', {
    body: { type: 'project', attributes },
  });
  expect(regenerated.json).toMatchObject({ label: 'unnamed', replaced: [], state: 'active' });
  const { json: still } = await admin.ask(`PATCH /v1/tokens/${json.id}`, { body: { label: 'renamed' } });
  expect([still.state, still.label]).toEqual(['canary', 'renamed']);
  const { json: ended } = await admin.ask(`POST /v1/tokens/${json.id}/revoke`, { body: {} });
  expect(ended.state).toBe('revoked');
  const wrong = await admin.ask('POST /v1/tokens', { body: { ...body, canary: 'yes' } });
  expect(wrong.json).toMatchObject({ code: 'payload_invalid', detail: 'canary is not what it must be' });
});

test('the command line makes and imports them, and a scan finds them and leaves them in place', async () => {
  const terminal = new Terminal();
  const told = await terminal.run(
    ...['token', 'create', '--type', 'project', '--attribute', 'project=a', '--label', 'bait', '--canary'],
  );
  expect(told.stderr).toMatch(/^tok_\S+: canary of type project, "bait"\. It is shown this once:/);
  const token = told.stdout.trim();
  const rows = terminal.write(
    'rows.jsonl',
    `${JSON.stringify({ type: 'project', sha256: 'ab'.repeat(32), attributes, canary: true })}\n`,
  );
  expect(await terminal.json('token', 'import', '--file', rows)).toMatchObject({ imported: 1, problems: [] });
  const { tokens } = await terminal.json('token', 'list');
  expect(tokens.map(({ state }: { state: string }) => state)).toEqual(['canary', 'canary']);
  const file = terminal.write('app.env', `TOKEN=${token}\n`);
  const { findings } = await terminal.json('scan', file, '--revoke');
  expect(findings).toMatchObject([{ id: tokens[0].id, state: 'canary' }]);
  expect((await terminal.json('token', 'show', tokens[0].id)).revoked_at).toBeNull();
  const refused = await terminal.run('token', 'rotate', tokens[0].id);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('this token is a canary')]);
});

test('rows that serve tokens know of none', async () => {
  const gateway = await startTestGateway(`
upstreams: { app: { url: http://127.0.0.1:1 } }
token_types:
  user: { prefix: u_, scopes: [read] }
  key: { prefix: k_, scopes: [read], attributes: { project: required } }
scopes: { read: Read }
apis:
  main:
    to: app
    routes:
      GET /keys: { allow: { user: read }, serve: token.list, with: { type: key, attributes: { project: a } } }
      DELETE /keys/{id}: { allow: { user: read }, serve: token.revoke, with: { type: key, attributes: { project: a }, token: "{id}" } }
      POST /keys/{id}/rotate: { allow: { user: read }, serve: token.rotate, with: { type: key, attributes: { project: a }, token: "{id}" } }
`);
  onTestFinished(() => gateway.stop());
  const { token } = await gateway.mint('user');
  const { id: living } = await gateway.mint('key', { attributes });
  const type = gateway.running.config().policy.types.get('key');
  if (type === undefined) throw new Error('no such type');
  const { record } = await gateway.running.tokens.create({
    ...{ type, label: 'bait', scopes: ['read'], attributes: new Map(Object.entries(attributes)) },
    ...{ origins: [], expiresAt: null, createdBy: 'test', canary: true },
  });
  const ask = async (method: string, path: string) => {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(gateway.url + path, { method, headers });
    return { status: response.status, json: JSON.parse(await response.text()) };
  };
  const { json } = await ask('GET', '/keys');
  expect(json.tokens.map(({ id }: { id: string }) => id)).toEqual([living]);
  expect((await ask('DELETE', `/keys/${record.id}`)).status).toBe(404);
  expect((await ask('POST', `/keys/${record.id}/rotate`)).status).toBe(404);
  expect((await gateway.running.tokens.byId(record.id))?.revokedAt).toBeNull();
});
