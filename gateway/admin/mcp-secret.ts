/** Where the text of a new token goes: a file, a link that works once, or the answer, where the operator said so. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Checked, complain } from '../../policy/token-input.ts';
import type { SecretPlace } from './secret-shelf.ts';

export type SecretKeeping =
  /** It stands in the answer, and so in the transcript. */
  | { readonly kind: 'reveal' }
  | { readonly kind: 'folder'; readonly folder: string }
  /** Whoever asked fetches it apart. `place` null: too many wait to be fetched. */
  | { readonly kind: 'link'; readonly place: () => SecretLink | null }
  /** Nothing that has a secret is made. */
  | { readonly kind: 'nowhere' };

export type SecretLink = Pick<SecretPlace, 'put' | 'free'> & { readonly url: string };

/** A trigger's payload is the longest: three texts of 200 characters, in base64. */
const secretBytesMax = 4096;

/** What an answer says of a secret: where it is, or itself. */
export type Kept = {
  readonly secret_file: string | null;
  readonly secret_link: string | null;
  readonly secret: string | null;
};

export const notKept: Kept = { secret_file: null, secret_link: null, secret: null };

type Work<T> = () => Promise<Checked<{ readonly secret: string; readonly rest: T }>>;
type Done<T> = Promise<Checked<{ readonly kept: Kept; readonly rest: T }>>;

/**
 * Finds the place first, so that nothing is made whose text would be lost; then does the work. A place that was not
 * needed is removed.
 *
 * @param stem what the file's name starts with.
 */
export async function keeping<T>(where: SecretKeeping, stem: string, work: Work<T>): Done<T> {
  if (where.kind === 'nowhere') {
    const hint = 'let postern mcp be started with --secrets-to FOLDER, or run the command in a terminal';
    return complain('there is no place for the secret', null, hint);
  }
  if (where.kind === 'reveal') {
    const made = await work();
    if (!made.ok) return made;
    return {
      ok: true,
      value: { kept: { ...notKept, secret: made.value.secret }, rest: made.value.rest },
    };
  }
  return where.kind === 'link' ? keepingApart(where.place(), work) : keepingInFile(where.folder, stem, work);
}

async function keepingApart<T>(place: SecretLink | null, work: Work<T>): Done<T> {
  if (place === null) {
    const hint = 'fetch those that wait, or try again in ten minutes';
    return complain('too many secrets wait to be fetched', null, hint);
  }
  let isKept = false;
  try {
    const made = await work();
    if (!made.ok) return made;
    place.put(made.value.secret);
    isKept = true;
    return { ok: true, value: { kept: { ...notKept, secret_link: place.url }, rest: made.value.rest } };
  } finally {
    if (!isKept) place.free();
  }
}

async function keepingInFile<T>(folder: string, stem: string, work: Work<T>): Done<T> {
  const place = await newFile(folder, stem);
  if (place === null) {
    const hint = 'nothing was made; see that the folder of --secrets-to can be written';
    return complain('no file can be made for the secret', null, hint);
  }
  let isKept = false;
  try {
    const made = await work();
    if (!made.ok) return made;
    isKept = await written(place.file, `${made.value.secret}\n`);
    if (!isKept) {
      const hint = 'what was made is of no use to anybody: see the audit, and end it';
      return complain('it was made, and its secret could not be written', null, hint);
    }
    return { ok: true, value: { kept: { ...notKept, secret_file: place.path }, rest: made.value.rest } };
  } finally {
    await place.file.close();
    if (!isKept) await rm(place.path, { force: true });
  }
}

async function written(file: FileHandle, text: string): Promise<boolean> {
  const bytes = Buffer.from(text);
  try {
    await file.write(bytes, 0, bytes.length, 0);
    await file.truncate(bytes.length);
    await file.sync();
    return true;
  } catch {
    return false;
  }
}

/** Exclusive, its owner's alone from its first moment, and as long as any secret: the disk has room for it then. */
async function newFile(folder: string, stem: string) {
  const path = resolve(folder, `${stem}-${randomBytes(8).toString('hex')}.secret`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(path, 'wx', 0o600);
    await file.write(Buffer.alloc(secretBytesMax, '\n'));
    await file.sync();
    return { path, file };
  } catch {
    return null;
  }
}
