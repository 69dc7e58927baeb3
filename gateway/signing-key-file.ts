/** Makes the signing key where there is none. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseSigningKey } from './config/signing-keys.ts';
import { makeSecretFile } from './secret-file.ts';

/**
 * Creates the file and reads it back. Of several processes that start at once one makes the key, and all get
 * that one.
 *
 * @throws Error in words for an operator.
 */
export function createSigningKey(file: string): KeyObject {
  try {
    const { privateKey } = generateKeyPairSync('ed25519');
    makeSecretFile(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new Error(`cannot make the signing key ${file}: ${reason}`);
  }
  const key = parseSigningKey(readFileSync(file, 'utf8'));
  if (typeof key === 'string') throw new Error(`${file} ${key}`);
  return key;
}
