/** The keys of the assertion as the config refers to them: read and judged, never made here. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import type { FileConfig } from './schema.ts';

/** A key to sign with, or the file it will be made in at the start. */
export type SigningKey =
  | { readonly kind: 'read'; readonly key: KeyObject }
  | { readonly kind: 'missing'; readonly file: string };

export type KeyReading = {
  readonly config: FileConfig;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a missing file may be made at the start: only where one host has the store to itself. */
  readonly mayCreate: boolean;
  readonly errors: ConfigProblem[];
  readonly warnings: ConfigProblem[];
};

type Reference = { readonly env?: string | undefined; readonly file?: string | undefined };

/** In the order of the config: the first signs. Empty: no assertion. */
export function resolveSigningKeys(at: KeyReading): readonly SigningKey[] {
  const reference = at.config.identity.assertion?.key;
  if (reference === undefined) return [];
  const path = ['identity', 'assertion', 'key'];
  if (!Array.isArray(reference)) return [readKey(at, path, reference, at.mayCreate)].flat();
  // A list is written to change keys: there, a missing file is a slip of the pen.
  const keys = reference.flatMap((one, index) => readKey(at, [...path, index], one, false));
  for (const [index, one] of keys.entries()) {
    const twin = keys.slice(0, index).find((other) => isSame(one, other));
    if (twin === undefined) continue;
    at.errors.push(inValue([...path, index], 'the same key stands twice', 'remove one'));
  }
  return keys;
}

function isSame(one: SigningKey, other: SigningKey): boolean {
  return one.kind === 'read' && other.kind === 'read' && one.key.equals(other.key);
}

function readKey(
  at: KeyReading,
  path: ConfigPath,
  { env, file }: Reference,
  mayCreate: boolean,
): SigningKey[] {
  if (env !== undefined) {
    const text = at.env[env];
    const isSet = text !== undefined && text !== '';
    if (isSet) return keyOf(at, [...path, 'env'], text, `the environment variable ${env}`);
    const message = `the environment variable ${env} is ${text === undefined ? 'not set' : 'empty'}`;
    at.errors.push(inValue([...path, 'env'], message, `set ${env} before starting Postern`));
    return [];
  }
  return file === undefined ? [] : readKeyFile(at, [...path, 'file'], resolve(at.folder, file), mayCreate);
}

function readKeyFile(at: KeyReading, path: ConfigPath, file: string, mayCreate: boolean): SigningKey[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
    if ((statSync(file).mode & 0o077) !== 0) {
      const hint = `whoever reads it can say who a caller is; run: chmod 600 ${file}`;
      at.warnings.push(inValue(path, `the signing key ${file} is open to other users`, hint));
    }
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isMissing && mayCreate) return [{ kind: 'missing', file }];
    const hint = isMissing ? `make one: ${openssl(file)}` : 'let this user, and nobody else, read it';
    at.errors.push(inValue(path, `cannot read the signing key ${file}`, hint));
    return [];
  }
  return keyOf(at, path, text, file);
}

function keyOf(at: KeyReading, path: ConfigPath, text: string, place: string): SigningKey[] {
  const key = parseSigningKey(text);
  if (typeof key !== 'string') return [{ kind: 'read', key }];
  at.errors.push(inValue(path, `${place} ${key}`, `make one: ${openssl('FILE')}`));
  return [];
}

/** What makes a key by hand. */
function openssl(file: string): string {
  return `openssl genpkey -algorithm ed25519 -out ${file}`;
}

/** A complaint never repeats anything of the text. */
export function parseSigningKey(pem: string): KeyObject | string {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return 'holds no private key in PEM (PKCS #8) without a passphrase';
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  return `holds a key of type ${key.asymmetricKeyType}, and only ed25519 signs assertions`;
}
