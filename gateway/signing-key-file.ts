/** Makes the signing key where there is none: whole or not at all, readable by this user alone. */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parseSigningKey } from './config/signing-keys.ts';

/**
 * Creates the file and reads it back. Of several processes that start at once one makes the key, and all get
 * that one.
 *
 * @throws Error in words for an operator.
 */
export function createSigningKey(file: string): KeyObject {
  try {
    const folder = dirname(file);
    makeFolder(folder);
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    try {
      writeWhole(draft, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
      // A link, unlike a rename, never replaces: the first process to come wins.
      unlessThere(() => linkSync(draft, file));
    } finally {
      rmSync(draft, { force: true });
    }
    syncFolder(folder);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new Error(`cannot make the signing key ${file}: ${reason}`);
  }
  const key = parseSigningKey(readFileSync(file, 'utf8'));
  if (typeof key === 'string') throw new Error(`${file} ${key}`);
  return key;
}

/** One folder, not the way to it: a recursive mkdir never returns where nothing can be made, as under /proc. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) unlessThere(() => mkdirSync(folder, { mode: 0o700 }));
}

function writeWhole(file: string, pem: string | Buffer): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, String(pem));
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
