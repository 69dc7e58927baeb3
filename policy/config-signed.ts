/** The keys of token types that are signed: what they are for, and where their keys are kept; never a key itself. */
import * as v from 'valibot';
import { closed, oneOf, plain, wording } from './config-fields.ts';

const keysMax = 3;
const hint = 'write { env: NAME } or { file: PATH }';
const notReference = wording('not a reference to a key', hint);

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
    wording('the reference names not exactly one place', hint),
  ),
);

const keySchema = v.pipe(
  v.union(
    [
      reference,
      v.pipe(
        v.array(reference),
        v.minLength(1, wording('the list of keys is empty', 'write at least one: { env: NAME }')),
        v.maxLength(keysMax, ({ requirement, received }) =>
          wording(
            `${received} keys are more than ${requirement}`,
            'drop the oldest, once nothing it signed is in use',
          ),
        ),
      ),
    ],
    notReference,
  ),
  v.description(
    'signed only: the HMAC key, by reference; or several, the newest first: any of them may have signed.',
  ),
);

/** A place to read a key from. */
export type KeyReference = v.InferOutput<typeof reference>;

const fieldName = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9_-]{1,100}$/,
    wording('not the name of a field', 'use letters, digits, _ and -: trigger_expires_at'),
  ),
  v.description(
    'signed only: the field of the payload that says until when it holds, as RFC 3339 (default trigger_expires_at).',
  ),
);

export const signedEntries = {
  use: v.optional(
    oneOf('annotate: says something of a request, and opens nothing; with format: signed.', ['annotate']),
  ),
  key: v.optional(keySchema),
  derive: v.optional(
    plain(
      'signed only: what signs is hex(HMAC-SHA256(key, this text)), so that each project has a key of its own.',
    ),
  ),
  expires: v.optional(fieldName),
};
