/**
 * Reports of leaked tokens as GitHub's secret scanning sends them to its partners: a signed JSON array. Says who signed it
 * and what it holds; looks nothing up and ends nothing.
 * https://docs.github.com/code-security/secret-scanning/secret-scanning-partner-program
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import * as v from 'valibot';

/** Header names, in lower case. */
export const leakKeyHeader = 'github-public-key-identifier';
export const leakSignatureHeader = 'github-public-key-signature';

/** By the identifier that the header names. */
export type LeakKeys = ReadonlyMap<string, KeyObject>;

export type LeakReport = {
  readonly token: string;
  /** What the reporter calls it. */
  readonly type: string;
  /** Public; '' where it was not told. */
  readonly url: string;
  /** Such as `Content` or `Issue_comment`. */
  readonly source: string;
};

const keysMax = 100;
const reportsMax = 10_000;
const textMax = 4096;
/** Two integers of 33 bytes at most, each with a tag and a length, in a sequence (SEC 1, C.8). */
const signatureBytesMax = 72;

const text = v.pipe(v.string(), v.maxLength(textMax));

const keySetSchema = v.object({
  public_keys: v.pipe(
    v.array(v.object({ key_identifier: text, key: text })),
    v.minLength(1),
    v.maxLength(keysMax),
  ),
});

const noticeSchema = v.pipe(
  v.array(
    v.object({
      token: v.pipe(text, v.minLength(1)),
      type: text,
      url: v.optional(v.nullable(text), ''),
      source: v.optional(v.nullable(text), ''),
    }),
  ),
  v.maxLength(reportsMax),
);

/**
 * Reads what https://api.github.com/meta/public_keys/secret_scanning answers. Keys that are no longer current stay: reports
 * may be under way.
 *
 * @returns a text where it cannot be read: what is wrong with it.
 */
export function readLeakKeys(json: string): LeakKeys | string {
  const set = v.safeParse(keySetSchema, parsed(json));
  if (!set.success) return 'is no {"public_keys":[{"key_identifier","key"}]}';
  const keys = new Map<string, KeyObject>();
  for (const { key_identifier: name, key: pem } of set.output.public_keys) {
    const key = publicKeyOf(pem);
    if (key === null) return 'holds a key that is no public key on P-256';
    if (name === '' || keys.has(name)) return 'names a key twice, or not at all';
    keys.set(name, key);
  }
  return keys;
}

/** Whether one of the keys signed exactly these bytes: ECDSA on P-256 over SHA-256 (FIPS 186-5), DER in base64, in its one spelling. */
export function isSignedNotice(
  body: Buffer,
  keyName: string | null,
  signature: string | null,
  keys: LeakKeys,
): boolean {
  const key = keyName === null ? undefined : keys.get(keyName);
  if (key === undefined || signature === null) return false;
  const bytes = Buffer.from(signature, 'base64');
  if (bytes.length > signatureBytesMax || bytes.toString('base64') !== signature) return false;
  return verify('sha256', body, { key, dsaEncoding: 'der' }, bytes);
}

/** @returns null where it is no such list: nothing of it may be believed then. */
export function readLeakNotice(body: Buffer): readonly LeakReport[] | null {
  const notice = v.safeParse(noticeSchema, parsed(utf8(body)));
  if (!notice.success) return null;
  return notice.output.map(({ token, type, url, source }) => ({
    token,
    type,
    url: url ?? '',
    source: source ?? '',
  }));
}

/** Tells the reporter which were real, by SHA-256 in hex: no token goes back. */
export function leakFeedback(
  judged: readonly { readonly sha256: string; readonly type: string; readonly isOurs: boolean }[],
): readonly Readonly<Record<'token_hash' | 'token_type' | 'label', string>>[] {
  return judged.map(({ sha256, type, isOurs }) => ({
    token_hash: sha256,
    token_type: type,
    label: isOurs ? 'true_positive' : 'false_positive',
  }));
}

function publicKeyOf(pem: string): KeyObject | null {
  // A private key would be read as its public half: it must stand in no such file.
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) return null;
  try {
    const key = createPublicKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : null;
  } catch {
    return null;
  }
}

function parsed(json: string | null): unknown {
  try {
    return json === null ? null : JSON.parse(json);
  } catch {
    return null;
  }
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
