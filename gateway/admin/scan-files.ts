/** Walks folders for `scan`: every file, ignored by git or not; no link is followed. Reads in pieces, so memory stays flat. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { escapeRegex } from '../../policy/leak-patterns.ts';

/** What the walk comes upon. Paths begin with the one that was asked for. */
export type Entry =
  | { readonly kind: 'file' | 'folder'; readonly path: string }
  | { readonly kind: 'skipped'; readonly path: string; readonly why: 'excluded' | 'link' | 'special' }
  | { readonly kind: 'unreadable'; readonly path: string; readonly code: string };

export type Excludes = (relative: string) => boolean;

/** A read of a file that came to nothing. `large`: longer than was asked for. */
export type FileRead = 'read' | 'large';

const pieceBytes = 1 << 17;

/**
 * `node_modules`, `*.map`: a file or folder of this name anywhere. `dist/old`: this place below the path that is scanned,
 * and all under it. `*` stands for anything but `/`.
 */
export function excludesOf(patterns: readonly string[]): Excludes {
  const rules = patterns.map((pattern) => {
    const text = pattern.replace(/^\.?\/|\/$/g, '');
    const body = text.split(/\*+/).map(escapeRegex).join('[^/]*');
    return { isName: !text.includes('/'), regex: new RegExp(`^${body}$`) };
  });
  return (relative) => rules.some(({ isName, regex }) => regex.test(isName ? basename(relative) : relative));
}

/** What is at `root` and under it, by name. A root that is a link is followed; `.git` is left out: see `--history`. */
export function* walk(root: string, excludes: Excludes): Generator<Entry> {
  const folders: { path: string; relative: string }[] = [];
  try {
    if (!lstatSync(join(root, '.')).isDirectory()) return yield { kind: 'file', path: root };
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return yield { kind: 'file', path: root };
    return yield { kind: 'unreadable', path: root, code: codeOf(error) };
  }
  folders.push({ path: root, relative: '' });
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const below: { path: string; relative: string }[] = [];
    for (const entry of entriesOf(folder.path)) {
      if (typeof entry === 'string') {
        yield { kind: 'unreadable', path: folder.path, code: entry };
        continue;
      }
      if (entry.name === '.git') continue;
      const path = join(folder.path, entry.name);
      const relative = folder.relative === '' ? entry.name : `${folder.relative}/${entry.name}`;
      if (excludes(relative)) yield { kind: 'skipped', path, why: 'excluded' };
      else if (entry.isSymbolicLink()) yield { kind: 'skipped', path, why: 'link' };
      else if (entry.isFile()) yield { kind: 'file', path };
      else if (!entry.isDirectory()) yield { kind: 'skipped', path, why: 'special' };
      else {
        yield { kind: 'folder', path };
        below.push({ path, relative });
      }
    }
    folders.push(...below.reverse());
  }
}

/** By name; a text is the code of what went wrong. */
function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    return [codeOf(error)];
  }
}

/**
 * Hands a file on in pieces, each good until the next; `false` from `take` ends it early.
 *
 * @param isNamed whether somebody asked for this very file: then a pipe is waited for.
 * @throws Error with a code, as `node:fs` has it.
 */
export async function readFile(
  path: string,
  { maxBytes, isNamed }: { readonly maxBytes: number; readonly isNamed: boolean },
  take: (piece: Buffer) => Promise<boolean>,
): Promise<FileRead> {
  // A pipe or link that took the place of a file that was come upon is neither waited for nor followed.
  const wary = isNamed ? 0 : constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const file = openSync(path, constants.O_RDONLY | wary);
  try {
    const stats = fstatSync(file);
    if (stats.size > maxBytes) return 'large';
    const piece = Buffer.allocUnsafe(stats.isFile() ? Math.min(pieceBytes, stats.size + 1) : pieceBytes);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
      if (!(await take(piece.subarray(0, read)))) break;
    }
    return 'read';
  } finally {
    closeSync(file);
  }
}

/** Where git is to be asked about a path: a file is in its folder's repository. */
export function folderOf(path: string): string {
  try {
    return statSync(path).isDirectory() ? path : dirname(path);
  } catch {
    return path;
  }
}

export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}
