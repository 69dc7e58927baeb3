/** One origin, as `cors` and `pins` list them. */
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { normaliseOrigin } from './origin.ts';

/** @param everyOne what to do instead of a wildcard. */
export function parseOrigin(value: string, everyOne: string): Parsed<string> {
  if (value === 'null')
    return unreadable('"null" is not an origin to trust', 'any page can send it; leave it out');
  if (value.includes('*')) return unreadable(`"${value}" has a wildcard`, everyOne);
  const origin = normaliseOrigin(value);
  if (origin === null || /[A-Z]/.test(value)) {
    return unreadable(
      `"${value}" is not a serialised origin`,
      'write scheme://host[:port] in lower case, without path or final slash: https://app.example.com',
    );
  }
  return parsed(origin);
}
