/** `postern token rotate|regenerate|update|disable|enable` and `list --attribute`, as scripts use them. */
import { describe, expect, test } from 'vitest';
import { Terminal } from './terminal.ts';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const project = ['--type', 'project', '--attribute', 'project=a'];

const made = async (terminal: Terminal, ...more: string[]) =>
  terminal.json('token', 'create', ...project, ...more);

/** The states of a project's tokens, oldest first. */
async function states(terminal: Terminal, attribute = 'project=a'): Promise<readonly string[]> {
  const { tokens } = await terminal.json('token', 'list', '--type', 'project', '--attribute', attribute);
  return tokens.map(({ state }: { state: string }) => state);
}

describe('postern token rotate', () => {
  test('prints the successor once, and until when the token itself works', async () => {
    const terminal = new Terminal();
    const old = await made(terminal, '--label', 'sdk');
    const next = await terminal.json('token', 'rotate', old.id, '--overlap', '2h');
    expect(next).toMatchObject({
      type: 'project',
      label: 'sdk',
      token: expect.stringMatching(/^prj_[0-9A-Za-z]{48}$/),
      created_by: 'cli',
      rotated: { id: old.id, rotated_to: next.id, retire_at: expect.stringMatching(time) },
    });
    expect(await states(terminal)).toEqual(['active', 'active']);
    expect((await terminal.run('token', 'show', next.id)).stdout).not.toContain(next.token);
    const last = await terminal.run('token', 'rotate', next.id, '--overlap', '0s');
    expect(last.stdout).toMatch(/^prj_[0-9A-Za-z]{48}\n$/);
    expect(last.stderr).toMatch(
      /^tok_\w+: successor of tok_\w+, which works no more\. It is shown this once:\n$/,
    );
    expect(await states(terminal)).toEqual(['active', 'revoked', 'active']);
  });

  test('is refused for one that has a successor, is revoked, or is not there', async () => {
    const terminal = new Terminal();
    const old = await made(terminal);
    const next = await terminal.json('token', 'rotate', old.id);
    expect(await terminal.run('token', 'rotate', old.id)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `error: this token has a successor already; rotate that one: ${next.id}\n`,
    });
    await terminal.run('token', 'revoke', next.id);
    expect(await terminal.run('token', 'rotate', next.id)).toMatchObject({
      code: 1,
      stderr: 'error: this token cannot be rotated; it is not alive; create one\n',
    });
    expect(await terminal.run('token', 'rotate', 'tok_x')).toMatchObject({ code: 1 });
    expect(await terminal.run('token', 'rotate', next.id, '--overlap', 'long')).toMatchObject({ code: 2 });
    expect(await terminal.run('token', 'rotate', next.id, '--overlap', '4000d')).toMatchObject({
      code: 1,
      stderr: 'error: that is too long a time; write at most 3650d\n',
    });
  });
});

describe('postern token regenerate', () => {
  test('ends all of them and prints the one that lives', async () => {
    const terminal = new Terminal();
    const [a, b] = [await made(terminal, '--label', 'a'), await made(terminal, '--label', 'b')];
    await terminal.json('token', 'create', '--type', 'project', '--attribute', 'project=other');
    const told = await terminal.json('token', 'regenerate', ...project);
    expect(told).toMatchObject({ label: 'b', token: expect.stringMatching(/^prj_/), replaced: [a.id, b.id] });
    expect(await states(terminal)).toEqual(['revoked', 'revoked', 'active']);
    expect(await states(terminal, 'project=other')).toEqual(['active']);
    const graced = await terminal.run('token', 'regenerate', ...project, '--grace', '1h');
    expect(graced.stderr).toMatch(new RegExp(`instead of ${told.id}\\. It is shown this once:\\n$`));
    expect(await states(terminal)).toEqual(['revoked', 'revoked', 'active', 'active']);
  });

  test('makes the first where there is no database yet, and keeps to the rules of the type', async () => {
    const terminal = new Terminal();
    expect(await terminal.json('token', 'regenerate', ...project)).toMatchObject({
      label: 'unnamed',
      replaced: [],
    });
    const without = await terminal.run('token', 'regenerate', '--type', 'project');
    expect(without).toMatchObject({ code: 1, stdout: '' });
    expect(without.stderr).toContain('need the attribute project');
    const fixed = await terminal.run('token', 'regenerate', ...project, '--scope', 'events:write');
    expect(fixed.stderr).toContain('the scopes of type project are fixed');
    const chosen = await terminal.json('token', 'regenerate', '--type', 'user', '--scope', 'events:read');
    expect(chosen.scopes).toEqual(['events:read']);
    expect((await terminal.json('token', 'regenerate', '--type', 'user')).scopes).toEqual(['events:read']);
  });
});

describe('postern token list', () => {
  test('says when a token ends that has a successor, or expires before that', async () => {
    const terminal = new Terminal();
    const ends = async (id: string): Promise<string | undefined> => {
      const { stdout } = await terminal.run('token', 'list');
      return stdout
        .split('\n')
        .find((line) => line.startsWith(id))
        ?.split(/ {2,}/)
        .at(-2);
    };
    const minute = (time: string): string => `${time.slice(0, 10)} ${time.slice(11, 16)}Z`;
    const endless = await made(terminal);
    expect(await ends(endless.id)).toBe('never');
    const { rotated } = await terminal.json('token', 'rotate', endless.id, '--overlap', '2h');
    expect(await ends(endless.id)).toBe(minute(rotated.retire_at));
    const long = await made(terminal, '--expires-in', '90d');
    const longRotated = (await terminal.json('token', 'rotate', long.id, '--overlap', '3h')).rotated;
    expect(await ends(long.id)).toBe(minute(longRotated.retire_at));
    const short = await made(terminal, '--expires-in', '1h');
    expect(await ends(short.id)).toBe(minute(short.expires_at));
    await terminal.json('token', 'rotate', short.id, '--overlap', '5h');
    expect(await ends(short.id)).toBe(minute(short.expires_at));
  });
});

describe('postern token update', () => {
  test('changes what is given and nothing else', async () => {
    const terminal = new Terminal();
    const { id } = await made(terminal, '--origin', 'https://a.example', '--expires-in', '90d');
    const first = await terminal.json('token', 'update', id, '--label', 'new', '--no-expiry');
    expect(first).toMatchObject({
      label: 'new',
      expires_at: null,
      origins: ['https://a.example'],
      version: 2,
    });
    const second = await terminal.json(
      'token',
      'update',
      id,
      '--no-origins',
      '--expires-in',
      '1d',
      '--attribute',
      'project=b',
    );
    expect(second).toMatchObject({
      label: 'new',
      origins: [],
      attributes: { project: 'b' },
      expires_at: expect.stringMatching(time),
    });
    expect(await states(terminal)).toEqual([]);
    expect(await states(terminal, 'project=b')).toEqual(['active']);
    const origins = await terminal.json(
      'token',
      'update',
      id,
      '--origin',
      'https://b.example/',
      '--origin',
      'https://b.example',
    );
    expect(origins.origins).toEqual(['https://b.example']);
  });

  test('says what cannot be, and changes nothing', async () => {
    const terminal = new Terminal();
    const { id } = await made(terminal);
    const wrong: readonly (readonly [readonly string[], string])[] = [
      [[], 'nothing to change'],
      [['--label', ''], 'not a label'],
      [['--origin', 'a.example'], 'not an origin'],
      [['--attribute', 'team=x'], 'have no attribute'],
      [['--expires-in', '0s'], 'a token cannot expire then'],
    ];
    for (const [options, words] of wrong) {
      const told = await terminal.run('token', 'update', id, ...options);
      expect(told).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(words) });
    }
    expect(await terminal.json('token', 'show', id)).toMatchObject({ version: 1 });
  });
});

test('postern token disable and enable: refused until it is enabled again; a revoked one stays revoked', async () => {
  const terminal = new Terminal();
  const { id } = await made(terminal);
  expect(await terminal.run('token', 'disable', id)).toMatchObject({
    code: 0,
    stdout: `${id} is disabled\n`,
  });
  expect(await states(terminal)).toEqual(['disabled']);
  expect(await terminal.json('token', 'enable', id)).toMatchObject({
    id,
    state: 'active',
    disabled_at: null,
  });
  await terminal.run('token', 'revoke', id);
  expect(await terminal.run('token', 'disable', id)).toMatchObject({
    code: 1,
    stderr: 'error: this token is revoked, and stays as it is; create another\n',
  });
  const { entries } = await terminal.json('audit', 'list');
  expect(entries.map(({ action }: { action: string }) => action)).toEqual([
    'token.create',
    'token.disable',
    'token.enable',
    'token.revoke',
  ]);
});

test('postern token list: attributes are of a type', async () => {
  const told = await new Terminal().run('token', 'list', '--attribute', 'project=a');
  expect(told).toMatchObject({ code: 2, stderr: 'error: attributes of no type; add --type\n' });
});
