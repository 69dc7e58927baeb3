/** The schema of `token_types` and `scopes`: what one entry may say. Cross rules are compile-tokens.ts. */
import * as v from 'valibot';
import { isScopeName } from './cells.ts';
import { closed, list, name, named, oneOf, plain, some, text, whole, wording } from './config-fields.ts';
import { hasFixedMeaning } from './config-headers.ts';
import { pepperSchema } from './config-pepper.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { signedEntries } from './config-signed.ts';
import { unusedEntries } from './config-unused.ts';
import type { Source } from './token-types.ts';

const sourceHint = 'write bearer, header:NAME, query:NAME or cookie:NAME';

/** `bearer`, `header:X-Token`, `query:token`, `cookie:session`. Header names come out lower case. */
export function parseSource(source: string): Parsed<Source> {
  if (source === 'bearer') return parsed({ kind: 'bearer' });
  const [, kind, field] = /^(header|query|cookie):(.*)$/.exec(source) ?? [];
  if (field === undefined) return unreadable(`"${source}" is not a source`, sourceHint);
  switch (kind) {
    case 'header':
      return parseHeaderSource(field.toLowerCase());
    case 'query':
      if (/^[A-Za-z0-9_.~-]{1,100}$/.test(field)) return parsed({ kind, name: field });
      return unreadable(`"${field}" is not a plain query name`, 'use letters, digits and _ . ~ -');
    case 'cookie':
      if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(field)) return parsed({ kind, name: field });
      return unreadable(`"${field}" is not a cookie name`, 'use letters, digits, _ and -');
    default:
      return unreadable(`"${source}" is not a source`, sourceHint);
  }
}

function parseHeaderSource(field: string): Parsed<Source> {
  if (field === 'authorization') {
    return unreadable('the Authorization header is read as bearer', 'write bearer');
  }
  if (field === 'cookie') return unreadable('the Cookie header is read by cookie name', 'write cookie:NAME');
  if (!/^[a-z0-9-]{1,100}$/.test(field)) {
    return unreadable(`"${field}" is not a header name that is let through`, 'use letters, digits and -');
  }
  if (hasFixedMeaning(field)) {
    const hint = 'choose a name of your own: header:X-Api-Token';
    return unreadable(`the header ${field} has a meaning of its own`, hint);
  }
  return parsed({ kind: 'header', name: field });
}

/** `token.attribute.csrf` to `csrf`. */
export function parseAttribute(value: string): Parsed<string> {
  const [, attribute] = /^token\.attribute\.([A-Za-z0-9_.-]+)$/.exec(value) ?? [];
  if (attribute !== undefined) return parsed(attribute);
  return unreadable(`"${value}" is not an attribute of the token`, 'write token.attribute.NAME');
}

function parseCsrfHeader(value: string): Parsed<string> {
  const field = value.toLowerCase();
  if (/^[a-z0-9-]{1,100}$/.test(field) && !hasFixedMeaning(field)) return parsed(field);
  return unreadable(`"${value}" cannot be a csrf header`, 'choose a name of your own: X-CSRF-Token');
}

const avoidedMax = 32;

function parseAvoided(word: string): Parsed<string> {
  if (/^[A-Za-z0-9_-]{3,32}$/.test(word)) return parsed(word.toLowerCase());
  const hint = 'use letters, digits, - and _; what is shorter would stand in many tokens';
  return unreadable(`"${word}" is not a word of 3 to 32 characters`, hint);
}

const csrfSchema = v.pipe(
  v.union([
    v.literal('off'),
    closed({
      header: text('The header a page must send.', parseCsrfHeader, ['X-CSRF-Token']),
      equals: text('The attribute of the token it must equal.', parseAttribute, ['token.attribute.csrf']),
    }),
  ]),
  v.description(
    'For tokens sent as a cookie: what a request that changes something must carry, or off, where the upstream checks.',
  ),
);

function scopeName(description: string) {
  return v.pipe(
    v.string(),
    v.check(isScopeName, ({ input }) =>
      wording(
        `"${input}" is not a scope name (RFC 6749 §3.3)`,
        'use printable ASCII without space, ", \\, + and |: events:write',
      ),
    ),
    v.description(description),
  );
}

const prefixText = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9._~+/=|-]*$/,
    wording('a prefix holds a byte no token may hold', 'use letters, digits and . _ ~ + / = | -'),
  ),
);

const avoidSchema = v.pipe(
  some(
    'Words that must not stand in a new token, in any case: it is drawn anew until none does.',
    text('A word of 3 to 32 characters.', parseAvoided, ['todo']),
  ),
  v.maxLength(avoidedMax, ({ requirement, received }) =>
    wording(
      `${received} words are avoided, more than ${requirement}`,
      'leave out the longest: they are the rarest',
    ),
  ),
);

const issueSchema = closed({
  length: v.optional(whole('How many random characters follow the prefix of a new token.', 1, 512), 48),
  alphabet: v.optional(
    oneOf('What the random characters are drawn from.', ['base62', 'hex', 'base64url']),
    'base62',
  ),
  avoid: v.optional(avoidSchema),
});

const hashSchema = closed({
  use: oneOf(
    'How tokens are kept. sha256 for everything new; bcrypt for tokens that were kept so elsewhere.',
    ['sha256', 'bcrypt'],
  ),
  pepper: v.optional(pepperSchema),
  cost: v.optional(whole('bcrypt only: the cost of new hashes (default 10).', 4, 14)),
  lookup_chars: v.optional(
    whole('bcrypt only: how many leading characters find the rows to compare with (default 12).', 1, 64),
  ),
  // biome-ignore lint/suspicious/noThenProperty: the word an operator reads; a schema is no promise
  then: v.optional(
    oneOf('bcrypt only: the first success also writes the sha256 digest, so bcrypt is paid once per token.', [
      'sha256',
    ]),
  ),
});

const attributeKind = oneOf(
  'required: every token has one; optional: may have one; list, required_list: several.',
  ['required', 'optional', 'list', 'required_list'],
);

export const tokenTypeSchema = closed({
  prefix: v.optional(
    v.pipe(
      prefixText,
      v.description('What every token of this type starts with: pio_live_.'),
      v.examples(['pio_live_']),
    ),
    '',
  ),
  format: v.optional(
    oneOf(
      'id_pipe_random: ID|RANDOM, found by its id and compared by what follows the first |. signed: PAYLOAD.SIGNATURE, kept nowhere.',
      ['id_pipe_random', 'signed'],
    ),
  ),
  ...signedEntries,
  verify: v.optional(
    oneOf('upstream: only the upstream can verify it; judged here by its shape, and forwarded as it came.', [
      'upstream',
    ]),
  ),
  checksum: v.optional(
    oneOf('required: tokens end in a CRC32 as 6 base62 characters; one that does not is refused unread.', [
      'required',
    ]),
  ),
  aliases: v.optional(list('Other prefixes that are accepted too.', prefixText), []),
  issue: v.optional(
    v.pipe(
      issueSchema,
      v.description('How new tokens are made. What follows the prefix is opaque on verify.'),
    ),
    {},
  ),
  hash: v.optional(v.pipe(hashSchema, v.description('How tokens of this type are kept.')), { use: 'sha256' }),
  sources: v.optional(
    some(
      'Where the credential stands, in this order.',
      text('bearer, header:NAME, query:NAME or cookie:NAME.', parseSource, ['bearer', 'header:X-Api-Token']),
    ),
    ['bearer'],
  ),
  scopes: v.optional(
    list('Every token of the type has exactly these scopes.', scopeName('A declared scope.')),
  ),
  grantable: v.optional(
    list('Each token is given some of these at creation.', scopeName('A declared scope.')),
  ),
  attributes: v.optional(
    named('What a token of this type belongs to: project: required.', attributeKind),
    {},
  ),
  csrf: v.optional(csrfSchema),
  ...unusedEntries,
});

export const tokenTypesSchema = named(
  'The kinds of token there are. A type that no row names opens nothing.',
  tokenTypeSchema,
);

export const scopesSchema = v.pipe(
  v.record(scopeName('A scope.'), plain('What the scope allows, as a sentence for people.')),
  v.description('Every scope used anywhere, each with a sentence.'),
);

/** For the references that name a token type. */
export const typeName = name('A token type.');
