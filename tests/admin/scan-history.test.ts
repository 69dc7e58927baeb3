/** `postern scan --history`: what was committed once is found, wherever it went since; a repository runs nothing. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tracesOf } from '../fixtures/secrets.ts';
import { deskConfig, Terminal } from './terminal.ts';

const author = { NAME: 'A', EMAIL: 'a@example.com', DATE: '2026-01-02T03:04:05+02:00' };

class Repository extends Terminal {
  constructor() {
    super(deskConfig);
    mkdirSync(this.path('repo'));
    this.git('init', '-q', '-b', 'main');
  }

  git(...words: string[]): string {
    const people = Object.entries(author).flatMap(([key, value]) => [
      [`GIT_AUTHOR_${key}`, value],
      [`GIT_COMMITTER_${key}`, value],
    ]);
    const env = { ...process.env, ...Object.fromEntries(people), GIT_CONFIG_NOSYSTEM: '1' };
    return execFileSync('git', ['-C', this.path('repo'), ...words], {
      env,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  }

  put(name: string, content: string | Buffer): void {
    const path = join(this.path('repo'), name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  /** @returns the new commit. */
  commit(message = 'm'): string {
    this.git('add', '-A');
    this.git('commit', '-q', '--allow-empty', '-m', message);
    return this.git('rev-parse', 'HEAD');
  }

  issue(type = 'project'): Promise<{ id: string; token: string }> {
    const words = type === 'project' ? ['--attribute', 'project=p'] : [];
    return this.json('token', 'create', '--type', type, ...words);
  }

  async history(...words: string[]) {
    const told = await this.piped('scan', this.path('repo'), '--history', ...words);
    return { ...told, ...JSON.parse(told.stdout || '{}') };
  }
}

describe('postern scan --history finds', () => {
  test('what was deleted since, with the commit that brought it, its path, line and date', async () => {
    const repo = new Repository();
    const { id, token } = await repo.issue();
    repo.put('README', 'x');
    repo.commit();
    repo.put('app/.env', `A=1\nTOKEN=${token}\n`);
    const commit = repo.commit();
    rmSync(join(repo.path('repo'), 'app'), { recursive: true });
    repo.commit();
    const { code, findings, stdout } = await repo.history();
    expect(code).toBe(1);
    const spot = { where: 'history', path: 'app/.env', line: 2, column: 7, commit, date: author.DATE };
    expect(findings).toEqual([expect.objectContaining({ id, ...spot })]);
    expect(tracesOf(token, stdout)).toEqual([]);
  });

  test('a blob once, however many commits and names have it, and by its first', async () => {
    const repo = new Repository();
    const { token } = await repo.issue();
    repo.put('first', token);
    const commit = repo.commit();
    repo.git('mv', 'first', 'second');
    repo.put('third', token);
    repo.commit();
    rmSync(join(repo.path('repo'), 'second'));
    rmSync(join(repo.path('repo'), 'third'));
    repo.commit();
    expect((await repo.history()).findings).toMatchObject([{ commit, path: 'first' }]);
  });

  test('what came by branches that were merged, in a merge itself, and on branches that were not', async () => {
    const repo = new Repository();
    const tokens = [await repo.issue(), await repo.issue('user'), await repo.issue('legacy')];
    repo.put('base', 'x');
    repo.commit();
    repo.git('checkout', '-q', '-b', 'side');
    repo.put('side', tokens[0]?.token ?? '');
    const side = repo.commit();
    rmSync(join(repo.path('repo'), 'side'));
    repo.commit();
    repo.git('checkout', '-q', 'main');
    repo.put('other', 'y');
    repo.commit();
    repo.git('merge', '-q', '--no-commit', '--no-ff', 'side');
    repo.put('in-merge', tokens[1]?.token ?? '');
    const merge = repo.commit();
    rmSync(join(repo.path('repo'), 'in-merge'));
    repo.commit();
    repo.git('checkout', '-q', '-b', 'unmerged');
    repo.put('lost', tokens[2]?.token ?? '');
    const lost = repo.commit();
    repo.git('checkout', '-q', 'main');
    const { findings } = await repo.history();
    const places = Object.fromEntries(
      findings.map((one: { id: string; commit: string }) => [one.id, one.commit]),
    );
    expect(places).toEqual({
      [tokens[0]?.id ?? '']: side,
      [tokens[1]?.id ?? '']: merge,
      [tokens[2]?.id ?? '']: lost,
    });
  });

  test('what stands in messages of commits and tags, and in a tagged blob', async () => {
    const repo = new Repository();
    const [one, two, three] = [await repo.issue(), await repo.issue(), await repo.issue()];
    const commit = repo.commit(`use ${one.token}`);
    repo.git('tag', '-a', 'v1', '-m', `with ${two.token}`);
    repo.put('blob', three.token);
    repo.git('tag', 'loose', repo.git('hash-object', '-w', 'blob'));
    rmSync(join(repo.path('repo'), 'blob'));
    const { findings } = await repo.history();
    const by = (id: string) => findings.find((found: { id: string }) => found.id === id);
    expect(by(one.id)).toMatchObject({ where: 'commit', commit, path: null, date: author.DATE });
    expect(by(two.id)).toMatchObject({ where: 'tag', commit: repo.git('rev-parse', 'v1') });
    expect(by(three.id)).toMatchObject({ where: 'history', path: null, commit: null, line: 1 });
  });

  test('tokens in many files, across pieces, and skips what is binary or large', async () => {
    const repo = new Repository();
    const { id, token } = await repo.issue();
    for (let nth = 0; nth < 40; nth++) repo.put(`f${nth}`, `${'z '.repeat(nth * 1700)}${token}`);
    repo.put('binary', Buffer.concat([Buffer.alloc(2), Buffer.from(token)]));
    repo.put('large', `${'q '.repeat(200_000)}${token}`);
    repo.commit();
    repo.git('rm', '-q', '-r', '.');
    repo.commit();
    const { findings, skipped } = await repo.history('--max-bytes', '200KiB');
    expect(findings).toHaveLength(40);
    expect(new Set(findings.map((one: { id: string }) => one.id))).toEqual(new Set([id]));
    expect(skipped).toMatchObject({ binary: 1, large: 1 });
  });

  test('nothing twice: a folder and a file of one repository have one history', async () => {
    const repo = new Repository();
    repo.put('a/x', (await repo.issue()).token);
    repo.put('b/y', '');
    repo.commit();
    rmSync(join(repo.path('repo'), 'a/x'));
    repo.put('a/z', '');
    const told = await repo.json(
      'scan',
      join(repo.path('repo'), 'a'),
      join(repo.path('repo'), 'b'),
      '--history',
    );
    expect(told.findings).toHaveLength(1);
  });
});

describe('postern scan --history', () => {
  test('runs nothing that a repository names', async () => {
    const repo = new Repository();
    const ran = repo.path('ran');
    const program = repo.write('program', `#!/bin/sh\necho "$0" >> ${ran}\n`);
    execFileSync('chmod', ['+x', program]);
    repo.put('x.txt', (await repo.issue()).token);
    repo.put('.gitattributes', '* diff=evil filter=evil\n');
    repo.commit();
    const keys = [
      'core.fsmonitor',
      'core.pager',
      'core.editor',
      'core.sshCommand',
      'diff.external',
      'gpg.program',
    ];
    const drivers = ['diff.evil.textconv', 'diff.evil.command', 'filter.evil.smudge', 'filter.evil.clean'];
    for (const key of [...keys, ...drivers]) repo.git('config', key, program);
    repo.git('config', 'log.showSignature', 'true');
    repo.git('config', 'core.hooksPath', repo.folder);
    repo.git('config', 'alias.rev-list', `!${program}`);
    expect((await repo.history()).findings).toHaveLength(2);
    expect(existsSync(ran)).toBe(false);
  });

  test('fetches nothing that a partial clone lacks, and says that it lacks it', async () => {
    const repo = new Repository();
    const ran = repo.path('ran');
    const program = repo.write('program', `#!/bin/sh\necho ran > ${ran}\n`);
    execFileSync('chmod', ['+x', program]);
    repo.put('x', 'gone');
    repo.commit();
    const blob = repo.git('rev-parse', 'HEAD:x');
    rmSync(join(repo.path('repo'), '.git/objects', blob.slice(0, 2), blob.slice(2)));
    for (const [key, value] of [
      ['remote.origin.url', 'ssh://h.invalid/x'],
      ['remote.origin.promisor', 'true'],
      ['remote.origin.uploadpack', program],
      ['core.sshCommand', program],
      ['extensions.partialClone', 'origin'],
      ['core.repositoryFormatVersion', '1'],
      ['protocol.ssh.allow', 'always'],
    ] as const) {
      repo.git('config', key, value);
    }
    const told = await repo.history();
    expect(told.code).toBe(1);
    expect(told.stderr).toMatch(/^\.\/repo lacks 1 objects of its history; /);
    expect(existsSync(ran)).toBe(false);
  });

  test('says that a shallow clone is no whole history', async () => {
    const repo = new Repository();
    repo.commit();
    repo.commit();
    const shallow = repo.path('shallow');
    execFileSync('git', ['clone', '-q', '--depth', '1', `file://${repo.path('repo')}`, shallow]);
    const told = await repo.piped('scan', shallow, '--history');
    expect(told).toMatchObject({
      code: 1,
      stderr: './shallow has only the latest part of its history; git fetch --unshallow\n',
    });
  });

  test('reads a repository without commits, and of nothing else', async () => {
    const repo = new Repository();
    expect(await repo.history()).toMatchObject({ code: 0, findings: [] });
    mkdirSync(repo.path('plain'));
    const { token } = await repo.issue();
    repo.write('plain/x', token);
    const told = await repo.piped('scan', repo.path('plain'), '--history');
    expect(JSON.parse(told.stdout).findings).toHaveLength(1);
    expect(told).toMatchObject({
      code: 1,
      stderr: './plain is in no git repository; leave --history out, or name a folder of one\n',
    });
  });

  test.runIf(process.getuid?.() === 0)("says how to trust somebody else's repository", async () => {
    const repo = new Repository();
    repo.commit();
    for (const path of ['repo', 'repo/.git']) chownSync(repo.path(path), 4242, 4242);
    const { code, stderr } = await repo.history();
    expect(code).toBe(1);
    expect(stderr).toBe(
      './repo is a repository of another user; scan as its owner, or trust it with: git config --global --add safe.directory ./repo\n',
    );
  });
});
