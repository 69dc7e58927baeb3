import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { deskConfig, Terminal } from './terminal.ts';

test('every command that needs a store works on a PostgreSQL that the config names', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const probe =
    '  probe: { prefix: probe_, format: signed, use: annotate, sources: [header:X-Probe], key: { file: probe.key } }\n';
  const terminal = new Terminal(`${deskConfig.replace('scopes:\n  events', `${probe}scopes:\n  events`)}
store: { url: "${database.url}" }
pins:
  app: { kind: bundle_id, from: json:/app_id, belongs_to: attribute.project, when_missing: allow }
`);
  terminal.write('probe.key', 'the key of this test, 32 bytes and more');
  const { host, pathname } = new URL(database.url);
  const nothingYet = `there is no database yet at PostgreSQL ${host}${pathname}`;
  expect(await terminal.run('token', 'list')).toMatchObject({
    code: 0,
    stderr: `${nothingYet}\nno tokens\n`,
  });
  expect(await terminal.run('pin', 'show', 'app', 'project=prj_a')).toMatchObject({
    code: 1,
    stderr: `error: ${nothingYet}; start the gateway, or create a token\n`,
  });

  const created = await terminal.json(
    ...['token', 'create', '--type', 'project', '--attribute', 'project=prj_a', '--label', 'build'],
  );
  expect(created.token).toMatch(/^prj_/);
  expect((await terminal.json('token', 'list')).tokens).toMatchObject([{ id: created.id, label: 'build' }]);
  const leaked = terminal.write('leaked', `token: ${created.token}`);
  expect((await terminal.json('scan', leaked)).findings).toMatchObject([{ id: created.id, state: 'active' }]);
  expect((await terminal.run('token', 'revoke', created.id, '--reason', 'leaked')).code).toBe(0);
  expect(await terminal.json('token', 'show', created.id)).toMatchObject({ revoked_reason: 'leaked' });

  const key = ['app', 'project=prj_a'];
  expect(await terminal.json('pin', 'set', ...key, 'com.example.a')).toMatchObject({ version: 1 });
  expect((await terminal.json('pin', 'list')).pins).toMatchObject([{ value: 'com.example.a' }]);
  expect(await terminal.json('pin', 'show', ...key)).toMatchObject({ pinned_by: 'cli' });
  expect(await terminal.json('pin', 'reset', ...key)).toMatchObject({ before: 'com.example.a' });

  const of = ['--for', 'prj_a'];
  const { activation_id: id, trigger_token: trigger } = await terminal.json(
    ...['probe', 'activate', ...of, '--label-pattern', '*'],
  );
  expect(trigger).toMatch(/^probe_/);
  expect((await terminal.json('probe', 'list', ...of)).activations).toMatchObject([{ activation_id: id }]);
  expect((await terminal.run('probe', 'deactivate', ...of, id)).code).toBe(0);

  const { entries } = await terminal.json('audit', 'list');
  expect(
    entries.map(({ actor, action, subject }: Record<string, string>) => [actor, action, subject]),
  ).toEqual([
    ['cli', 'token.create', created.id],
    ['cli', 'token.revoke', created.id],
    ['cli', 'pin.change', 'project=prj_a'],
    ['cli', 'pin.reset', 'project=prj_a'],
    ['cli', 'probe.activate', id],
    ['cli', 'probe.deactivate', id],
  ]);
});
