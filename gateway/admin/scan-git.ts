/**
 * Reads a git repository for `scan --history`, through the `git` program: every object that a branch, a tag or another
 * ref leads to, once. No shell; nothing that the repository's own config names is run, and nothing is fetched.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { CommandFailed, exitCodes } from './cli-shell.ts';

export type GitEnv = Readonly<Record<string, string | undefined>>;

export type GitEvent =
  | { readonly kind: 'object'; readonly type: 'blob' | 'commit' | 'tag'; readonly name: string }
  | { readonly kind: 'piece'; readonly piece: Buffer }
  | { readonly kind: 'end' }
  | { readonly kind: 'large' }
  /** The repository does not hold it: a partial clone, or one that is damaged. */
  | { readonly kind: 'missing' };

/** Where an object first came in. */
export type Origin = { readonly commit: string; readonly date: string; readonly path: string };

export type Repository = {
  /** Where its objects are: names the repository, from whichever of its folders it was asked for. */
  readonly folder: string;
  /** Older commits were never brought here. */
  readonly isShallow: boolean;
};

type Git = ChildProcessByStdio<Writable, Readable, Readable>;

const fixedArguments = [
  '--no-pager',
  '--literal-pathspecs',
  ...['core.fsmonitor=', 'core.hooksPath=/dev/null', 'core.quotePath=false'].flatMap((set) => ['-c', set]),
];

/** @throws CommandFailed `refused` where there is no git, no repository, or git does not trust it. */
export async function openRepository(path: string, env: GitEnv): Promise<Repository> {
  const words = ['rev-parse', '--is-shallow-repository', '--git-common-dir', '--absolute-git-dir'];
  const asked = start(path, env, words);
  asked.stdin.end();
  const [told] = await Promise.all([textOf(asked.stdout), ended(asked, path)]);
  const [shallow, common = '', own = ''] = told.split('\n');
  return { folder: common.startsWith('/') ? common : own, isShallow: shallow === 'true' };
}

/** Blobs, commits and tags; trees hold names only. @throws CommandFailed */
export async function* gitObjects(path: string, env: GitEnv, maxBytes: number): AsyncGenerator<GitEvent> {
  const listing = start(path, env, ['rev-list', '--objects', '--missing=print', '--all']);
  const sizing = start(path, env, [
    'cat-file',
    '--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)',
  ]);
  const reading = start(path, env, ['cat-file', '--batch']);
  const over = [listing, sizing, reading].map((git) => ended(git, path));
  for (const end of over) end.catch(() => {});
  listing.stdin.end();
  listing.stdout.pipe(sizing.stdin);
  let [large, missing] = [0, 0];
  const choosing = (async () => {
    for await (const line of createInterface({ input: sizing.stdout })) {
      const [name = '', type, size] = line.split(' ', 3);
      if (type === 'tree') continue;
      if (type === 'missing') missing++;
      else if (type === 'blob' && Number(size) > maxBytes) large++;
      else if (!reading.stdin.write(`${name}\n`)) {
        await Promise.race([once(reading.stdin, 'drain'), over[2]]);
      }
    }
    reading.stdin.end();
  })();
  choosing.catch(() => {});
  try {
    yield* batchOf(reading.stdout);
    await choosing;
    await Promise.all(over);
    for (; large > 0; large--) yield { kind: 'large' };
    for (; missing > 0; missing--) yield { kind: 'missing' };
  } finally {
    for (const git of [listing, sizing, reading]) git.kill();
  }
}

/**
 * The first commit, parents before children, that brought each of these blobs in; of a commit, itself.
 *
 * @throws CommandFailed
 */
export async function originsOf(
  path: string,
  env: GitEnv,
  objects: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Origin>> {
  const origins = new Map<string, Origin>();
  if (objects.size === 0) return origins;
  const listing = start(path, env, ['rev-list', '--all', '--reverse', '--date-order']);
  const raw = [
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--no-ext-diff',
    '--no-textconv',
    '--ignore-submodules',
  ];
  const words = ['diff-tree', '--stdin', '-r', '-m', '--root', '--always', ...raw, '--format=commit %H %aI'];
  const comparing = start(path, env, words);
  const over = Promise.all([ended(listing, path), ended(comparing, path)]);
  over.catch(() => {});
  listing.stdin.end();
  listing.stdout.pipe(comparing.stdin);
  let [commit, date] = ['', ''];
  for await (const line of createInterface({ input: comparing.stdout })) {
    if (line.startsWith('commit ')) {
      [, commit = '', date = ''] = line.split(' ', 3);
      if (objects.has(commit)) origins.set(commit, { commit, date, path: '' });
    }
    const [, name = '', file = ''] = /^:[0-7]+ [0-7]+ [0-9a-f]+ ([0-9a-f]+) [A-Z]\t(.*)$/.exec(line) ?? [];
    if (objects.has(name) && !origins.has(name)) origins.set(name, { commit, date, path: file });
  }
  await over;
  return origins;
}

/** What `cat-file --batch` writes: `NAME TYPE SIZE`, LF, as many bytes, LF. */
async function* batchOf(stream: AsyncIterable<Buffer>): AsyncGenerator<GitEvent> {
  let head = '';
  /** Bytes of the object that are still to come, and the LF after them; -1: its head. */
  let left = -1;
  for await (const bytes of stream) {
    for (let at = 0; at < bytes.length; ) {
      if (left === -1) {
        const end = bytes.indexOf(10, at);
        head += bytes.toString('latin1', at, end === -1 ? bytes.length : end);
        if (end === -1) break;
        at = end + 1;
        const [name = '', type, size] = head.split(' ');
        head = '';
        if (type !== 'blob' && type !== 'commit' && type !== 'tag') continue;
        left = Number(size);
        yield { kind: 'object', type, name };
      }
      const piece = bytes.subarray(at, at + left);
      if (piece.length > 0) yield { kind: 'piece', piece };
      at += piece.length;
      left -= piece.length;
      if (left === 0 && at < bytes.length) {
        at++;
        left = -1;
        yield { kind: 'end' };
      }
    }
  }
}

function start(path: string, env: GitEnv, words: readonly string[]): Git {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('GIT_'));
  return spawn('git', [...fixedArguments, '-C', path, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(kept),
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      // What a partial clone lacks is told, not fetched: a fetch runs what the repository's config says.
      GIT_NO_LAZY_FETCH: '1',
      GIT_ALLOW_PROTOCOL: 'none',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_TERMINAL_PROMPT: '0',
    },
  });
}

/** @throws CommandFailed where it could not start, or failed. */
async function ended(git: Git, path: string): Promise<void> {
  // The one that reads may be gone before the one that writes.
  git.stdin.on('error', () => {});
  const complaint = textOf(git.stderr);
  const code = await new Promise<number | null>((resolve, reject) => {
    git.on('error', (error: Error & { code?: string }) => {
      const hint =
        error.code === 'ENOENT' ? 'install git, or leave --history out' : 'check that git runs here';
      reject(new CommandFailed(exitCodes.refused, `git cannot be started; ${hint}`));
    });
    git.on('close', resolve);
  });
  if (code !== 0) throw refusalOf(await complaint, path);
}

function refusalOf(complaint: string, path: string): CommandFailed {
  const refused = (message: string) => new CommandFailed(exitCodes.refused, message);
  if (complaint.includes('not a git repository')) {
    return refused(`${path} is in no git repository; leave --history out, or name a folder of one`);
  }
  if (complaint.includes('dubious ownership')) {
    const remedy = 'scan as its owner, or trust it with: git config --global --add safe.directory';
    return refused(`${path} is a repository of another user; ${remedy} ${path}`);
  }
  const [line = ''] = complaint.split('\n');
  return refused(`git failed in ${path}${line === '' ? '' : `: ${line}`}; try git -C ${path} fsck`);
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const bytes of stream) text = (text + String(bytes)).slice(0, 4096);
  return text;
}
