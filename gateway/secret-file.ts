/** Makes a file that holds a secret where there is none: whole or not at all, readable by this user alone. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Of several processes that start at once one makes it. @throws what node says. */
export function makeSecretFile(file: string, text: string): void {
  const folder = dirname(file);
  makeFolder(folder);
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeWhole(draft, text);
    // A link, unlike a rename, never replaces: the first process to come wins.
    unlessThere(() => linkSync(draft, file));
  } finally {
    rmSync(draft, { force: true });
  }
  syncFolder(folder);
}

/** One folder, not the way to it: a recursive mkdir never returns where nothing can be made, as under /proc. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) unlessThere(() => mkdirSync(folder, { mode: 0o700 }));
}

function writeWhole(file: string, text: string): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Another process may have been faster; then what it made is as good. */
function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
