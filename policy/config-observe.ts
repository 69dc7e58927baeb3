/** The schema of a row's `observe`: which answers of the upstream change a pin of ours. Cross rules are compile-observe.ts. */
import * as v from 'valibot';
import { closed, name, oneOf, some, text } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { parsePointer } from './json-pointer.ts';

/** `json:/a/b` to its keys. */
export function parseFrom(value: string): Parsed<readonly string[]> {
  if (value.startsWith('json:/')) return parsePointer(value.slice('json:'.length));
  const hint = 'write json: and a JSON pointer: json:/bundle_id, json:/app/bundle_id';
  return unreadable(`"${value}" points at nothing`, hint);
}

function parseParam(value: string): Parsed<string> {
  const [, param] = /^\{([A-Za-z_][A-Za-z0-9_]{0,63})\}$/.exec(value) ?? [];
  if (param !== undefined) return parsed(param);
  return unreadable(`"${value}" is not a path parameter`, 'write one of the row: of: "{project}"');
}

const observation = closed({
  on: oneOf('Which answers count: those the upstream gives with a status of 200 to 299.', ['2xx']),
  pin: name('A pin of kind bundle_id.'),
  of: v.optional(
    text(
      'The path parameter that says whose pin: the value of the attribute (or the id of the token) it belongs to; default: the only one.',
      parseParam,
      ['{project}'],
    ),
  ),
  from: text('json:/POINTER (RFC 6901) to the value in the answer.', parseFrom, ['json:/bundle_id']),
});

export const observeSchema = v.pipe(
  v.union([observation, some('Several at once.', observation)]),
  v.description("What the upstream's success changes in our pins, before its answer goes out."),
);
