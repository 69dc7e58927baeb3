/** Rows that sign: that no two types sign with one key, as far as a config can tell. Repeats no key. */
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import { deriveTriggerKey } from '../trigger.ts';
import type { FileConfig } from './schema.ts';

/** A signed type with its secrets, the newest first, and the keys that verify its tokens. */
export type SignedType = {
  readonly name: string;
  readonly derive: string | undefined;
  readonly secrets: readonly string[];
  readonly keys: readonly string[];
};

/** A row that signs. */
type Signer = {
  readonly type: string;
  /** null: whatever the path or the token says. */
  readonly text: string | null;
  readonly path: ConfigPath;
};

/**
 * A row signs with a key derived from the newest secret of its type. The signature does not cover the prefix, so
 * another type that derives from the same secret must never do so for the same text.
 */
export function checkSigningRows(
  { config, errors }: { readonly config: FileConfig; readonly errors: ConfigProblem[] },
  types: readonly SignedType[],
): void {
  const signers = signersOf(config);
  for (const [index, signer] of signers.entries()) {
    const [secret] = types.find(({ name }) => name === signer.type)?.secrets ?? [];
    if (secret === undefined) continue;
    const derived = signer.text === null ? null : deriveTriggerKey(secret, signer.text);
    const verifying = types.find(
      ({ name, derive, secrets, keys }) =>
        name !== signer.type &&
        (derived === null ? derive !== undefined && secrets.includes(secret) : keys.includes(derived)),
    );
    const signing = signers
      .slice(0, index)
      .find(
        ({ type, text }) =>
          type !== signer.type &&
          types.some(({ name, secrets }) => name === type && secrets[0] === secret) &&
          meet(signer.text, text),
      );
    const other = verifying?.name ?? signing?.type;
    if (other === undefined) continue;
    const message = `token type "${other}" derives from the same key, so a trigger signed here could pass for one of it`;
    errors.push(inValue(signer.path, message, 'give each type a key of its own'));
  }
}

function signersOf({ apis }: FileConfig): readonly Signer[] {
  return Object.entries(apis).flatMap(([api, { routes }]) =>
    Object.entries(routes).flatMap(([row, { serve, with: written }]): Signer[] => {
      if (serve !== 'probe.activate' || written?.derive === undefined) return [];
      const { type, derive } = written;
      const path = ['apis', api, 'routes', row, 'with', 'derive'];
      return [{ type, text: derive.kind === 'text' ? derive.text : null, path }];
    }),
  );
}

function meet(one: string | null, other: string | null): boolean {
  return one === null || other === null || one === other;
}
