/** Reads the peppers of `hash.pepper`, and says which types a reload would need other ones for. Repeats none of them. */

import type { PepperReference } from '../../policy/config-pepper.ts';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import type { FileConfig } from './schema.ts';

/** By token type, the newest first; null: none. Secret: never printed, logged or sent. */
export type PepperSettings = ReadonlyMap<string, readonly (string | null)[]>;

type Reading = {
  readonly config: FileConfig;
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: NonNullable<PepperReference>) => string | null;
};

const pepperBytesMin = 32;

export function resolvePeppers({ config, errors, dereference }: Reading): PepperSettings {
  const peppers = new Map<string, readonly (string | null)[]>();
  for (const [type, { hash }] of Object.entries(config.token_types)) {
    if (hash.pepper === undefined) continue;
    const list: (string | null)[] = [];
    for (const [index, reference] of hash.pepper.entries()) {
      const path = ['token_types', type, 'hash', 'pepper', index];
      const pepper = reference === null ? null : dereference(path, reference);
      if (reference !== null && pepper === null) continue;
      const flaw = pepper === null ? null : flawOf(pepper, list);
      if (flaw !== null) errors.push(inValue(path, ...flaw));
      list.push(pepper);
    }
    peppers.set(type, list);
  }
  return peppers;
}

function flawOf(pepper: string, before: readonly (string | null)[]): [message: string, hint: string] | null {
  if (Buffer.byteLength(pepper) < pepperBytesMin) {
    const hint = 'make one with: openssl rand -base64 48';
    return [`the pepper is shorter than ${pepperBytesMin} bytes`, hint];
  }
  if (before.includes(pepper)) return ['the same pepper stands before it', 'each takes a value of its own'];
  return null;
}

/** Keys whose peppers are not the ones the store was opened with. */
export function changedPeppers(old: PepperSettings, next: PepperSettings): readonly string[] {
  return [...new Set([...old.keys(), ...next.keys()])]
    .filter((type) => JSON.stringify(old.get(type)) !== JSON.stringify(next.get(type)))
    .map((type) => `token_types.${type}.hash.pepper`);
}
