/** What every command says: JSON where nobody reads, an example in its help, and of a failure one line that says what to do. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import { wholeConfig } from '../fixtures/admin.ts';
import { deskConfig, Terminal } from './terminal.ts';

const helpOf = async (path: readonly string[]) => {
  let said = '';
  const out = (text: string) => {
    said += text;
  };
  await run([...path, '--help'], { env: {}, out, err: out, colours: false, now: Date.now });
  return said;
};

/** Every command that does something, by its words. */
async function leaves(path: readonly string[] = []): Promise<readonly (readonly string[])[]> {
  const help = await helpOf(path);
  const [, list = ''] = /\nCommands:\n(.*?)(?:\n\n|$)/s.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
  const below = await Promise.all(names.map((name) => leaves([...path, name])));
  const does = names.length === 0 || help.includes('\nExample:');
  return [...(does ? [path] : []), ...below.flat()];
}

let commands: readonly (readonly string[])[];
beforeAll(async () => {
  commands = await leaves();
  expect(commands.length).toBeGreaterThan(30);
});

const remedy = /^error: [^\n]+; [^\n]+\n$/;

test('the help of every command ends with an example of it that is understood', async () => {
  for (const path of commands) {
    const help = await helpOf(path);
    const [, example = ''] = /\nExample:\n {2}postern (.*)\n$/.exec(help) ?? [];
    expect(example, path.join(' ')).toMatch(new RegExp(`^${path.join(' ')}\\b`));
    const options = [...example.matchAll(/ (--[a-z-]+)/g)].map(([, option = '']) => option);
    for (const option of options) expect(help, example).toContain(option);
  }
});

test('which version it is can be asked, for messages that speak of it', async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  for (const word of ['--version', '-V']) {
    expect(await new Terminal().here(word)).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  }
});

test('every command says in one line what to do about an option or a word it does not know', async () => {
  const terminal = new Terminal();
  for (const path of commands) {
    for (const more of [['--nothing-like-it'], ['--confg', 'x'], ['a', 'b', 'c', 'd', 'e']]) {
      if (path[0] === 'scan' && more[0] === 'a') continue;
      const told = await terminal.here(...path, ...more);
      expect([told.code, told.stdout], [...path, ...more].join(' ')).toEqual([2, '']);
      expect(told.stderr, [...path, ...more].join(' ')).toMatch(remedy);
    }
  }
});

test.each<[number, ...string[]]>([
  [2, 'chek'],
  [2, 'token', 'creat'],
  [2, 'token', 'create'],
  [2, 'token', 'create', '--type'],
  [2, 'token', 'list', '--limit', '1001'],
  [2, 'token', 'list', '--attribute', 'a=b'],
  [2, 'token', 'rotate', 'x', '--overlap', '1 day'],
  [1, 'token', 'show', 'tok_x'],
  [1, 'token', 'import', '--file', './none'],
  [1, 'pin', 'import', '--file', './none'],
  [1, 'pin', 'show', 'nothing', 'project=a'],
  [1, 'pin', 'reset', 'app', 'project=a'],
  [2, 'probe', 'list'],
  [2, 'probe', 'activate', '--for', 'a', '--label-pattern', 'x', '--ttl', 'x'],
  [1, 'probe', 'deactivate', '--for', 'a', 'x'],
  [1, 'usage', 'tok_x'],
  [2, 'usage', '--by', 'weather'],
  [2, 'usage', '--since', '10'],
  [2, 'audit', 'list', '--limit', 'x'],
  [2, 'explain', 'get', '/'],
  [2, 'explain', 'GET', '/', '--body-file', './none'],
  [2, 'explain', 'GET', '/', '--nth', '0'],
  [1, 'matrix', '--check', './none'],
  [2, 'matrix', '--json', '--markdown'],
  [2, 'scan'],
  [2, 'scan', '.', '--max-bytes', 'x'],
  [2, 'scan', '.', '--offline', '--revoke'],
  [1, 'scan', '.', '--types', 'nothing'],
  [2, 'mcp', '--allow', 'everything'],
  [2, 'serve', '--listen', '8080'],
  [2, 'demo', '--port', '65536'],
  [2, 'token', 'list', '--json', '--table'],
])('%d, and in one line what to do: %s %s %s %s %s', async (code, ...words) => {
  const terminal = new Terminal(wholeConfig);
  await terminal.run('token', 'create', '--type', 'user');
  const told = await terminal.run(...words);
  expect([told.code, told.stdout]).toEqual([code, '']);
  expect(told.stderr).toMatch(remedy);
});

test('a store that cannot be used is told in one line with what to do, by every command that needs it', async () => {
  const broken = new Terminal(`${deskConfig}store: { url: "sqlite:./broken.db" }\n`);
  broken.write('broken.db', 'this is no database'.repeat(100));
  const lost = new Terminal(`${deskConfig}store: { url: "postgres://u@127.0.0.1:9/x" }\n`);
  for (const terminal of [broken, lost]) {
    for (const words of [['token', 'list'], ['token', 'revoke', 'tok_x'], ['audit', 'list'], ['usage']]) {
      const told = await terminal.run(...words);
      expect([told.code, told.stdout]).toEqual([1, '']);
      expect(told.stderr, words.join(' ')).toMatch(remedy);
    }
  }
});

describe('where stdout is no terminal', () => {
  test('what lists or shows is JSON, as with --json; with --table it is what a terminal gets', async () => {
    const terminal = new Terminal(wholeConfig);
    const { id } = await terminal.json('token', 'create', '--type', 'user', '--label', 'x');
    await terminal.run('pin', 'set', 'app', 'project=a', 'com.a');
    await terminal.run('probe', 'activate', '--for', 'a', '--label-pattern', 'x');
    for (const words of [
      ['token', 'list'],
      ['token', 'show', id],
      ['pin', 'list'],
      ['pin', 'show', 'app', 'project=a'],
      ['probe', 'list', '--for', 'a'],
      ['alerts'],
      ['audit', 'list'],
      ['audit', 'verify'],
      ['matrix'],
      ['explain', 'GET', '/status'],
    ]) {
      const [piped, json, table] = [
        await terminal.piped(...words),
        await terminal.run(...words, '--json'),
        await terminal.run(...words),
      ];
      expect(piped, words.join(' ')).toEqual(json);
      expect(JSON.parse(piped.stdout)).toBeTypeOf('object');
      expect(await terminal.piped(...words, '--table')).toEqual(table);
      expect(table.stdout).not.toBe(json.stdout);
    }
    const usage = await terminal.piped('usage', '--by', 'token');
    expect(JSON.parse(usage.stdout)).toMatchObject({ rows: [] });
    expect((await terminal.piped('usage', '--table')).stderr).toMatch(/^no requests since /);
  });

  test('a change is told as it is on a terminal, and a token stands alone, for scripts to catch', async () => {
    const terminal = new Terminal(wholeConfig);
    const made = await terminal.piped('token', 'create', '--type', 'user');
    expect(made.stdout).toMatch(/^usr_[0-9A-Za-z]{48}\n$/);
    const id = made.stderr.slice(0, 30);
    expect((await terminal.piped('token', 'disable', id)).stdout).toBe(`${id} is disabled\n`);
    expect((await terminal.piped('matrix', '--markdown')).stdout).toMatch(/^\| Row \|/);
  });

  test('nothing is coloured, and an import shows how far it is only to a person', async () => {
    const terminal = new Terminal();
    const digest = (index: number) => index.toString(16).padStart(64, '0');
    const rows = Array.from({ length: 40 }, (_, index) =>
      JSON.stringify({ type: 'user', sha256: digest(index) }),
    );
    const file = terminal.write('rows.jsonl', rows.join('\n'));
    let now = 0;
    const told = async (err: boolean) => {
      let stderr = '';
      await run(['token', 'import', '--file', file, '--config', terminal.path('gateway.config.yaml')], {
        env: {},
        out: () => {},
        err: (text) => {
          stderr += text;
        },
        colours: false,
        terminal: { out: true, err, ask: null },
        // Each look at the clock is a while later.
        now: () => {
          now += 100;
          return now;
        },
      });
      return stderr;
    };
    expect(await told(true)).toMatch(/importing: \d+ rows.*\r\u001b\[K$/s);
    expect(await told(false)).toBe('');
    expect((await terminal.spawn('token', 'list', '--table')).stdout).not.toContain('\u001b');
  });
});
