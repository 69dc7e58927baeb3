/** Reads the keys of signed token types. Repeats none of them. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import type { KeyReference } from '../../policy/config-signed.ts';
import { createTriggerSigner, deriveTriggerKey, type TriggerKeys, type TriggerSigners } from '../trigger.ts';
import type { FileConfig } from './schema.ts';
import { checkSigningRows, type SignedType } from './trigger-rows.ts';

type Reading = {
  readonly config: FileConfig;
  readonly errors: ConfigProblem[];
  readonly warnings: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: KeyReference) => string | null;
};

/** Shorter ones can be guessed, however they were made. */
const keyBytesMin = 16;
const keyBytesAdvised = 32;
const makeOne = 'make one with: openssl rand -hex 32';

export function resolveTriggerKeys(at: Reading): {
  readonly triggerKeys: TriggerKeys;
  readonly triggerSigners: TriggerSigners;
} {
  const types: SignedType[] = [];
  for (const [name, { key, derive }] of Object.entries(at.config.token_types)) {
    if (key === undefined) continue;
    const secrets = readSecrets(at, ['token_types', name, 'key'], key);
    const keys = derive === undefined ? secrets : secrets.map((secret) => deriveTriggerKey(secret, derive));
    types.push({ name, derive, secrets, keys });
  }
  checkKeysApart(at, types);
  checkSigningRows(at, types);
  return {
    triggerKeys: new Map(types.map(({ name, keys }) => [name, keys.map(keyOf)])),
    triggerSigners: new Map(
      types.flatMap(({ name, secrets: [newest] }) =>
        newest === undefined ? [] : [[name, createTriggerSigner(newest)]],
      ),
    ),
  };
}

function keyOf(text: string): KeyObject {
  return createSecretKey(text, 'utf8');
}

function readSecrets(
  at: Reading,
  path: ConfigPath,
  key: KeyReference | readonly KeyReference[],
): readonly string[] {
  const references = Array.isArray(key)
    ? key.map((one: KeyReference, i) => [[...path, i], one] as const)
    : [[path, key as KeyReference] as const];
  const secrets: string[] = [];
  for (const [where, reference] of references) {
    const secret = at.dereference(where, reference);
    if (secret === null) continue;
    judgeSecret(at, where, secret, secrets);
    secrets.push(secret);
  }
  return secrets;
}

function judgeSecret(at: Reading, where: ConfigPath, secret: string, before: readonly string[]): void {
  const bytes = Buffer.byteLength(secret);
  if (bytes < keyBytesMin) {
    at.errors.push(inValue(where, `the key is shorter than ${keyBytesMin} bytes`, makeOne));
  } else if (before.includes(secret)) {
    at.errors.push(inValue(where, 'the same key stands before it', 'remove one'));
  } else if (bytes < keyBytesAdvised) {
    const message = `the key is shorter than ${keyBytesAdvised} bytes: good only if it is random`;
    at.warnings.push(inValue(where, message, makeOne));
  }
}

/** The signature does not cover the prefix: what one key signed is right for every type that has it. */
function checkKeysApart({ errors }: Reading, types: readonly SignedType[]): void {
  const owners = new Map<string, string>();
  for (const { name, keys } of types) {
    for (const text of keys) {
      const owner = owners.get(text) ?? name;
      owners.set(text, owner);
      if (owner === name) continue;
      const message = `token type "${owner}" is signed with the same key, so a token of one would pass for the other`;
      const hint = 'give each type a key of its own, or derive: a word of its own';
      errors.push(inValue(['token_types', name, 'key'], message, hint));
    }
  }
}
