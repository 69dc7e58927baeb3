/** Reads the keys of signed token types. Repeats none of them. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import type { KeyReference } from '../../policy/config-signed.ts';
import { deriveTriggerKey, type TriggerKeys } from '../trigger.ts';
import type { FileConfig } from './schema.ts';

type Reading = {
  readonly config: FileConfig;
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: KeyReference) => string | null;
};

const keyBytesMin = 32;

export function resolveTriggerKeys({ config, errors, dereference }: Reading): TriggerKeys {
  const all = new Map<string, readonly KeyObject[]>();
  /** The signature does not cover the prefix: what one key signed is right for every type that has it. */
  const owners = new Map<string, string>();
  for (const [type, { key, derive }] of Object.entries(config.token_types)) {
    if (key === undefined) continue;
    const path = ['token_types', type, 'key'];
    const secrets: string[] = [];
    const references = Array.isArray(key)
      ? key.map((one, i) => [[...path, i], one] as const)
      : [[path, key] as const];
    for (const [where, reference] of references) {
      const secret = dereference(where, reference);
      if (secret === null) continue;
      const flaw = flawOf(secret, secrets);
      if (flaw !== null) errors.push(inValue(where, ...flaw));
      secrets.push(secret);
    }
    const texts = derive === undefined ? secrets : secrets.map((secret) => deriveTriggerKey(secret, derive));
    for (const text of texts) {
      const owner = owners.get(text) ?? type;
      owners.set(text, owner);
      if (owner === type) continue;
      const message = `token type "${owner}" is signed with the same key, so a token of one would pass for the other`;
      errors.push(inValue(path, message, 'give each type a key of its own, or derive: a word of its own'));
    }
    all.set(
      type,
      texts.map((text) => createSecretKey(text, 'utf8')),
    );
  }
  return all;
}

function flawOf(secret: string, before: readonly string[]): [message: string, hint: string] | null {
  if (Buffer.byteLength(secret) < keyBytesMin) {
    return [`the key is shorter than ${keyBytesMin} bytes`, 'make one with: openssl rand -hex 32'];
  }
  if (before.includes(secret)) return ['the same key stands before it', 'remove one'];
  return null;
}
