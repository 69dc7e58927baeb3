// biome-ignore-all lint/suspicious/noExplicitAny: rows are what they are asked to be.
/** `postern token export`: what one store gives, another takes, and tokens of every kind work there as they did here. */
import { createHash } from 'node:crypto';
import bcrypt from 'bcryptjs';
import { expect, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import { checkState } from '../../policy/checks/state.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { loaded } from '../fixtures/config.ts';
import { typeOf } from '../support/policy.ts';
import { Terminal } from './terminal.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const config = `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  plain: { prefix: pl_, grantable: [a:read, a:write], attributes: { project: required, teams: list } }
  idle: { prefix: id_, scopes: [], unused_for: 90d }
  fixed: { prefix: fx_, checksum: required, scopes: [a:read] }
  keyed: { prefix: pk_, hash: { use: sha256, pepper: [{ file: pepper }] }, scopes: [] }
  moving: { prefix: mv_, hash: { use: sha256, pepper: [{ file: pepper }, none] }, scopes: [] }
  hashed: { prefix: bc_, hash: { use: bcrypt, cost: 4 }, issue: { length: 40 }, scopes: [] }
  found: { prefix: bf_, hash: { use: bcrypt, cost: 4, then: sha256 }, issue: { length: 40 }, scopes: [] }
  piped: { format: id_pipe_random, hash: { use: sha256, pepper: [{ file: pepper }, none] }, scopes: [] }
scopes:
  a:read: Read
  a:write: Write
apis:
  main:
    to: app
    routes:
      GET /: { allow: { plain: any_scope, fixed: any_scope, keyed: any_scope, moving: any_scope, hashed: any_scope, found: any_scope, piped: any_scope } }
`;

const types = ['plain', 'fixed', 'keyed', 'moving', 'hashed', 'found', 'piped'];

function terminal(): Terminal {
  const made = new Terminal(config);
  made.write('pepper', 'kept beside the config for this test');
  return made;
}

async function atStore<T>(desk: Terminal, work: (find: (token: string) => Promise<any>) => Promise<T>) {
  const { policy, peppers } = loaded(config, {}, desk.path('gateway.config.yaml'));
  const store = await openSqliteTokens({ path: desk.path('data/postern.db'), now: Date.now, peppers });
  try {
    return await work(async (token) => store.find(token, [...policy.types.values()]));
  } finally {
    await store.close();
  }
}

/** One of each type, and one of each that came in otherwise; `found` was found once, so that it has its digest too. */
async function filled(desk: Terminal): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (const type of types) {
    const more = type === 'plain' ? ['--scope', 'a:read', '--attribute', 'project=p'] : [];
    tokens.push((await desk.json('token', 'create', '--type', type, ...more, '--label', type)).token);
  }
  const old = `bf_${'x'.repeat(30)}`;
  const rows = [
    { type: 'found', bcrypt: bcrypt.hashSync(old, 4), lookup: old.slice(0, 12) },
    { type: 'moving', sha256: digest('mv_0123456789abcdef') },
    { type: 'piped', sha256: digest('random part'), external_id: '7' },
  ];
  desk.write('rows.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await desk.json('token', 'import', '--file', desk.path('rows.jsonl'));
  await atStore(desk, async (find) => expect(await find(tokens[5] ?? '')).not.toBeNull());
  return [...tokens, old, 'mv_0123456789abcdef', '7|random part'];
}

async function moved(from: Terminal, to: Terminal, ...words: readonly string[]) {
  const { stdout, code, stderr } = await from.run('token', 'export', ...words);
  expect([code, stderr]).toEqual([0, '']);
  to.write('moved.jsonl', stdout);
  const rows: any[] = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  return { rows, report: await to.json('token', 'import', '--file', to.path('moved.jsonl')) };
}

/** All of a record but what is of the store it is in. */
function alike({ id: _, createdBy, version, revokedBy, ...record }: any) {
  return record;
}

test('what one store gives another takes, and every token works there, of whatever kind', async () => {
  const [here, there] = [terminal(), terminal()];
  const tokens = await filled(here);
  const { rows, report } = await moved(here, there);
  expect(report).toEqual({ imported: tokens.length, skipped: 0, problems: [] });
  const text = JSON.stringify(rows);
  for (const token of tokens) expect(text).not.toContain(token.split('|').at(-1)?.slice(12) || token);
  const before = await atStore(here, (find) => Promise.all(tokens.map(find)));
  const after = await atStore(there, (find) => Promise.all(tokens.map(find)));
  expect(before.every((one) => one !== null)).toBe(true);
  expect(after.map(alike)).toEqual(before.map(alike));
  const again = await moved(here, there);
  expect(again.report).toEqual({ imported: 0, skipped: tokens.length, problems: [] });
  expect((await moved(there, terminal())).rows).toHaveLength(tokens.length);
});

test('the dead stay behind, unless all are asked for; then they are as dead there', async () => {
  const [here, there, other] = [terminal(), terminal(), terminal()];
  const make = async (...words: readonly string[]) =>
    here.json('token', 'create', '--type', 'fixed', ...words);
  const [lives, revoked, disabled, rotated, expiring] = [
    await make(),
    await make(),
    await make(),
    await make(),
    await make('--expires-in', '1h'),
  ];
  await here.run('token', 'revoke', revoked.id, '--reason', 'leaked');
  await here.run('token', 'disable', disabled.id);
  const successor = await here.json('token', 'rotate', rotated.id, '--overlap', '1h');
  const states = async (desk: Terminal) =>
    atStore(desk, async (find) => {
      const all = [lives, revoked, disabled, rotated, expiring, successor];
      return Promise.all(all.map(async ({ token }) => find(token)));
    });
  const { rows } = await moved(here, there);
  expect(rows).toHaveLength(5);
  const living = await states(there);
  expect(living.map((one) => one !== null)).toEqual([true, false, true, true, true, true]);
  expect(living[2].disabledAt).toBeGreaterThan(0);
  expect(living[3].retireAt).toBeGreaterThan(0);
  expect(living[4].expiresAt).toBeGreaterThan(0);
  expect((await moved(here, other, '--all')).rows).toHaveLength(6);
  const dead = (await states(other))[1];
  expect(dead).toMatchObject({ revokedReason: 'leaked', revokedBy: 'cli' });
  expect(dead.revokedAt).toBe((await states(here))[1].revokedAt);
  // Where it was revoked, no older export makes it live again; nor where it was purged.
  await there.run('token', 'revoke', (await states(there))[0].id);
  expect((await moved(here, there)).report).toMatchObject({ imported: 0 });
  expect((await states(there))[0].revokedAt).toBeGreaterThan(0);
});

test('a canary of any type is one there too, and never becomes another token, there or where it was', async () => {
  const [here, there] = [terminal(), terminal()];
  const tokens: string[] = [];
  for (const type of types) {
    const more = type === 'plain' ? ['--scope', 'a:read', '--attribute', 'project=p'] : [];
    tokens.push((await here.json('token', 'create', '--type', type, ...more, '--canary')).token);
  }
  const canaries = (desk: Terminal) =>
    atStore(desk, async (find) => (await Promise.all(tokens.map(find))).map((one) => one?.canary));
  const { rows } = await moved(here, there);
  expect(await canaries(there)).toEqual(types.map(() => true));
  const living = rows.map(({ canary: _, ...row }) => `${JSON.stringify(row)}\n`).join('');
  for (const desk of [here, there]) {
    desk.write('living.jsonl', living);
    const report = await desk.json('token', 'import', '--file', desk.path('living.jsonl'));
    expect(report).toMatchObject({ imported: 0, skipped: types.length });
    expect(await canaries(desk)).toEqual(types.map(() => true));
  }
});

test('what has ended because nobody used it is as dead as that, and gets no new time elsewhere', async () => {
  const [here, there] = [terminal(), terminal()];
  const made = await here.json('token', 'create', '--type', 'idle');
  const lasting = await here.json('token', 'create', '--type', 'idle', '--expires-in', '30d');
  const now = Date.now() + 91 * 86_400_000;
  const exportedLater = async (...words: readonly string[]) => {
    let text = '';
    const out = (part: string) => {
      text += part;
    };
    const desk = { env: {}, out, err: () => {}, colours: false, now: () => now };
    await run(['token', 'export', ...words, '--config', here.path('gateway.config.yaml')], desk);
    there.write('idle.jsonl', text);
    return text.split('\n').filter((line) => line !== '').length;
  };
  expect((await moved(here, terminal())).rows).toHaveLength(2);
  expect(await exportedLater()).toBe(0);
  expect(await exportedLater('--all')).toBe(2);
  await there.json('token', 'import', '--file', there.path('idle.jsonl'));
  const found = await atStore(there, (find) => Promise.all([made.token, lasting.token].map(find)));
  const type = typeOf({ unused: { forMs: 90 * 86_400_000, leewayMs: 0 } });
  for (const token of found) expect(checkState({ token, type, now })?.code).toBe('token_expired');
  expect(found[0].expiresAt).toBeLessThan(now);
  expect(new Date(found[1].expiresAt).toISOString()).toBe(lasting.expires_at);
});

test('an export is told in the audit before its first row, and can be narrowed', async () => {
  const desk = terminal();
  const of = (project: string) => ['--type', 'plain', '--attribute', `project=${project}`];
  for (const project of ['a', 'a', 'b']) await desk.json('token', 'create', ...of(project));
  await desk.json('token', 'create', '--type', 'fixed');
  await desk.json('token', 'create', '--type', 'postern_admin', '--scope', 'tokens:read');
  const rowsOf = async (...words: readonly string[]) => {
    const { stdout } = await desk.run('token', 'export', ...words);
    return stdout.split('\n').filter((line) => line !== '');
  };
  expect(await rowsOf(...of('a'))).toHaveLength(2);
  expect(await rowsOf('--type', 'fixed')).toHaveLength(1);
  const whole = await desk.run('token', 'export');
  expect(whole.stderr).toBe("4 tokens exported; 1 left out: operators' own, or of a type the config lacks\n");
  const { entries } = await desk.json('audit', 'list', '--subject', 'tokens');
  const left_out = { alike: 0, peppered: 0 };
  expect(entries.map(({ action, detail }: any) => [action, detail])).toEqual([
    ['token.export', { tokens: 2, type: 'plain', attributes: { project: 'a' }, all: false, left_out }],
    ['token.export', { tokens: 1, type: 'fixed', attributes: {}, all: false, left_out }],
    ['token.export', { tokens: 4, type: null, attributes: {}, all: false, left_out }],
  ]);
  expect(await desk.run('token', 'export', '--attribute', 'project=a')).toMatchObject({ code: 2 });
  expect(await desk.run('token', 'export', '--type', 'plane')).toMatchObject({ code: 1 });
});

test.each([
  [{ type: 'plain', digest: digest('x') }, 'tokens of type plain are kept without a pepper; write sha256'],
  [
    { type: 'keyed', digest: digest('x'), sha256: digest('y') },
    'not exactly one of sha256 and bcrypt; write one of them',
  ],
  [
    { type: 'fixed', sha256: digest('x'), preview: 'fx_12345...' },
    'preview is wrong; write the prefix, at most 4 characters more, and ...',
  ],
  [{ type: 'keyed', digest: 'r:' }, 'digest is wrong; write 64 hex digits'],
  [
    { type: 'fixed', sha256: digest('x'), revoked_at: 'yesterday' },
    'revoked_at is wrong; write a time such as 2026-01-31T12:00:00Z',
  ],
])('a row that nobody can have exported is refused: %o', async (row, message) => {
  const desk = terminal();
  desk.write('rows.jsonl', JSON.stringify(row));
  const { problems } = await desk.json('token', 'import', '--file', desk.path('rows.jsonl'));
  expect(problems).toEqual([{ line: 1, message }]);
});
