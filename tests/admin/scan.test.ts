/** `postern scan` at its command line: what it tells, what it never tells, how it ends, what it revokes. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import type { Seat } from '../../gateway/admin/cli-shell.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { leakConfig } from '../support/leaks.ts';
import { Terminal } from './terminal.ts';

const config = leakConfig.replace('{ env: PEPPER }', '{ file: pepper }');

class Desk extends Terminal {
  /** A second more each time it is looked at. */
  #clock = Date.now();

  constructor() {
    super(config);
    this.write('pepper', 'kept beside the config for this test');
    mkdirSync(this.path('tree'));
  }

  put(name: string, content: string | Buffer): string {
    const path = join(this.path('tree'), name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  async issue(type: string, label = 'unnamed'): Promise<{ id: string; token: string }> {
    return this.json('token', 'create', '--type', type, '--label', label);
  }

  scan(...words: string[]) {
    return this.json('scan', this.path('tree'), ...words);
  }

  /** As somebody who sits there sees it. */
  async seen(seat: Partial<Seat>, words: readonly string[], piped?: readonly Buffer[]) {
    let [out, err] = ['', ''];
    const code = await run(['scan', ...words, '--config', this.path('gateway.config.yaml')], {
      env: {},
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      colours: false,
      terminal: { out: true, err: false, ask: null, ...seat },
      stdin: async function* () {
        yield* piped ?? [];
      },
      now: () => {
        this.#clock += 1000;
        return this.#clock;
      },
    });
    return { code, out: out.replaceAll(this.folder, '.'), err: err.replaceAll(this.folder, '.') };
  }
}

const types = ['project', 'checked', 'piped', 'legacy', 'keyed', 'odd', 'bare', 'loose'];

describe('postern scan', () => {
  test('finds a token of every type in files, and never says one', async () => {
    const desk = new Desk();
    const ids: string[] = [];
    const tokens: string[] = [];
    for (const type of types) {
      const { id, token } = await desk.issue(type);
      desk.put(`${type}/.env`, `A=1\r\nTOKEN="${token}"\r\n`);
      ids.push(id);
      tokens.push(token);
    }
    const told = await desk.piped('scan', desk.path('tree'));
    const { findings } = JSON.parse(told.stdout);
    expect(told.code).toBe(1);
    expect(findings.map((one: { id: string }) => one.id).sort()).toEqual([...ids].sort());
    for (const one of findings) {
      expect(one).toMatchObject({ state: 'active', where: 'file', line: 2, column: 8, commit: null });
      expect(one.path).toBe(`./tree/${one.type}/.env`);
    }
    const table = await desk.seen({}, [desk.path('tree')]);
    for (const token of tokens) expect(tracesOf(token, JSON.stringify([told, table]))).toEqual([]);
  });

  test('tells on a terminal, in a table, and says what to do next', async () => {
    const desk = new Desk();
    const { id, token } = await desk.issue('project', 'for ci');
    desk.put('a.txt', `  ${token}`);
    desk.put('b.bin', Buffer.concat([Buffer.alloc(1), Buffer.from(token)]));
    const told = await desk.seen({}, [desk.path('tree')]);
    expect(told.out.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(/^STATE +TYPE +ID +LABEL +TOKEN +WHERE$/),
      `active  project  ${id}  for ci  ${token.slice(0, 13)}...  ./tree/a.txt:1:3`,
    ]);
    expect(told.err).toBe(
      '1 found in 2 files, 0.0 MiB; skipped: 1 binary\nend what still works: postern token revoke ID, or --revoke\n',
    );
  });

  test('says nothing and ends well where there is nothing, also of tokens nobody issued', async () => {
    const desk = new Desk();
    await desk.issue('project');
    desk.put('docs.md', `prj_live_${'a1'.repeat(24)} and 12|${'Ab1x'.repeat(10)} and ${'0f'.repeat(22)}a`);
    expect(await desk.scan()).toMatchObject({ findings: [], unverified: 0, problems: [] });
    expect((await desk.seen({}, [desk.path('tree')])).code).toBe(0);
  });

  test('tells tokens that are over, too', async () => {
    const desk = new Desk();
    const [one, two] = [await desk.issue('project'), await desk.issue('checked')];
    await desk.run('token', 'revoke', one.id);
    await desk.run('token', 'disable', two.id);
    desk.put('a', `${one.token} ${two.token}`);
    const { findings } = await desk.scan();
    expect(findings.map(({ state }: { state: string }) => state)).toEqual(['revoked', 'disabled']);
  });

  test('finds tokens by an alias and of another length, as they were imported', async () => {
    const desk = new Desk();
    const { hash } = await import('node:crypto');
    const [short, alias] = ['prj_live_0123456789abcdef', 'prj_Zz0123456789.Zz~'];
    const rows = [short, alias].map((token) => ({ type: 'project', sha256: hash('sha256', token) }));
    const file = desk.write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
    expect((await desk.run('token', 'import', '--file', file)).code).toBe(0);
    desk.put('a', `x=${short};y="${alias}"`);
    const { findings } = await desk.scan();
    expect(findings.map(({ column }: { column: number }) => column)).toEqual([3, 32]);
  });

  test('skips .git, links, binaries, what is large or excluded, counts them, and scans node_modules', async () => {
    const desk = new Desk();
    const { token } = await desk.issue('bare');
    desk.put('.git/config', token);
    desk.put('node_modules/x/index.js', `"${token}"`);
    desk.put('dist/old/x', token);
    desk.put('x.map', token);
    desk.put('large', `${'x '.repeat(600)}${token}`);
    symlinkSync(desk.path('tree'), join(desk.path('tree'), 'again'));
    const words = ['--max-bytes', '1KiB', '--exclude', '*.map', '--exclude', 'dist/old/'];
    const { findings, skipped } = await desk.scan(...words);
    expect(findings.map(({ path }: { path: string }) => path)).toEqual(['./tree/node_modules/x/index.js']);
    expect(skipped).toEqual({ binary: 0, large: 1, excluded: 2, link: 1, special: 0 });
    expect((await desk.scan('--exclude', 'node_modules', '--exclude', 'x.map')).findings).toHaveLength(2);
  });

  test('finds a token that is a file name, and blots it out wherever the path is told', async () => {
    const desk = new Desk();
    const { token } = await desk.issue('project');
    desk.put(`${token}/notes.txt`, token);
    const told = await desk.piped('scan', desk.path('tree'));
    const { findings } = JSON.parse(told.stdout);
    expect(findings).toMatchObject([
      { where: 'name', path: './tree/[project]', line: null },
      { where: 'file', path: './tree/[project]/notes.txt', line: 1 },
    ]);
    expect(tracesOf(token, JSON.stringify(told))).toEqual([]);
  });

  test('tells what it cannot read, and does not end well', async () => {
    const desk = new Desk();
    const gone = await desk.piped('scan', desk.path('nowhere'));
    expect(gone).toMatchObject({
      code: 1,
      stderr: 'cannot read ./nowhere (ENOENT); there is no such file\n',
    });
    if (process.getuid?.() === 0) return;
    chmodSync(desk.put('shut', 'x'), 0);
    const shut = await desk.piped('scan', desk.path('tree'));
    expect(shut).toMatchObject({
      code: 1,
      stderr: 'cannot read ./tree/shut (EACCES); scan as a user who may\n',
    });
  });

  test('reads stdin, in whatever pieces it comes', async () => {
    const desk = new Desk();
    const { id, token } = await desk.issue('loose');
    const bytes = Buffer.from(`${'log line\n'.repeat(3000)}token=${token}\n`);
    const pieces = [bytes.subarray(0, 27_020), bytes.subarray(27_020)];
    const told = await desk.seen({ out: false }, ['-'], pieces);
    expect(JSON.parse(told.out).findings).toMatchObject([
      { id, where: 'stdin', path: null, line: 3001, column: 7 },
    ]);
  });

  test('without a store goes by checksums, counts the rest, and says so', async () => {
    const desk = new Desk();
    const [one, two] = [await desk.issue('checked'), await desk.issue('project')];
    desk.put('a', `${one.token}\n${two.token}`);
    const offline = await desk.scan('--offline');
    expect(offline).toMatchObject({
      findings: [{ type: 'checked', id: null, state: 'looks_like' }],
      unverified: 1,
    });
    const all = await desk.scan('--offline', '--unverified');
    expect(all.findings).toMatchObject([
      { state: 'looks_like' },
      { state: 'unverified', preview: 'prj_live_...' },
    ]);
    expect(tracesOf(two.token, JSON.stringify(all))).toEqual([]);
    const bare = new Desk();
    bare.put('a', two.token);
    const told = await bare.piped('scan', bare.path('tree'));
    expect(told).toMatchObject({
      code: 1,
      stderr:
        'there is no database yet at ./data/postern.db: what has no checksum was not judged; scan where the store can be reached, or with --offline\n',
    });
  });

  test('says that a store that should have been asked gave no answer', async () => {
    const desk = new Desk();
    const { token } = await desk.issue('project');
    desk.write('gateway.config.yaml', `${config}store: { url: "postgres://127.0.0.1:1/x" }\n`);
    desk.put('a', token);
    const told = await desk.piped('scan', desk.path('tree'));
    expect(told).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/: what has no checksum was not judged; scan where .*\n$/),
    });
    expect(JSON.parse(told.stdout)).toMatchObject({
      findings: [],
      unverified: 1,
      problems: [expect.any(String)],
    });
    desk.put('a', 'nothing like one');
    expect(await desk.piped('scan', desk.path('tree'))).toMatchObject({ code: 0, stderr: '' });
  });

  test('--offline needs no pepper and no store', async () => {
    const desk = new Desk();
    const secretless = config.replace('{ file: pepper }', '{ env: NO_PEPPER }');
    desk.write('gateway.config.yaml', `${secretless}store: { url: { env: NO_DATABASE } }\n`);
    expect(await desk.piped('scan', desk.path('tree'), '--offline')).toMatchObject({ code: 0, stderr: '' });
    expect(await desk.piped('scan', desk.path('tree'))).toMatchObject({ code: 78 });
  });

  test('changes no row, though it finds tokens by bcrypt and by an older pepper', async () => {
    const desk = new Desk();
    const [old, slow] = [await desk.issue('keyed'), await desk.issue('legacy')];
    desk.write('newer', 'another pepper, kept beside it for this test');
    const moved = config
      .replace('{ file: pepper }', '{ file: newer }, { file: pepper }')
      .replace('cost: 4 }', 'cost: 4, then: sha256 }');
    desk.write('gateway.config.yaml', moved);
    desk.put('a', `${old.token}\n${slow.token}`);
    const rows = () =>
      new Database(desk.path('data/postern.db'), { readonly: true }).prepare('select * from tokens').all();
    const before = rows();
    expect((await desk.scan()).findings).toMatchObject([{ id: old.id }, { id: slow.id }]);
    expect(rows()).toEqual(before);
  });

  test('shows how far it is only to somebody who sits there', async () => {
    const desk = new Desk();
    desk.put('a', 'x');
    desk.put('b', 'y');
    const watched = await desk.seen({ err: true }, [desk.path('tree'), '--offline']);
    expect(watched.err).toMatch(/^\r\u001b\[Kscanning: 0 files, 0 git objects, 0 MiB, 0 found\r/);
    expect(watched.err).toMatch(/\r\u001b\[K0 found in 2 files, 0\.0 MiB\n$/);
    expect((await desk.seen({}, [desk.path('tree'), '--offline'])).err).not.toContain('\r');
  });

  test('finds nothing in what documents and examples show', async () => {
    const desk = new Desk();
    for (const type of types) await desk.issue(type);
    const root = join(import.meta.dirname, '../..');
    const [docs, tests] = [join(root, 'docs'), join(root, 'tests')];
    const { findings, problems, scanned } = await desk.json('scan', docs, tests, join(root, 'README.md'));
    expect({ findings, problems }).toEqual({ findings: [], problems: [] });
    expect(scanned.files).toBeGreaterThan(200);
  });

  test('--types narrows it, and knows which there are', async () => {
    const desk = new Desk();
    desk.put('a', `${(await desk.issue('project')).token} ${(await desk.issue('odd')).token}`);
    expect((await desk.scan('--types', 'odd,bare')).findings).toMatchObject([{ type: 'odd' }]);
    expect(await desk.piped('scan', '.', '--types', 'od')).toMatchObject({ code: 1 });
  });
});

describe('postern scan --revoke', () => {
  const leaked = async () => {
    const desk = new Desk();
    const [one, two] = [await desk.issue('project'), await desk.issue('checked')];
    await desk.run('token', 'disable', two.id);
    desk.put('a', `${one.token} ${one.token} ${two.token}`);
    return { desk, one, two };
  };

  test('ends what could work again, once each, and says where it leaked', async () => {
    const { desk, one, two } = await leaked();
    expect((await desk.scan('--revoke')).revoked).toEqual([one.id, two.id]);
    expect(await desk.json('token', 'show', two.id)).toMatchObject({
      state: 'revoked',
      revoked_by: 'cli',
      revoked_reason: expect.stringMatching(/^leaked: .*\/tree\/a$/),
    });
    const { entries } = await desk.json('audit', 'list', '--subject', one.id);
    expect(entries.map(({ action }: { action: string }) => action)).toEqual(['token.create', 'token.revoke']);
    expect((await desk.scan('--revoke')).revoked).toEqual([]);
  });

  test('asks who sits there, once', async () => {
    const { desk, one, two } = await leaked();
    const asked: string[] = [];
    const answering = (yes: boolean) => ({
      ask: async (question: string) => {
        asked.push(question);
        return yes;
      },
    });
    const words = [desk.path('tree'), '--revoke'];
    expect(await desk.seen(answering(false), words)).toMatchObject({
      code: 1,
      err: expect.stringContaining('nothing was revoked\n'),
    });
    expect(await desk.json('token', 'show', one.id)).toMatchObject({ state: 'active' });
    const told = await desk.seen(answering(true), words);
    expect(told.out).toMatch(new RegExp(`/tree/a:1:\\d+\\n${one.id} is revoked\\n${two.id} is revoked\\n$`));
    expect(asked).toEqual(Array(2).fill('revoke these 2 tokens?'));
  });

  test('changes nothing unless it is written', async () => {
    const { desk, one } = await leaked();
    const before = await desk.json('token', 'show', one.id);
    await desk.scan();
    expect(await desk.json('token', 'show', one.id)).toEqual(before);
  });
});

describe('postern scan is not understood', () => {
  test.each([
    [[], 'nothing to scan; name a file or folder, or - for stdin'],
    [['.', '--revoke', '--offline'], '--revoke needs the store; leave --offline out'],
    [['.', '--max-bytes', 'big'], '"big" is not a size; write a number and a unit: 512B, 16KiB or 10MiB'],
    [
      ['.', '--exclude', '**/x'],
      'a pattern of --exclude is a name (node_modules, *.map) or a path below the scanned one; ** is not known',
    ],
  ])('%j', async (words, message) => {
    const desk = new Desk();
    expect(await desk.run('scan', ...words)).toEqual({ code: 2, stdout: '', stderr: `error: ${message}\n` });
  });
});
