/** Where a value is kept that does not stand in the file: the schemas of references. Reading them is settings.ts. */
import * as v from 'valibot';
import { closed, plain, wording } from '../../policy/config-fields.ts';

export const fromEnvironment = closed({
  env: plain('The name of an environment variable; missing is an error.'),
});

const placeHint = 'write { env: NAME } or { file: PATH }';

function reference(notAMap?: string) {
  const places = {
    env: v.optional(plain('The name of an environment variable; missing is an error.')),
    file: v.optional(plain('A file that holds the value; relative to this one.')),
  };
  return v.pipe(
    closed(places, notAMap),
    v.check(
      ({ env, file }) => (env === undefined) !== (file === undefined),
      wording('the reference names not exactly one place', placeHint),
    ),
  );
}

export const fromElsewhere = reference();

/** Where nothing else may stand: what does is not repeated, for it may be the secret itself. */
export const secretElsewhere = reference(wording('not a reference to a value', placeHint));
