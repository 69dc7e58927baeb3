import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { loaded } from '../fixtures/config.ts';
import { deskConfig, Terminal } from './terminal.ts';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const dayMs = 86_400_000;

/** Every byte the store has on disk. */
function bytesOnDisk(terminal: Terminal): string {
  const names = readdirSync(terminal.path('data'));
  return names.map((name) => readFileSync(terminal.path(`data/${name}`), 'latin1')).join('');
}

describe('postern token create', () => {
  test('makes a token with all that was asked for', async () => {
    const told = await new Terminal().spawn(
      ...['token', 'create', '--type', 'user', '--label', 'build server', '--json', '--expires-in', '90d'],
      ...['--scope', 'events:read', '--attribute', 'projects=p1', '--attribute', 'projects=p2'],
      ...['--origin', 'https://B.example:443', '--origin', 'https://a.example'],
    );
    expect(told).toMatchObject({ code: 0, stderr: '' });
    const token = JSON.parse(told.stdout);
    expect(token).toMatchObject({
      id: expect.stringMatching(/^tok_[0-9A-Z]{26}$/),
      type: 'user',
      label: 'build server',
      token: expect.stringMatching(/^usr_[0-9A-Za-z]{48}$/),
      preview: `${token.token.slice(0, 8)}...`,
      scopes: ['events:read'],
      attributes: { projects: ['p1', 'p2'] },
      origins: ['https://a.example', 'https://b.example'],
      created_at: expect.stringMatching(time),
      expires_at: expect.stringMatching(time),
    });
    const livesMs = Date.parse(token.expires_at) - Date.parse(token.created_at);
    expect(Math.abs(livesMs - 90 * dayMs)).toBeLessThan(1000);
  });

  test('prints the token alone on stdout, so that a script can catch it', async () => {
    const told = await new Terminal().run('token', 'create', '--type', 'project', '--attribute', 'project=a');
    expect(told.code).toBe(0);
    expect(told.stdout).toMatch(/^prj_[0-9A-Za-z]{48}\n$/);
    expect(told.stderr).toMatch(
      /^tok_[0-9A-Z]{26}: token of type project, "unnamed". It is shown this once:\n$/,
    );
  });

  test('one with many scopes makes no other line of the list longer', async () => {
    const terminal = new Terminal();
    const scopes = ['tokens:read', 'tokens:write', 'pins:read', 'audit:read', 'config:read', 'usage:read'];
    const words = scopes.flatMap((scope) => ['--scope', scope]);
    await terminal.run('token', 'create', '--type', 'postern_admin', ...words);
    await terminal.run('token', 'create', '--type', 'user', '--scope', 'events:read');
    const { stdout } = await terminal.run('token', 'list', '--table');
    const [header = '', admin = '', user = ''] = stdout.split('\n');
    expect(header).toMatch(/ EXPIRES +SCOPES$/);
    expect(admin.endsWith(scopes.join(' '))).toBe(true);
    expect(user).toMatch(/ never +never +events:read$/);
  });

  test('keeps the plaintext nowhere: not in the database, not in list or show', async () => {
    const terminal = new Terminal();
    const secrets: string[] = [];
    for (const type of ['user', 'legacy']) {
      const { id, token } = await terminal.json('token', 'create', '--type', type);
      secrets.push(token);
      const shown = await terminal.run('token', 'show', id);
      const listed = await terminal.run('token', 'list');
      expect(shown.stdout + listed.stdout).toContain(token.slice(0, 8));
      expect(shown.stdout + shown.stderr + listed.stdout + listed.stderr).not.toContain(token);
    }
    const bytes = bytesOnDisk(terminal);
    expect(bytes).toContain(
      createHash('sha256')
        .update(secrets[0] ?? '')
        .digest('hex'),
    );
    for (const secret of secrets) expect(bytes).not.toContain(secret);
  });

  test('gives a type with fixed scopes those, and says so', async () => {
    const args = ['token', 'create', '--type', 'project', '--attribute', 'project=a'];
    expect(await new Terminal().json(...args)).toMatchObject({ scopes: ['events:write'], expires_at: null });
  });

  test('makes a database that others cannot read', async () => {
    const terminal = new Terminal();
    await terminal.run('token', 'create', '--type', 'user');
    expect(statSync(terminal.path('data/postern.db')).mode & 0o077).toBe(0);
  });

  test.each([
    [1, 'unknown token type "projct"; did you mean "project"?', ['--type', 'projct']],
    [1, 'tokens of type project need the attribute project; give project', ['--type', 'project']],
    [
      1,
      'tokens of type project have no attribute "projet"; did you mean "project"?',
      ['--type', 'project', '--attribute', 'projet=1'],
    ],
    [
      1,
      'the scopes of type project are fixed; leave them out; it has events:write',
      ['--type', 'project', '--attribute', 'project=1', '--scope', 'events:write'],
    ],
    [
      1,
      'no token of type user can hold the scope "events:raed"; did you mean "events:read"?',
      ['--type', 'user', '--scope', 'events:raed'],
    ],
    [
      1,
      'not an origin "a.example"; write scheme://host[:port]: https://app.example.com',
      ['--type', 'user', '--origin', 'a.example'],
    ],
    [1, 'not a label; use 1 to 120 printable characters', ['--type', 'user', '--label', '']],
    [
      1,
      'a token cannot expire then; give a time from now, such as 90d',
      ['--type', 'user', '--expires-in', '0d'],
    ],
    [
      1,
      'a token cannot expire then; give a time from now, such as 90d',
      ['--type', 'user', '--expires-in', '100000000d'],
    ],
    [
      2,
      '"90 days" is not a duration; write a number and a unit: 500ms, 10s, 5m, 24h or 7d',
      ['--type', 'user', '--expires-in', '90 days'],
    ],
  ])('exits %i with one line: %s', async (code, words, args) => {
    const terminal = new Terminal();
    expect(await terminal.run('token', 'create', ...args)).toEqual({
      code,
      stdout: '',
      stderr: `error: ${words}\n`,
    });
  });
});

describe('postern token list', () => {
  test('is empty where there is no database, and makes none', async () => {
    const terminal = new Terminal();
    expect(await terminal.run('token', 'list', '--json')).toEqual({
      code: 0,
      stdout: '{"tokens":[],"next":null}\n',
      stderr: '',
    });
    expect(await terminal.run('token', 'list')).toMatchObject({
      code: 0,
      stderr: 'there is no database yet at ./data/postern.db\nno tokens\n',
    });
    expect(existsSync(terminal.path('data'))).toBe(false);
  });

  test('goes page by page, and by type', async () => {
    const terminal = new Terminal();
    for (const label of ['one', 'two', 'three']) {
      await terminal.run('token', 'create', '--type', 'user', '--label', label);
    }
    await terminal.run(
      'token',
      'create',
      '--type',
      'project',
      '--attribute',
      'project=a',
      '--label',
      'other',
    );
    const labels = (page: { tokens: { label: string }[] }) => page.tokens.map(({ label }) => label);
    const first = await terminal.json('token', 'list', '--limit', '2', '--type', 'user');
    expect(labels(first)).toEqual(['one', 'two']);
    const second = await terminal.json(
      ...['token', 'list', '--limit', '2', '--type', 'user', '--after', first.next],
    );
    expect(labels(second)).toEqual(['three']);
    expect(second.next).toBeNull();
    const told = await terminal.run('token', 'list', '--limit', '3');
    expect(told.stdout.split('\n').map((line) => line.split(/ {2,}/)[2])).toEqual([
      ...['LABEL', 'one', 'two', 'three', undefined],
    ]);
    expect(told.stderr).toMatch(/^there are more: --after tok_[0-9A-Z]{26}\n$/);
  });

  test.each([
    [1, ['--type', 'usr'], 'error: unknown token type "usr"; did you mean "user"?\n'],
    [2, ['--limit', '0'], 'error: "0" is not how many; write a number from 1 to 1000\n'],
    [2, ['--limit', '1001'], 'error: "1001" is not how many; write a number from 1 to 1000\n'],
  ])('exits %i for %j', async (code, args, stderr) => {
    expect(await new Terminal().run('token', 'list', ...args)).toEqual({ code, stdout: '', stderr });
  });
});

describe('postern token revoke', () => {
  test('ends a token for every process, and the first time stays', async () => {
    const terminal = new Terminal();
    const { id, token } = await terminal.json('token', 'create', '--type', 'user');
    const gateway = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
    try {
      const types = [...loaded(deskConfig).policy.types.values()];
      expect(await gateway.find(token, types)).toMatchObject({ id, revokedAt: null });
      const told = await terminal.spawn('token', 'revoke', id, '--reason', 'lost laptop', '--json');
      const record = JSON.parse(told.stdout);
      expect(record).toMatchObject({
        id,
        state: 'revoked',
        revoked_at: expect.stringMatching(time),
        revoked_by: 'cli',
        revoked_reason: 'lost laptop',
      });
      expect(await gateway.find(token, types)).toMatchObject({ revokedAt: Date.parse(record.revoked_at) });
      expect(await terminal.json('token', 'revoke', id, '--reason', 'again')).toEqual(record);
      expect(await terminal.json('token', 'show', id)).toEqual(record);
    } finally {
      await gateway.close();
    }
  });

  test('of an id nobody has is refused, and makes no database', async () => {
    const terminal = new Terminal();
    for (const command of ['revoke', 'show']) {
      expect(await terminal.run('token', command, 'tok_0', '--json')).toEqual({
        code: 1,
        stdout: '',
        stderr: 'error: no token has this id; find it with token list; an id starts with tok_\n',
      });
    }
    expect(existsSync(terminal.path('data'))).toBe(false);
  });
});

describe('a database that cannot be trusted', () => {
  test.each([['list'], ['create', '--type', 'user'], ['revoke', 'tok_0']])(
    'is refused in one line, and left as it is: %s',
    async (...args) => {
      const terminal = new Terminal(`${deskConfig}store: { url: "sqlite:./broken.db" }\n`);
      const file = terminal.write('broken.db', 'this is no database, and was somebody’s file'.repeat(100));
      const before = readFileSync(file);
      const told = await terminal.run('token', ...args);
      expect(told).toMatchObject({ code: 1, stdout: '' });
      expect(told.stderr).toMatch(/^error: \.\/broken\.db is damaged: .*\n$/);
      expect(readFileSync(file)).toEqual(before);
    },
  );
});

describe('a terminal that lacks what only the gateway reaches', () => {
  const elsewhere = deskConfig
    .replace('url: http://127.0.0.1:9001', 'url: { env: NO_APP }')
    .replace('identity:\n', 'identity:\n  assertion: { key: { env: NO_KEY } }\n')
    .replace('limits:\n', 'redis: { url: { env: NO_REDIS } }\nlimits:\n')
    .replace('per: [token] }', 'per: [token], on_redis_down: local }');

  test('can still make, list and revoke tokens, and check still tells what is missing', async () => {
    const terminal = new Terminal(elsewhere);
    const { id } = await terminal.json('token', 'create', '--type', 'project', '--attribute', 'project=p1');
    expect((await terminal.json('token', 'list')).tokens).toHaveLength(1);
    expect(await terminal.run('token', 'revoke', id)).toMatchObject({ code: 0, stderr: '' });
    const { problems } = await terminal.json('check');
    expect(problems.map(({ message }: { message: string }) => message)).toEqual([
      'the environment variable NO_APP is not set',
      'the environment variable NO_REDIS is not set',
      'the environment variable NO_KEY is not set',
    ]);
  });

  test('cannot where the store or a pepper is what is missing', async () => {
    const noStore = elsewhere.replace('version: 1', 'version: 1\nstore: { url: { env: NO_STORE } }');
    const noPepper = elsewhere.replace(
      'prefix: prj_,',
      'prefix: prj_, hash: { use: sha256, pepper: [{ env: NO_PEPPER }] },',
    );
    for (const [config, missing] of [
      [noStore, 'NO_STORE'],
      [noPepper, 'NO_PEPPER'],
    ] as const) {
      const told = await new Terminal(config).run('token', 'list');
      expect(told).toMatchObject({ code: 78, stdout: '' });
      expect(told.stderr).toContain(`the environment variable ${missing} is not set`);
      expect(told.stderr).not.toContain('NO_KEY');
    }
  });
});
