// biome-ignore-all lint/suspicious/noExplicitAny: answers are what they are asked to be.
/** The audit's chain and the purges by the command line and the API, and what the log is told. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import { startAdmin } from '../fixtures/admin.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { deskConfig, Terminal } from './terminal.ts';

const dayMs = 86_400_000;

/** As the terminal, so many days later. */
async function later(terminal: Terminal, days: number, ...words: readonly string[]) {
  let stdout = '';
  const code = await run([...words, '--config', terminal.path('gateway.config.yaml'), '--json'], {
    env: {},
    out: (text) => {
      stdout += text;
    },
    err: () => {},
    colours: false,
    now: () => Date.now() + days * dayMs,
  });
  return { code, json: JSON.parse(stdout) };
}

const project = ['--type', 'project', '--attribute', 'project=p'];

test('the chain is kept by a key beside the file, that only its owner reads, and verify says so', async () => {
  const terminal = new Terminal();
  expect((await terminal.run('audit', 'verify')).stderr).toMatch(/^error: there is no database yet/);
  const { id } = await terminal.json('token', 'create', ...project);
  await terminal.run('token', 'revoke', id);
  const key = terminal.path('data/audit-key');
  expect(statSync(key).mode & 0o777).toBe(0o600);
  const text = readFileSync(key, 'utf8').trim();
  expect(text.length).toBe(64);
  expect(readFileSync(terminal.path('data/postern.db')).includes(text)).toBe(false);
  const view = await terminal.json('audit', 'verify');
  expect(view).toMatchObject({
    ok: true,
    rows: 2,
    first: { seq: 1 },
    head: { seq: 2 },
    unsealed: 0,
    flaw: null,
  });
  const head = `${view.head.seq}:${view.head.mac}`;
  expect(await terminal.run('audit', 'verify', '--head', head)).toMatchObject({
    code: 0,
    stdout: `2 rows follow one another, from 1 of ${view.first.at} to ${head}\n`,
  });
  const file = new Database(terminal.path('data/postern.db'));
  file.exec("update audit set actor = 'nobody' where seq = 1");
  file.close();
  const told = await terminal.run('audit', 'verify');
  expect(told.code).toBe(1);
  expect(told.stdout).toMatch(/^no rows follow one another\nat 1, aud_\w+: a row is not as it was sealed/);
  expect((await terminal.run('audit', 'verify', '--json')).code).toBe(1);
  expect(await terminal.run('audit', 'verify', '--head', 'x')).toMatchObject({ code: 2 });
});

test('a key that is lost, short or not to be read is refused in words, and nothing is written unsealed', async () => {
  const terminal = new Terminal();
  await terminal.json('token', 'create', ...project);
  const key = terminal.path('data/audit-key');
  const text = readFileSync(key, 'utf8');
  rmSync(key);
  const lost = await terminal.run('audit', 'verify');
  expect(lost.stderr).toBe(
    "error: the audit's key ./data/audit-key cannot be read: it is not there, and nothing was changed; start the gateway, or put the key back\n",
  );
  expect((await terminal.run('audit', 'list')).code).toBe(0);
  expect(existsSync(key)).toBe(false);
  writeFileSync(key, 'short', { mode: 0o600 });
  const short = await terminal.run('token', 'create', ...project);
  expect([short.code, short.stderr]).toEqual([
    1,
    "error: the audit's key ./data/audit-key cannot be read: it is shorter than 32 bytes, and nothing was changed; put the right one back\n",
  ]);
  writeFileSync(key, text);
  chmodSync(key, 0o600);
  expect(await terminal.json('audit', 'verify')).toMatchObject({ ok: true, rows: 1 });
});

test('on PostgreSQL a key of the config keeps the chain; without one there is none, and verify says so', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const store = `store: { url: "${database.url}" }\n`;
  const terminal = new Terminal(deskConfig + store);
  await terminal.json('token', 'create', ...project);
  expect(await terminal.json('audit', 'verify')).toMatchObject({
    ok: false,
    rows: 0,
    unsealed: 1,
    flaw: { code: 'no_key', message: expect.stringMatching(/write audit: \{ key/) },
  });
  const keyed = new Terminal(`${deskConfig}${store}audit: { key: { file: key } }\n`);
  keyed.write('key', 'k'.repeat(40));
  expect(await keyed.json('audit', 'verify')).toMatchObject({ ok: false, flaw: { code: 'not_begun' } });
  await keyed.json('token', 'create', ...project);
  expect(await keyed.json('audit', 'verify')).toMatchObject({ ok: true, rows: 3, unsealed: 0 });
  await keyed.write(
    'gateway.config.yaml',
    `${deskConfig}${store}audit: { key: [{ file: next }, { file: key }] }\n`,
  );
  keyed.write('next', 'n'.repeat(40));
  await keyed.json('token', 'create', ...project);
  expect(await keyed.json('audit', 'verify')).toMatchObject({ ok: true, rows: 4 });
});

test('purges take what is old enough, on trial first, and the chain goes on', async () => {
  const terminal = new Terminal();
  const { id } = await terminal.json('token', 'create', ...project);
  await terminal.json('token', 'create', ...project);
  await terminal.run('token', 'revoke', id);
  expect(await terminal.json('token', 'purge')).toMatchObject({ purged: 0 });
  const trial = await later(terminal, 91, 'token', 'purge', '--dry-run');
  expect(trial.json).toMatchObject({ purged: 1, dry_run: true });
  expect((await terminal.json('token', 'list')).tokens).toHaveLength(2);
  expect((await later(terminal, 91, 'token', 'purge')).json).toMatchObject({ purged: 1 });
  expect((await terminal.json('token', 'list')).tokens).toHaveLength(1);
  expect((await later(terminal, 91, 'audit', 'purge', '--dry-run')).json).toMatchObject({ purged: 3 });
  expect((await later(terminal, 91, 'audit', 'purge')).json).toMatchObject({ purged: 3 });
  expect(await terminal.json('audit', 'verify')).toMatchObject({ ok: true, rows: 2, first: { seq: 4 } });
  for (const what of ['audit', 'token']) {
    const soon = await terminal.run(what, 'purge', '--before', '23h');
    expect(soon).toMatchObject({
      code: 1,
      stderr: 'error: that is too short a time ago; write at least 1d\n',
    });
  }
});

test('a row that may hide the same token under another salt stays, and every face says so', async () => {
  const terminal = new Terminal();
  const secret = 'old_abcdefgh-and-more';
  const rows = [1, 2].map(() => ({
    ...{ type: 'legacy', bcrypt: hashSync(secret, 4), lookup: secret.slice(0, 12) },
  }));
  terminal.write('rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await terminal.run('token', 'import', '--file', terminal.path('rows.jsonl'));
  const [first, second] = (await terminal.json('token', 'list')).tokens;
  await terminal.run('token', 'revoke', first.id);
  const left = { purged: 0, left_out: { alike: 1, peppered: 0 } };
  expect((await later(terminal, 91, 'token', 'purge', '--dry-run')).json).toMatchObject(left);
  expect((await later(terminal, 91, 'token', 'purge')).json).toMatchObject(left);
  const file = new Database(terminal.path('data/postern.db'));
  file.prepare('update tokens set revoked_at = 1 where id = ?').run(first.id);
  const said =
    '1 stays: another token may be the same one under another hash; revoke that one too, if nobody needs it\n';
  const words = await terminal.run('token', 'purge', '--dry-run');
  expect(words.stdout).toMatch(/^0 tokens from before .* would be purged\n/);
  expect(words.stdout.endsWith(said)).toBe(true);
  await terminal.run('token', 'revoke', second.id);
  file.prepare('update tokens set revoked_at = 1').run();
  file.close();
  expect(await terminal.json('token', 'purge')).toMatchObject({
    purged: 2,
    left_out: { alike: 0, peppered: 0 },
  });
  const { entries } = await terminal.json('audit', 'list', '--subject', 'tokens');
  expect(entries[0].detail).toMatchObject({ purged: 2, left_out: { alike: 0, peppered: 0 } });
});

test('tokens of operators are not purged: whether there was one says whether the first is to be made', async () => {
  const terminal = new Terminal();
  const { id } = await terminal.json('token', 'create', '--type', 'postern_admin', '--scope', 'tokens:read');
  await terminal.run('token', 'revoke', id);
  expect((await later(terminal, 91, 'token', 'purge')).json).toMatchObject({ purged: 0 });
  expect((await terminal.json('token', 'list')).tokens).toHaveLength(1);
});

test('the API judges and purges as the command line does, each by its scope', async () => {
  const admin = await startAdmin();
  onTestFinished(() => admin.gateway.stop());
  const { id } = (
    await admin.ask('POST /v1/tokens', { body: { type: 'project', attributes: { project: 'p' } } })
  ).json;
  const verdict = (await admin.ask('GET /v1/audit/verify')).json;
  expect(verdict).toMatchObject({ ok: true, unsealed: 0, flaw: null });
  const { head } = verdict;
  expect((await admin.ask(`GET /v1/audit/verify?head=${head.seq}:${head.mac}`)).json.ok).toBe(true);
  expect((await admin.ask(`GET /v1/audit/verify?head=${head.seq + 1}:${head.mac}`)).json.flaw.code).toBe(
    'head_missing',
  );
  expect((await admin.ask('GET /v1/audit/verify?head=1')).status).toBe(400);
  const old = new Database(join(admin.gateway.folder, 'data/postern.db'));
  old.prepare('update tokens set revoked_at = 1 where id = ?').run(id);
  old.close();
  expect((await admin.ask('POST /v1/tokens/purge?dry_run=true', { body: {} })).json).toMatchObject({
    purged: 1,
    dry_run: true,
  });
  expect((await admin.ask('POST /v1/tokens/purge', { body: { before: '1d' } })).json.purged).toBe(1);
  expect((await admin.ask('POST /v1/tokens/purge', { body: { before: '1h' } })).status).toBe(400);
  expect((await admin.ask('POST /v1/audit/purge', { body: {} })).json.purged).toBe(0);
  const reader = await admin.mint('audit:read', 'tokens:read');
  const as = { token: reader.token, body: {} };
  expect((await admin.ask('POST /v1/audit/purge', as)).status).toBe(403);
  expect((await admin.ask('POST /v1/tokens/purge', as)).status).toBe(403);
  expect((await admin.ask('GET /v1/audit/verify', { token: reader.token })).status).toBe(200);
});

test('the log is told where the chain ends, at the start and at the end, and a head of it is found again', async () => {
  const admin = await startAdmin();
  const { head } = (await admin.ask('GET /v1/audit/verify')).json;
  await admin.gateway.running.stop();
  const heads: any[] = admin.gateway.lines.filter(({ event }) => event === 'audit_head');
  expect(heads.at(-1)).toMatchObject(head);
  expect(admin.gateway.logText()).not.toContain(
    readFileSync(join(admin.gateway.folder, 'data/audit-key'), 'utf8').trim(),
  );
  rmSync(admin.gateway.folder, { recursive: true, force: true });
});
