import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import bcrypt from 'bcryptjs';
import { describe, expect, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { loaded } from '../fixtures/config.ts';
import { deskConfig, Terminal } from './terminal.ts';

const types = [...loaded(deskConfig).policy.types.values()];
const digest = (token: string) => createHash('sha256').update(token).digest('hex');
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const known = digest('usr_0123456789abcdef');
const oldToken = 'old_0123456789abcdef0123456789';

describe('postern token import', () => {
  test('takes tokens over by their hashes: they work, with what they were given', async () => {
    const terminal = new Terminal();
    const file = terminal.write(
      'rows.jsonl',
      lines([
        {
          type: 'user',
          sha256: known.toUpperCase(),
          external_id: '17',
          label: 'from before',
          scopes: ['events:read'],
          attributes: { projects: ['p1'], team: 'blue' },
          origins: ['https://A.example'],
          created_at: '2024-05-06T07:08:09+02:00',
          expires_at: '2030-01-01T00:00:00Z',
        },
        { type: 'legacy', bcrypt: bcrypt.hashSync(oldToken, 4), lookup: oldToken.slice(0, 12) },
      ]),
    );
    const told = await terminal.spawn('token', 'import', '--file', file, '--json');
    expect(told).toEqual({ code: 0, stdout: '{"imported":2,"skipped":0,"problems":[]}\n', stderr: '' });
    const [first] = (await terminal.json('token', 'list')).tokens;
    expect(first).toMatchObject({
      type: 'user',
      external_id: '17',
      label: 'from before',
      scopes: ['events:read'],
      attributes: { projects: ['p1'], team: 'blue' },
      origins: ['https://a.example'],
      created_at: '2024-05-06T05:08:09.000Z',
      expires_at: '2030-01-01T00:00:00.000Z',
    });
    const store = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
    try {
      expect(await store.find('usr_0123456789abcdef', types)).toMatchObject({ label: 'from before' });
      expect(await store.find(oldToken, types)).toMatchObject({ type: 'legacy', label: 'imported' });
    } finally {
      await store.close();
    }
  });

  test('skips what is there, so that it can run twice; more rows than one chunk go in', async () => {
    const terminal = new Terminal();
    const rows = Array.from({ length: 1201 }, (_, i) => ({ type: 'user', sha256: digest(`t${i}`) }));
    const file = terminal.write('rows.jsonl', lines(rows));
    const answers = [
      await terminal.json('token', 'import', '--file', file),
      await terminal.json('token', 'import', '--file', file),
    ];
    expect(answers).toEqual([
      { imported: 1201, skipped: 0, problems: [] },
      { imported: 0, skipped: 1201, problems: [] },
    ]);
  });

  test('says on a dry run what it would come to, and changes nothing: neither rows nor the audit, nor is a database made', async () => {
    const terminal = new Terminal();
    const rows = Array.from({ length: 1201 }, (_, i) => ({ type: 'user', sha256: digest(`t${i % 1190}`) }));
    const file = terminal.write('rows.jsonl', `${lines(rows)}{"type":"gone"}\n`);
    const line = ['token', 'import', '--file', file];
    const told = await terminal.run(...line, '--dry-run');
    expect([told.code, told.stdout]).toEqual([
      1,
      '1190 would be imported, 11 would be skipped, 1 would be refused\n',
    ]);
    expect(told.stderr).toMatch(/^\.\/rows\.jsonl:1202: unknown token type; [^\n]+\n$/);
    expect(existsSync(terminal.path('data'))).toBe(false);
    const first = terminal.write('first.jsonl', lines(rows.slice(0, 700)));
    await terminal.run('token', 'import', '--file', first);
    const before = await terminal.json('audit', 'list');
    const dry = await terminal.json(...line, '--dry-run');
    expect(dry).toMatchObject({ imported: 490, skipped: 711, dry_run: true });
    expect(await terminal.json('audit', 'list')).toEqual(before);
    const { dry_run: _, ...report } = dry;
    expect(await terminal.json(...line)).toEqual(report);
  });

  const hash = `$2b$04$${'a'.repeat(53)}`;

  test.each<[string, object | string, string]>([
    ['text that is not JSON', '{"type":', 'not JSON; write one JSON object a line'],
    ['a list', [1], 'type is missing; give type'],
    ['a number', '7', 'not a row; write a JSON object'],
    ['no type', { sha256: known }, 'type is missing; give type'],
    ['an unknown type', { type: 'usr', sha256: known }, 'unknown token type; did you mean "user"?'],
    ['an unknown key', { type: 'user', sha265: known }, 'unknown key; did you mean "sha256"?'],
    ['a short digest', { type: 'user', sha256: 'abc' }, 'sha256 is wrong; write 64 hex digits'],
    ['no hash', { type: 'user' }, 'not exactly one of sha256 and bcrypt; write one of them'],
    [
      'two hashes',
      { type: 'legacy', sha256: known, bcrypt: hash, lookup: 'old_01234567' },
      'not exactly one of sha256 and bcrypt; write one of them',
    ],
    [
      'bcrypt of a type kept otherwise',
      { type: 'user', bcrypt: hash, lookup: 'usr_01234567' },
      'tokens of type user are not kept as bcrypt; write hash: { use: bcrypt }',
    ],
    [
      'no lookup',
      { type: 'legacy', bcrypt: hash },
      'lookup is missing or has another length; write the first 12 characters of the token',
    ],
    [
      'a lookup of another type',
      { type: 'legacy', bcrypt: hash, lookup: 'usr_01234567' },
      'lookup starts with no prefix of the type, so nobody could use the token; tokens of type legacy start with old_',
    ],
    [
      'a bcrypt that would take minutes',
      { type: 'legacy', bcrypt: hash.replace('$04$', '$31$'), lookup: 'old_01234567' },
      'bcrypt is wrong; write a cost from 4 to 14',
    ],
    [
      'a missing attribute',
      { type: 'project', sha256: known },
      'tokens of type project need the attribute project; give project',
    ],
    [
      'an unknown attribute',
      { type: 'user', sha256: known, attributes: { taem: 'x' } },
      'tokens of type user have no attribute; did you mean "team"?',
    ],
    [
      'a scope nobody grants',
      { type: 'user', sha256: known, scopes: ['events:reed'] },
      'no token of type user can hold the scope; did you mean "events:read"?',
    ],
    [
      'a time without offset',
      { type: 'user', sha256: known, expires_at: '2030-01-01T00:00:00' },
      'expires_at is wrong; write a time such as 2026-01-31T12:00:00Z',
    ],
    [
      'a time that is none',
      { type: 'user', sha256: known, created_at: 5 },
      'created_at is wrong; write a time',
    ],
  ])('refuses %s, and the row after it goes in', async (_, row, message) => {
    const terminal = new Terminal();
    const text = typeof row === 'string' ? row : JSON.stringify(row);
    const good = JSON.stringify({ type: 'user', sha256: digest('good') });
    const file = terminal.write('rows.jsonl', `\n${text}\n${good}\n`);
    const told = await terminal.run('token', 'import', '--file', file, '--json');
    expect(told.code).toBe(1);
    expect(JSON.parse(told.stdout)).toEqual({ imported: 1, skipped: 0, problems: [{ line: 2, message }] });
  });

  test('repeats nothing of a row it refuses', async () => {
    const terminal = new Terminal();
    const bad = ['SECRET', '{"SECRET":1}', '{"type":"SECRET","sha256":"SECRET"}', '"SECRET"'];
    for (const key of ['sha256', 'bcrypt', 'lookup', 'external_id', 'scopes', 'attributes', 'origins']) {
      for (const value of ['SECRET\n', ['SECRET'], { SECRET: 'SECRET' }]) {
        bad.push(JSON.stringify({ type: 'user', sha256: known, [key]: value }));
      }
    }
    const file = terminal.write('rows.jsonl', `${bad.join('\n')}\n`);
    const told = await terminal.run('token', 'import', '--file', file);
    expect(told.stdout).toBe(`0 imported, 0 skipped, ${bad.length} refused\n`);
    expect(told.stderr.split('\n')).toHaveLength(bad.length + 1);
    expect(told.stderr).not.toContain('SECRET');
  });

  test('of a file that cannot be read is refused, and makes no database', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('token', 'import', '--file', terminal.path('none'))).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: cannot read ./none; give --file a file of JSON rows\n',
    });
  });
});
