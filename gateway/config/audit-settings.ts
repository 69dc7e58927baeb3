/** What `audit:` says: where the key that seals the audit is kept, never the key itself. */
import * as v from 'valibot';
import { closed, plain, wording } from '../../policy/config-fields.ts';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';

/** Texts; the first seals, all are tried where the chain is judged. Empty: none is named. Secret. */
export type AuditSettings = { readonly keys: readonly string[] };

export const auditKeyBytesMin = 32;
const keysMax = 4;

/** Never repeats what it was given: it may be a key. */
const notReference = wording(
  'not a reference to the audit key',
  'write { env: NAME }, { file: PATH } or a list of these',
);

const reference = v.pipe(
  closed(
    {
      env: v.optional(plain('The name of an environment variable that holds the key.')),
      file: v.optional(plain('A file that holds the key; relative to this one.')),
    },
    notReference,
  ),
  v.check(
    ({ env, file }) => (env === undefined) !== (file === undefined),
    wording('the reference names not exactly one place', 'write { env: NAME } or { file: PATH }'),
  ),
);

export const auditSchema = v.pipe(
  closed({
    key: v.pipe(
      v.union(
        [
          v.pipe(
            v.array(reference, notReference),
            v.minLength(1, wording('the list of keys is empty', 'write at least one: { env: AUDIT_KEY }')),
            v.maxLength(
              keysMax,
              wording(`more than ${keysMax} keys`, 'drop those that no row was sealed with'),
            ),
          ),
          reference,
        ],
        notReference,
      ),
      v.description(
        'Seals the audit: 32 bytes or more, by reference; or several: the first seals, the others are older ones.',
      ),
    ),
  }),
  v.description(
    'The chain of the audit. Left out: beside a SQLite file a key is made, on PostgreSQL there is no chain.',
  ),
);

type AuditConfig = v.InferOutput<typeof auditSchema>;
type Reference = v.InferOutput<typeof reference>;

type Reading = {
  readonly audit: AuditConfig | undefined;
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: Reference) => string | null;
};

export function resolveAudit({ audit, errors, dereference }: Reading): AuditSettings {
  if (audit === undefined) return { keys: [] };
  const isList = Array.isArray(audit.key);
  const keys: string[] = [];
  for (const [index, one] of [audit.key].flat().entries()) {
    const path = ['audit', 'key', ...(isList ? [index] : [])];
    const key = dereference(path, one);
    if (key === null) continue;
    const flaw = flawOf(key, keys);
    if (flaw !== null) errors.push(inValue(path, ...flaw));
    keys.push(key);
  }
  return { keys };
}

function flawOf(key: string, before: readonly string[]): [message: string, hint: string] | null {
  if (Buffer.byteLength(key) < auditKeyBytesMin) {
    return [
      `the audit key is shorter than ${auditKeyBytesMin} bytes`,
      'make one with: openssl rand -base64 48',
    ];
  }
  return before.includes(key) ? ['the same audit key stands before it', 'remove one'] : null;
}
