/** The schema of `identity.assertion`. The header's name is judged in compile-assertion.ts; the gateway reads the keys. */
import * as v from 'valibot';
import { closed, duration, list, oneOf, plain, text, wording } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';

/** The longest an assertion may be believed, and the shortest that clocks an upstream may have allow. */
export const assertionMsMax = 60_000;
const assertionMsMin = 5000;
const keysMax = 8;

const ttl = v.pipe(
  duration('How long an assertion may be believed: 5s to 60s.', '60s'),
  v.check(
    (ms) => ms >= assertionMsMin && ms <= assertionMsMax && ms % 1000 === 0,
    wording('an assertion lives 5s to 60s, in whole seconds', 'write 60s; a fresh one is signed in time'),
  ),
);

/** null: the name of the upstream that is asked. */
function parseAudience(value: string): Parsed<string | null> {
  if (value === '{upstream}') return parsed(null);
  if (/^[\x21-\x7e]{1,200}$/.test(value) && !/[{}]/.test(value)) return parsed(value);
  return unreadable(
    `"${value}" is not an audience`,
    'write "{upstream}", or a fixed text without spaces: https://shop.internal',
  );
}

function parseIssuer(value: string): Parsed<string> {
  if (/^[\x21-\x7e]{1,200}$/.test(value)) return parsed(value);
  return unreadable(`"${value}" is not an issuer`, 'write a text without spaces: postern');
}

const keyReference = v.pipe(
  closed({
    env: v.optional(plain('The name of an environment variable that holds the key.')),
    file: v.optional(plain('A file that holds the key; relative to this one.')),
  }),
  v.check(
    ({ env, file }) => (env === undefined) !== (file === undefined),
    wording('the reference names not exactly one place', 'write { env: NAME } or { file: PATH }'),
  ),
);

export const assertionSchema = v.pipe(
  closed({
    header: v.optional(plain('The header that carries it; reserved by itself.'), 'X-Postern-Assertion'),
    ttl: v.optional(ttl, '60s'),
    audience: v.optional(
      text('aud: "{upstream}" is the name of the upstream; or a fixed text.', parseAudience, ['{upstream}']),
      '{upstream}',
    ),
    issuer: v.optional(
      text('iss: who signs, so that an upstream knows it is this gateway.', parseIssuer, ['postern']),
      'postern',
    ),
    bind: v.optional(
      list(
        'method and path: also sign what is asked. Then every request is signed anew.',
        oneOf('method or path.', ['method', 'path']),
      ),
      [],
    ),
    key: v.pipe(
      v.union([
        v.pipe(
          v.array(keyReference, wording('', 'write { file: PATH }, { env: NAME } or a list of these')),
          v.minLength(1, wording('the list of keys is empty', 'write at least one: { file: PATH }')),
          v.maxLength(keysMax, wording(`more than ${keysMax} keys`, 'drop those that sign no more')),
        ),
        keyReference,
      ]),
      v.description(
        'An Ed25519 private key in PEM (PKCS #8), by reference; or several: the first signs, all are published.',
      ),
    ),
  }),
  v.description('A signed statement of who calls (JWT, EdDSA), for upstreams that do not trust the network.'),
);
