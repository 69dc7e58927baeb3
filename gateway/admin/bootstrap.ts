/**
 * The first admin token: made at the first start beside a SQLite file, written to a file that only this user reads, and
 * that goes with the token's first use. Never printed, never logged. On a server there are other ways in, and no folder of ours.
 */
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { adminScopes, adminType, adminTypeName } from '../../policy/admin-type.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { TokenStore } from '../../store/token-store.ts';
import type { StoreSettings } from '../config/store-settings.ts';

type Store = Pick<TokenStore, 'list' | 'create' | 'revoke'>;

/** For the log. `code` is of node's, where there is one. */
export type BootstrapTrouble = {
  readonly event: 'bootstrap_token_not_made' | 'bootstrap_token_not_removed';
  readonly file: string;
  readonly reason: string;
};

const author = 'bootstrap';
/** Long enough to come back after lunch, short enough that a forgotten one opens nothing. */
const lifeMs = 86_400_000;

export function bootstrapFile(store: StoreSettings): string | null {
  return 'path' in store ? join(dirname(store.path), 'bootstrap-token') : null;
}

/**
 * Makes the token and its file, if no admin token has ever been.
 *
 * @param now Unix ms.
 * @returns whether the file was made now. Never throws: the gate opens without it.
 */
export async function writeBootstrapToken(
  file: string,
  store: Store,
  now: number,
  tell: (trouble: BootstrapTrouble) => void,
): Promise<boolean> {
  try {
    return (await isFirst(store)) && (await makeFile(file, store, now));
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    const reason = isThere ? 'it is there already: remove it, or use token create' : wordsOf(error);
    tell({ event: 'bootstrap_token_not_made', file, reason });
    return false;
  }
}

/** Rows of admin tokens are never deleted. */
async function isFirst(store: Store): Promise<boolean> {
  return (await store.list({ type: adminTypeName, limit: 1 })).tokens.length === 0;
}

/** `wx`: of several processes that start at once one gets the file, and no link leads it elsewhere. */
async function makeFile(file: string, store: Store, now: number): Promise<boolean> {
  const descriptor = openSync(file, 'wx', 0o600);
  let isKept = false;
  try {
    // Another process may have made one, and somebody used it, since we looked.
    if (!(await isFirst(store))) return false;
    const { record, plaintext } = await store.create({
      type: adminType,
      label: 'first start',
      scopes: adminScopes,
      attributes: new Map(),
      origins: [],
      expiresAt: now + lifeMs,
      createdBy: author,
    });
    isKept = await written(descriptor, plaintext, () => store.revoke(record.id, author, 'not written'));
    return isKept;
  } finally {
    closeSync(descriptor);
    if (!isKept) rmSync(file, { force: true });
  }
}

/** @throws what node says, after the token that nobody can read was ended. */
async function written(descriptor: number, plaintext: string, undo: () => Promise<unknown>): Promise<true> {
  try {
    writeSync(descriptor, `${plaintext}\n`);
    fsyncSync(descriptor);
    return true;
  } catch (error) {
    await undo();
    throw error;
  }
}

/** To be told of each admin token that is let in: at the first use of the one in the file, the file goes. */
export function bootstrapWatch(
  file: string | null,
  tell: (trouble: BootstrapTrouble) => void,
): (record: TokenRecord, plaintext: string) => void {
  let isOver = file === null;
  return ({ createdBy }, plaintext) => {
    if (isOver || file === null || createdBy !== author) return;
    isOver = true;
    try {
      if (textOf(file) === `${plaintext}\n`) rmSync(file);
    } catch (error) {
      tell({ event: 'bootstrap_token_not_removed', file, reason: wordsOf(error) });
    }
  };
}

/** null: it is not there. */
function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'something that is not an error was thrown';
}
