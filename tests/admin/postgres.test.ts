import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { deskConfig, Terminal } from './terminal.ts';

test('every command that needs a store works on a PostgreSQL that the config names', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const terminal = new Terminal(`${deskConfig}
store: { url: "${database.url}" }
pins:
  app: { kind: bundle_id, from: json:/app_id, belongs_to: attribute.project, when_missing: allow }
`);
  const { host, pathname } = new URL(database.url);
  const nothingYet = `there is no database yet at PostgreSQL ${host}${pathname}\n`;
  expect(await terminal.run('token', 'list')).toMatchObject({ code: 0, stderr: `${nothingYet}no tokens\n` });
  expect(await terminal.run('pin', 'show', 'app', 'project=prj_a')).toMatchObject({
    code: 1,
    stderr: `error: ${nothingYet}`,
  });

  const created = await terminal.json(
    ...['token', 'create', '--type', 'project', '--attribute', 'project=prj_a', '--label', 'build'],
  );
  expect(created.token).toMatch(/^prj_/);
  expect((await terminal.json('token', 'list')).tokens).toMatchObject([{ id: created.id, label: 'build' }]);
  expect((await terminal.run('token', 'revoke', created.id, '--reason', 'leaked')).code).toBe(0);
  expect(await terminal.json('token', 'show', created.id)).toMatchObject({ revoked_reason: 'leaked' });

  const key = ['app', 'project=prj_a'];
  expect(await terminal.json('pin', 'set', ...key, 'com.example.a')).toMatchObject({ version: 1 });
  expect((await terminal.json('pin', 'list')).pins).toMatchObject([{ value: 'com.example.a' }]);
  expect(await terminal.json('pin', 'show', ...key)).toMatchObject({ pinned_by: 'cli' });
  expect(await terminal.json('pin', 'reset', ...key)).toMatchObject({ before: 'com.example.a' });

  const { entries } = await terminal.json('audit', 'list');
  expect(
    entries.map(({ actor, action, subject }: Record<string, string>) => [actor, action, subject]),
  ).toEqual([
    ['cli', 'token.create', created.id],
    ['cli', 'token.revoke', created.id],
    ['cli', 'pin.change', 'project=prj_a'],
    ['cli', 'pin.reset', 'project=prj_a'],
  ]);
});
