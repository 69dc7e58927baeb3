/** What seals the audit: the keys that the config refers to, or, for a SQLite file, one that is made beside it. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseRefused } from '../store/refused.ts';
import { type AuditSettings, auditKeyBytesMin } from './config/audit-settings.ts';
import type { StoreSettings } from './config/store-settings.ts';
import { makeSecretFile } from './secret-file.ts';

/** In the folder of the database, under a name that no copy of `postern.db*` takes along. */
const fileName = 'audit-key';

/**
 * The newest first, which seals; empty: rows are not sealed. Read when they are first asked for.
 *
 * @param mayMake whether a file that is missing is made: by whoever writes.
 */
export function auditKeys(
  store: StoreSettings,
  { keys: given }: AuditSettings,
  mayMake: boolean,
): () => readonly KeyObject[] {
  let keys: readonly KeyObject[] | null = null;
  return () => {
    keys ??= given.length > 0 || !('path' in store) ? given.map(keyOf) : [fileKey(store.path, mayMake)];
    return keys;
  };
}

function keyOf(text: string): KeyObject {
  return createSecretKey(text, 'utf8');
}

/** @throws DatabaseRefused: whoever cannot read it would write rows that nobody can tell from made-up ones. */
function fileKey(database: string, mayMake: boolean): KeyObject {
  const file = join(dirname(database), fileName);
  const found = textOf(file);
  if (found !== null) return judged(file, found);
  if (!mayMake) throw refused(file, 'it is not there', 'start the gateway, or put the key back');
  try {
    makeSecretFile(file, `${randomBytes(48).toString('base64')}\n`);
  } catch (error) {
    throw refused(file, wordsOf(error), 'let this user write into the folder, or write audit.key', 'made');
  }
  return judged(file, textOf(file) ?? '');
}

/** null: it is not there. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw refused(file, wordsOf(error), 'run as the user whose it is');
  }
}

function judged(file: string, text: string): KeyObject {
  if (Buffer.byteLength(text) >= auditKeyBytesMin) return keyOf(text);
  throw refused(file, `it is shorter than ${auditKeyBytesMin} bytes`, 'put the right one back');
}

function refused(file: string, reason: string, remedy: string, done: 'read' | 'made' = 'read') {
  const message = `the audit's key ${file} cannot be ${done}: ${reason}, and nothing was changed; ${remedy}.`;
  return new DatabaseRefused('unreadable', message);
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something that is not an error was thrown';
}
