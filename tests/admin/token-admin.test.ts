/** Admin tokens by the command line, which is at the machine and may make any. */
import { createHash } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { adminConfig, startAdmin, wholeConfig } from '../fixtures/admin.ts';
import { Terminal } from './terminal.ts';

const create = ['token', 'create', '--type', 'postern_admin'];

test('one that the command line makes works beside a running gateway, and ends with its revoke', async () => {
  const terminal = new Terminal(wholeConfig);
  const store = `store: { url: "sqlite:${terminal.path('data/postern.db')}" }`;
  const admin = await startAdmin(adminConfig, `admin: { address: 127.0.0.1:0 }\n${store}`);
  onTestFinished(() => admin.gateway.stop());
  const { id, token, scopes } = await terminal.json(
    ...create,
    '--scope',
    'tokens:read',
    '--label',
    'deploys',
  );
  expect(token).toMatch(/^postern_admin_[0-9A-Za-z]{48}$/);
  expect(scopes).toEqual(['tokens:read']);
  expect((await admin.ask('GET /v1/whoami', { token })).json).toMatchObject({ id, created_by: 'cli' });
  const rotated = await terminal.json('token', 'rotate', id, '--overlap', '0s');
  expect((await admin.ask('GET /v1/whoami', { token })).status).toBe(401);
  expect((await admin.ask('GET /v1/whoami', { token: rotated.token })).status).toBe(200);
  const { tokens } = await terminal.json('token', 'list', '--type', 'postern_admin');
  expect(tokens.map((one: { id: string }) => one.id)).toEqual(expect.arrayContaining([id, rotated.id]));
  await terminal.run('token', 'revoke', rotated.id);
  expect((await admin.ask('GET /v1/whoami', { token: rotated.token })).status).toBe(401);
});

test('none has a scope that is not one of theirs, is regenerated, or comes by an import', async () => {
  const terminal = new Terminal(wholeConfig);
  const odd = await terminal.run(...create, '--scope', 'events:write');
  expect([odd.code, odd.stderr]).toEqual([
    1,
    expect.stringContaining('no token of type postern_admin can hold'),
  ]);
  const regenerated = await terminal.run('token', 'regenerate', '--type', 'postern_admin');
  expect([regenerated.code, regenerated.stderr]).toEqual([1, expect.stringContaining('end them all')]);
  const digest = createHash('sha256')
    .update(`postern_admin_${'a'.repeat(48)}`)
    .digest('hex');
  const file = terminal.write('rows.jsonl', JSON.stringify({ type: 'postern_admin', sha256: digest }));
  const imported = await terminal.json('token', 'import', '--file', file);
  expect([imported.imported, imported.problems.length]).toEqual([0, 1]);
});

test('no row, fixture or question has one: to the config the type is unknown', async () => {
  const terminal = new Terminal(wholeConfig);
  const told = await terminal.run('explain', 'GET', '/events', '--as', 'postern_admin');
  expect([told.code, told.stderr]).toEqual([2, expect.stringContaining('unknown token type')]);
  const open = wholeConfig.replace(
    'allow: { user: events:read',
    'allow: { postern_admin: any_scope, user: events:read',
  );
  expect((await new Terminal(open).run('check')).code).toBe(78);
});
