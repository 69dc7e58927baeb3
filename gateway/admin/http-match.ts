/** If-Match (RFC 9110 §13.1.1): a change is made only to what whoever asks for it has seen. */
import { fieldsNamed } from './http-guard.ts';
import { Refused } from './http-problem.ts';
import type { AdminRoute } from './http-route.ts';

const path = 'If-Match';
/** `"3"`, `"x", W/"y"`; empty elements are to be borne (§5.6.1.2). */
const tag = '(?:W/)?"[\\x21\\x23-\\x7e\\x80-\\xff]*"';
const tags = new RegExp(`^[ \\t,]*${tag}(?:[ \\t]*,(?:[ \\t]*${tag})?)*[ \\t]*$`);
/** Compared strongly (§8.8.3.2): a weak one is none of ours. */
const ourTag = /^[ \t]*"([1-9][0-9]{0,14})"[ \t]*$/;

/** Of a record, by its version. */
export function tagOf(version: unknown): string {
  return `"${version}"`;
}

/**
 * @returns the versions of which it must have one; none of them may be there. null: whatever it has.
 * @throws Refused where it cannot be understood, or would have no effect on a change.
 */
export function readIfMatch(
  rawHeaders: readonly string[],
  { changes, versioned }: Pick<AdminRoute, 'changes' | 'versioned'>,
): readonly number[] | null {
  const fields = fieldsNamed(rawHeaders, 'if-match');
  if (fields.length === 0 || !changes) return null;
  if (versioned !== true) {
    const hint = 'leave it out, and look before you change it';
    throw new Refused({ code: 'payload_invalid', detail: 'If-Match has no effect here', hint, path });
  }
  const said = fields.join(',');
  if (said.trim() === '*') return null;
  if (!tags.test(said)) {
    const hint = 'send the ETag of an answer as it is, with its quotes';
    throw new Refused({ code: 'payload_invalid', detail: 'not an If-Match', hint, path });
  }
  const ours = said.split(',').flatMap((one) => ourTag.exec(one)?.[1] ?? []);
  return ours.map(Number);
}
