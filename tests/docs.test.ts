/** The words around the gate hold: commands do what they say, links lead somewhere, tables are whole. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../gateway/admin/cli.ts';
import { loadConfig } from '../gateway/config/load.ts';
import { formatProblem } from '../gateway/config/problems.ts';
import { type RefusalCode, statusOf } from '../gateway/refusals.ts';

const root = resolve(import.meta.dirname, '..');
const notOurs = new Set(['node_modules', '.git', 'data', 'coverage', 'package-lock.json']);

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

const read = (path: string) => readFileSync(resolve(root, path), 'utf8');
const files = filesUnder(root);
const pages = files.filter((path) => path.endsWith('.md'));

/** As the platforms that show Markdown make anchors of headings. */
function anchorsOf(page: string): readonly string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^a-z0-9 _-]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the pages', () => {
  test('link only to what is there', () => {
    const broken = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
        .filter(([, target = '', anchor]) => {
          const path = target === '' ? page : resolve(dirname(page), target);
          if (!existsSync(path)) return true;
          return anchor !== undefined && !anchorsOf(path).includes(anchor);
        })
        .map(([link]) => `${relative(root, page)}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  test('name only files and folders that are there', () => {
    const gone = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\b(?:gateway|policy|store|tests|docs)\/[\w./-]*\w/g)]
        .filter(([path]) => !existsSync(resolve(root, path)))
        .map(([path]) => `${relative(root, page)}: ${path}`),
    );
    expect(gone).toEqual([]);
  });

  test('name every dependency with its reason', () => {
    const page = read('docs/decisions/0005-dependencies.md');
    const { dependencies } = JSON.parse(read('package.json'));
    expect(Object.keys(dependencies).filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  const page = read('docs/cli.md');
  const shellOf = (out: (text: string) => void) => ({
    env: {},
    out,
    err: out,
    colours: false,
    now: Date.now,
  });
  const help = async (...words: readonly string[]) => {
    let said = '';
    await run(
      [...words, '--help'],
      shellOf((text) => (said += text)),
    );
    return said;
  };
  const listed = (said: string) =>
    [...(/\nCommands:\n(.*?)(?:\n\n|$)/s.exec(said)?.[1] ?? '').matchAll(/^ {2}([a-z]+) /gm)].map(
      ([, name = '']) => name,
    );

  test('has a chapter for every command, with its words', async () => {
    const commands = listed(await help()).filter((name) => name !== 'help');
    expect(commands.length).toBeGreaterThan(8);
    for (const command of commands) {
      const [, chapter = ''] = page.split(`\n## ${command}\n`);
      const own = chapter.split('\n## ')[0] ?? '';
      expect(own, command).toContain(`postern ${command}`);
      const said = await help(command);
      const under = said.includes('Commands:') ? listed(said) : [];
      expect(under.filter((name) => name !== 'help' && !own.includes(`\`${name}\``))).toEqual([]);
      if (!['serve', 'check', 'matrix', 'diff', 'explain'].includes(command)) continue;
      const options = [...said.matchAll(/^ {2}(--[a-z]+)/gm)].map(([, name = '']) => name);
      const general = ['--config', '--url', '--insecure', '--json', '--table'];
      expect(options.filter((name) => !general.includes(name) && !own.includes(name))).toEqual([]);
    }
  });

  const lines = [...page.matchAll(/^postern (.*?) +# exits (\d+)$/gm)].map(([, words = '', code]) => ({
    words,
    code: Number(code),
  }));

  test.each(lines)('postern $words', async ({ words, code }) => {
    const here = words.replaceAll(/(\S+\.(?:yaml|md))/g, join(root, '$1')).split(' ');
    const config = here.includes('--config') ? [] : ['--config', join(root, 'gateway.config.yaml')];
    expect(
      await run(
        [...here, ...config],
        shellOf(() => {}),
      ),
    ).toBe(code);
  });
});

describe('the refusals in docs/walk.md', () => {
  const table = [...read('docs/walk.md').matchAll(/^\| `([a-z_]+)` \| (\d{3}) \|/gm)];

  test('are all there are, each with its status', () => {
    const [, source = ''] = /const entries = \{(.*?)\n\} as const/s.exec(read('gateway/refusals.ts')) ?? [];
    const codes = [...source.matchAll(/^ {2}([a-z_]+):/gm)].map(([, code]) => code as RefusalCode);
    expect(codes.length).toBeGreaterThan(25);
    expect(table.map(([, code, status]) => `${code} ${status}`).sort()).toEqual(
      codes.map((code) => `${code} ${statusOf(code)}`).sort(),
    );
  });
});

describe('every file', () => {
  test('speaks of no machine of ours and of no private registry', () => {
    const forbidden = [['', 'work', ''].join('/'), ['', 'root', ''].join('/'), ['registry', ''].join('.')];
    const telling = files.filter((path) => {
      if (statSync(path).size > 1_000_000) return false;
      const text = readFileSync(path, 'utf8');
      return forbidden.some((word) => text.includes(word));
    });
    expect(telling.map((path) => relative(root, path))).toEqual([]);
    expect(
      read('package-lock.json').match(/"resolved": "(?!https:\/\/registry\.npmjs\.org\/)[^"]*/g),
    ).toBeNull();
  });
});

describe('the shipped gateway.config.yaml', () => {
  const loading = loadConfig(join(root, 'gateway.config.yaml'), {});

  test('loads, and warns of nothing but the missing Redis', () => {
    if (!loading.ok) throw new Error(loading.problems.map(formatProblem).join('\n'));
    expect(loading.config.warnings.map(({ message }) => message.slice(0, 8))).toEqual(['no redis']);
  });

  test('tells editors its schema in the first line', () => {
    const [, schema = ''] =
      /^# yaml-language-server: \$schema=(\S+)\n/.exec(read('gateway.config.yaml')) ?? [];
    expect(existsSync(resolve(root, schema))).toBe(true);
  });

  test('has fixtures that let through and that refuse on every row that asks for a token', () => {
    if (!loading.ok) return expect.unreachable('it does not load');
    const { policy, fixtures } = loading.config;
    for (const route of policy.routes.filter(({ access }) => access !== 'public')) {
      const own = fixtures.filter(({ method, target }) =>
        policy.find('localhost', target).some((match) => match.route === route && method === route.method),
      );
      expect(
        own.some(({ expect }) => expect === 'forward'),
        `${route.id}: a yes`,
      ).toBe(true);
      expect(
        own.some(({ expect }) => expect !== 'forward'),
        `${route.id}: a no`,
      ).toBe(true);
    }
  });
});

describe('the curl lines of the README, against the demo', () => {
  const lines = [...read('README.md').matchAll(/^(curl .*?) +# (\d{3})\b.*$/gm)].map(
    ([, command = '', status]) => ({ command, status: Number(status) }),
  );
  let demo: ChildProcess;
  let gateway = '';
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    demo = spawn(process.execPath, ['gateway/start.cjs', 'demo', '--json', '--port', '0'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (demo.stdout === null) throw new Error('the demo has no stdout');
    for await (const line of createInterface({ input: demo.stdout })) {
      if (!line.startsWith('{"gateway"')) continue;
      const ready = JSON.parse(line);
      gateway = new URL(ready.gateway).host;
      for (const [type, token] of Object.entries(ready.tokens)) tokens[type.toUpperCase()] = String(token);
      break;
    }
    demo.stdout.resume();
    if (gateway === '') throw new Error('the demo ended without saying where it listens');
  });

  afterAll(async () => {
    if (demo?.exitCode !== null || !demo.kill()) return;
    await once(demo, 'exit');
  });

  test('show the six statuses, once each', () => {
    expect(lines.map(({ status }) => status)).toEqual([200, 401, 403, 404, 405, 429]);
  });

  test.each(lines)('$status: $command', ({ command, status }) => {
    const here = command.replaceAll('127.0.0.1:8080', gateway);
    expect(here).not.toBe(command);
    const { stdout, stderr, error } = spawnSync('bash', ['-c', here], {
      env: { ...process.env, ...tokens },
      encoding: 'utf8',
    });
    if (error !== undefined) throw error;
    const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, code]) => Number(code));
    expect(statuses.at(-1), stderr).toBe(status);
  });

  test('use only token types that the demo has', () => {
    const used = lines.flatMap(({ command }) => [...command.matchAll(/\$([A-Z]+)/g)].map(([, name]) => name));
    expect(used.filter((name) => name === undefined || !(name in tokens))).toEqual([]);
  });
});
