/** The schema of `body.cut`: members that never reach the upstream. Cross rules are compile-cut.ts. */
import * as v from 'valibot';
import { some, text, wording } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { parsePointer } from './json-pointer.ts';

const cutsMax = 8;

/** `json:/project_token` to its pointer. */
function parseCut(value: string): Parsed<string> {
  const hint = 'name a member: json:/project_token';
  const [, pointer] = /^json:(.*)$/s.exec(value) ?? [];
  if (pointer === undefined) return unreadable(`"${value}" is no place in a body`, hint);
  const read = parsePointer(pointer);
  if (!read.ok) return read;
  const steps = read.value;
  if (steps.length === 0) return unreadable('the whole body cannot be cut out of itself', hint);
  if (steps.includes('*')) {
    const message = `the * of "${value}" stands for nothing but a member called *`;
    return unreadable(message, 'name every member that is to go by itself');
  }
  if (steps.some((step) => /^[0-9]+$/.test(step))) {
    const message = `"${value}" leads into an array, and of those nothing is cut out`;
    return unreadable(message, 'name members of objects; a body with an array on the way to one is refused');
  }
  return parsed(pointer);
}

export const cutSchema = v.pipe(
  some(
    'JSON bodies only: members that are cut out before the body goes on; all else stays byte for byte.',
    text('json:POINTER (RFC 6901) of an object member.', parseCut, ['json:/project_token']),
  ),
  v.maxLength(cutsMax, ({ requirement, received }) =>
    wording(
      `${received} members are cut out, more than ${requirement}`,
      'cut out what holds several of them whole, or refuse such bodies upstream',
    ),
  ),
);
