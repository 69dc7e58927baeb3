/** The schema of `hash.pepper`: where peppers are kept, never a pepper itself. */
import * as v from 'valibot';
import { closed, plain, text, wording } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';

const peppersMax = 3;
const hint = 'write { env: NAME } or { file: PATH }; none stands for tokens made without a pepper';

/** Never repeats what it was given: it may be a pepper. */
function parseNone(value: string): Parsed<null> {
  return value === 'none' ? parsed(null) : unreadable('not a reference to a pepper', hint);
}

const notReference = wording('not a reference to a pepper', hint);

const reference = v.pipe(
  closed({
    env: v.optional(plain('The name of an environment variable; missing is an error.')),
    file: v.optional(plain('A file that holds the pepper; relative to this one.')),
  }),
  v.check(
    ({ env, file }) => (env === undefined) !== (file === undefined),
    wording('the reference names not exactly one place', 'write { env: NAME } or { file: PATH }'),
  ),
);

/** Peppers, the newest first; null, for none, may be the last. */
export const pepperSchema = v.pipe(
  v.array(
    v.union([text('none: tokens made without a pepper.', parseNone, ['none']), reference], notReference),
    wording('not a list of references', 'write pepper: [{ env: PEPPER }]'),
  ),
  v.minLength(1, wording('the list is empty', 'write at least one, or leave the key out')),
  v.maxLength(peppersMax, ({ requirement, received }) =>
    wording(
      `${received} peppers are more than ${requirement}`,
      `each one makes a look-up longer; drop the oldest, once no token needs it`,
    ),
  ),
  v.description(
    'sha256 only: secrets that key the digest. New tokens use the first; the others find older ones, at most 3 in all.',
  ),
);

/** A place to read a pepper from; null: none. */
export type PepperReference = v.InferOutput<typeof pepperSchema>[number];
