/** The schema of a row's `observe`: which answers of the upstream change something here. Cross rules are compile-observe.ts. */
import * as v from 'valibot';
import { closed, duration, list, name, oneOf, plain, some, text, wording } from './config-fields.ts';
import { hasFixedMeaning } from './config-headers.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { parameterName } from './config-rows.ts';
import { parseAttribute, typeName } from './config-tokens.ts';
import { parsePointer } from './json-pointer.ts';
import type { ObservedSource, ObservedValue, SecretSource } from './observe-types.ts';

/** `json:/a/b` to its pointer. */
export function parseFrom(value: string): Parsed<string> {
  const hint = 'write json: and a JSON pointer: json:/bundle_id, json:/app/bundle_id';
  if (!value.startsWith('json:/')) return unreadable(`"${value}" points at nothing`, hint);
  const pointer = value.slice('json:'.length);
  const steps = parsePointer(pointer);
  return steps.ok ? parsed(pointer) : steps;
}

/** `json:/token`, `set-cookie:session`. */
function parseSecret(value: string): Parsed<SecretSource> {
  const [, cookie] = /^set-cookie:(.*)$/.exec(value) ?? [];
  if (cookie === undefined) {
    const pointer = parseFrom(value);
    return pointer.ok ? parsed({ kind: 'json', pointer: pointer.value }) : pointer;
  }
  // RFC 6265 §4.1.1
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(cookie)) return parsed({ kind: 'set-cookie', name: cookie });
  return unreadable(`"${cookie}" is not the name of a cookie`, 'write set-cookie:session');
}

function parseParam(value: string): Parsed<string> {
  const param = parameterName(value);
  if (param !== null) return parsed(param);
  return unreadable(`"${value}" is not a path parameter`, 'write one of the row: of: "{project}"');
}

/** `json:/user/id`, `header:X-Client`, `{project}`, `token.attribute.user`, or a text. */
export function parseObserved(value: string): Parsed<ObservedSource> {
  const param = parameterName(value);
  if (param !== null) return parsed({ kind: 'param', param });
  if (/[{}]/.test(value)) {
    const hint = 'a parameter stands alone: "{project}"';
    return unreadable(`"${value}" mixes a parameter with other text`, hint);
  }
  const [, kind, place = ''] = /^(json|header|set-cookie|query|cookie):(.*)$/.exec(value) ?? [];
  if (kind === 'json') {
    const pointer = parseFrom(value);
    return pointer.ok ? parsed({ kind, pointer: pointer.value }) : pointer;
  }
  if (kind === 'header') return parseHeader(place);
  if (kind !== undefined) {
    const hint = 'write json:/user/id, header:X-Client, "{project}", token.attribute.NAME, or a text';
    return unreadable(`no value is read from ${kind}`, hint);
  }
  if (!value.startsWith('token.')) return parsed({ kind: 'text', text: value });
  const attribute = parseAttribute(value);
  return attribute.ok ? parsed({ kind: 'attribute', name: attribute.value }) : attribute;
}

function parseHeader(place: string): Parsed<ObservedSource> {
  const field = place.toLowerCase();
  if (!/^[a-z0-9-]{1,100}$/.test(field)) {
    return unreadable(`"${place}" is not a header name that is let through`, 'use letters, digits and -');
  }
  if (!hasFixedMeaning(field)) return parsed({ kind: 'header', name: field });
  return unreadable(
    `the header ${field} has a meaning of its own`,
    'choose a name of your own: header:X-Client',
  );
}

const source = text(
  'json:/POINTER in the answer, header:NAME of the request, a path parameter "{project}", token.attribute.NAME of the caller, or a text.',
  parseObserved,
  ['json:/user/id'],
);

const value = v.pipe(
  v.union(
    [
      v.pipe(
        source,
        v.transform((from): ObservedValue => ({ from, otherwise: null })),
      ),
      v.pipe(
        closed({
          from: source,
          default: v.optional(plain('The value where nothing stands there.')),
          one_of: v.optional(
            some('header:NAME only: what a caller may say; all else is nothing.', plain('A value.')),
          ),
        }),
        v.transform(
          ({ from, default: otherwise = null, one_of: among }): ObservedValue => ({
            from,
            otherwise,
            ...(among && { among }),
          }),
        ),
      ),
    ],
    wording('this is no value', 'write json:/user/id, or { from: header:X-Client, default: mobile }'),
  ),
  v.description(
    'Where the value stands; with from also default, what it is where nothing stands there, and one_of, what a caller may say.',
  ),
);

const attributes = v.optional(v.record(name('An attribute of the type.'), value), {});

const learned = v.pipe(
  closed({
    type: typeName,
    from: text(
      'Where the answer holds it: json:/POINTER, or set-cookie:NAME. Nothing there: nothing is learned.',
      parseSecret,
      ['json:/token'],
    ),
    attributes: v.pipe(attributes, v.description('What it belongs to.')),
    scopes: v.optional(list('What it may do, where its type lets choose.', plain('A scope.'))),
    label: v.optional(value),
    expires_in: v.optional(duration('How long it lives; default: it has no end of its own.', '7d')),
    instead_of: v.optional(
      some('All others of the type with the same of these attributes end with it.', name('An attribute.')),
    ),
  }),
  v.description('A token that the answer holds, and that is one of ours from now on.'),
);

const ended = v.pipe(
  v.union(
    [
      v.pipe(v.literal('caller'), v.description('The token that asked.')),
      closed({ type: typeName, attributes: v.pipe(attributes, v.description('What they belong to.')) }),
    ],
    wording(
      'this ends nothing',
      'write end: caller, or end: { type: project, attributes: { project: "{project}" } }',
    ),
  ),
  v.description('Which tokens end: caller, or all of a type with these attributes.'),
);

/** One of `pin`, `token` and `end` must be there; `of` and `from` are for `pin`. */
const observation = closed({
  on: oneOf('Which answers count: those the upstream gives with a status of 200 to 299.', ['2xx']),
  pin: v.optional(name('A pin of kind bundle_id, which changes.')),
  of: v.optional(
    text(
      'pin: the path parameter that says whose: the value of the attribute (or the id of the token) it belongs to; default: the only one.',
      parseParam,
      ['{project}'],
    ),
  ),
  from: v.optional(
    text('pin: json:/POINTER (RFC 6901) to the value in the answer.', parseFrom, ['json:/bundle_id']),
  ),
  token: v.optional(learned),
  end: v.optional(ended),
});

export const observeSchema = v.pipe(
  v.union([observation, some('Several at once.', observation)]),
  v.description("What the upstream's success changes in our pins and tokens, before its answer goes out."),
);

export type ObserveConfig = v.InferOutput<typeof observation>;
export type LearnedConfig = v.InferOutput<typeof learned>;
export type EndedConfig = v.InferOutput<typeof ended>;
