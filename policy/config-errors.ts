/** The schema of `errors`: how refusals are worded. Codes and bodies are judged by compile-errors.ts. */
import * as v from 'valibot';
import { closed, name, named, oneOf, text, whole } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';

const status = whole('The status, 400 to 599.', 400, 599);

const body = v.optional(
  v.pipe(
    v.unknown(),
    v.description(
      'The body as JSON: a map, a list or a text. Texts may hold fields such as {code} and {detail}; {{ is a brace.',
    ),
  ),
);

function parseOutsideCode(code: string): Parsed<string> {
  if (/^[\x21\x23-\x5b\x5d-\x7a|~]{1,100}$/.test(code)) return parsed(code);
  return unreadable(
    `"${code}" is not a code`,
    'write 1 to 100 ASCII characters without space, quote, backslash and braces: RATE_LIMITED',
  );
}

function parseContentType(value: string): Parsed<string> {
  if (/^application\/(?:[a-z0-9.-]+\+)?json(?:; ?charset=utf-8)?$/i.test(value)) return parsed(value);
  return unreadable(`"${value}" is not a JSON type`, 'write application/json, or application/NAME+json');
}

export const errorsSchema = named(
  'How refusals are worded; apis and rows use a style by its name. Absent: RFC 9457 problem+json.',
  closed({
    like: v.optional(name('A style to start from: what is written here goes before what that one says.')),
    status: v.optional(
      v.pipe(v.record(v.string(), status), v.description('Refusal code to status, where it is another.')),
      {},
    ),
    codes: v.optional(
      v.pipe(
        v.record(v.string(), text('What {code} says.', parseOutsideCode, ['RATE_LIMITED'])),
        v.description('Refusal code to the code that goes out, where it is another.'),
      ),
      {},
    ),
    body,
    content_type: v.optional(
      text('The Content-Type of the bodies written here (default application/json).', parseContentType, [
        'application/json; charset=utf-8',
      ]),
    ),
    challenge: v.optional(oneOf('off: refusals carry no WWW-Authenticate.', ['off'])),
    for: v.optional(
      v.pipe(
        v.record(
          v.string(),
          v.pipe(closed({ status: v.optional(status), body }), v.description('The wording of one refusal.')),
        ),
        v.description('Refusal code to its own status and body.'),
      ),
      {},
    ),
  }),
);
