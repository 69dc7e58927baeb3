/** Reads `admin.operators`: who may sign in to the dashboard by a password, and what they may do. Repeats no hash. */
import * as v from 'valibot';
import { type AdminScope, adminScopes } from '../../policy/admin-type.ts';
import { closed, named, plain, some, text, wording } from '../../policy/config-fields.ts';
import {
  type ConfigPath,
  type ConfigProblem,
  inValue,
  type Parsed,
  parsed,
  suggest,
  unreadable,
} from '../../policy/config-problem.ts';
import type { AdminConfig } from './admin-settings.ts';

export type OperatorSettings = {
  readonly name: string;
  /** Argon2id as a PHC string. Secret: whoever has it can guess at the password. */
  readonly passwordHash: string;
  readonly scopes: readonly AdminScope[];
};

/** By name. */
export type Operators = ReadonlyMap<string, OperatorSettings>;

const hint = 'write { env: NAME } or { file: PATH }; postern operator hash makes the value';

/** Never repeats what it was given: it may be a password. */
const passwordSchema = v.pipe(
  closed(
    {
      env: v.optional(plain('The name of an environment variable; missing is an error.')),
      file: v.optional(plain('A file that holds the hash; relative to this one.')),
    },
    wording('not a reference to the hash of a password', hint),
  ),
  v.check(
    ({ env, file }) => (env === undefined) !== (file === undefined),
    wording('the reference names not exactly one place', 'write { env: NAME } or { file: PATH }'),
  ),
  v.description('Where the Argon2id hash of the password is, as postern operator hash prints it.'),
);

function parseScope(value: string): Parsed<AdminScope> {
  const scope = adminScopes.find((one) => one === value);
  if (scope !== undefined) return parsed(scope);
  return unreadable(`"${value}" is no admin scope`, suggest(value, adminScopes, 'see docs/admin-api.md'));
}

export const operatorsSchema = named(
  'Who may sign in to the dashboard by name and password.',
  closed({
    password: passwordSchema,
    scopes: some('What they may do: admin scopes.', text('An admin scope.', parseScope, ['tokens:read'])),
  }),
);

type Reading = {
  readonly admin: AdminConfig | undefined;
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (
    path: ConfigPath,
    reference: { readonly env?: string | undefined; readonly file?: string | undefined },
  ) => string | null;
};

export function resolveOperators({ admin, errors, dereference }: Reading): Operators {
  const operators = new Map<string, OperatorSettings>();
  for (const [name, { password, scopes }] of Object.entries(admin?.operators ?? {})) {
    const path = ['admin', 'operators', name, 'password'];
    const passwordHash = dereference(path, password);
    if (passwordHash === null) continue;
    const flaw = hashFlaw(passwordHash);
    if (flaw !== null) errors.push(inValue(path, flaw, 'make one with: postern operator hash'));
    operators.set(name, { name, passwordHash, scopes: [...new Set(scopes)] });
  }
  return operators;
}

/** Its parameters, salt and hash in unpadded base64 (PHC string format). */
export const phcText =
  /^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** OWASP's least for Argon2id: 19 MiB twice, or 46 MiB once. */
const isCostly = (memory: number, passes: number) => (memory >= 19_456 && passes >= 2) || memory >= 47_104;
const memoryMax = 262_144;
const passesMax = 16;
const lanesMax = 4;

/** null: it is a hash that can be asked, and that guessing at is worth nobody's while. */
function hashFlaw(text: string): string | null {
  const [, ...parts] = phcText.exec(text) ?? [];
  const [memory = 0, passes = 0, lanes = 0] = parts.slice(0, 3).map(Number);
  if (parts.length === 0) return 'the value is no Argon2id hash in PHC form';
  const said = `m=${memory},t=${passes},p=${lanes}`;
  if (passes < 1 || lanes < 1 || !isCostly(memory, passes)) {
    return `the hash was made with ${said}, which is guessed at too fast; m=19456,t=2,p=1 is the least`;
  }
  if (memory <= memoryMax && passes <= passesMax && lanes <= lanesMax) return null;
  return `the hash asks for ${said}, and m=${memoryMax},t=${passesMax},p=${lanesMax} is the most`;
}
