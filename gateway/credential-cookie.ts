/** A token in a cookie (RFC 6265 §4.2): found by exact name, cut from the field. */
import { denied } from '../policy/denial.ts';
import type { Outcome } from '../policy/types.ts';

/** null: absent or empty. The same name twice is ambiguous: which one counts differs by framework. */
export function cookieValue(fields: readonly string[], name: string): Outcome<string | null> {
  let found: string | null = null;
  let count = 0;
  for (const pair of fields.flatMap((field) => field.split(';'))) {
    const [key, value] = split(pair);
    if (key !== name) continue;
    count++;
    found = value;
  }
  if (count > 1) return denied('credential_ambiguous', `cookie ${name} is sent twice`);
  return { ok: true, value: found === null || found === '' ? null : found };
}

/** The field without these cookies; null: nothing is left of it. */
export function cutFromCookie(field: string, names: ReadonlySet<string>): string | null {
  const kept = field.split(';').filter((pair) => !names.has(split(pair)[0]));
  const text = kept.join(';').trim();
  return text === '' ? null : text;
}

function split(pair: string): [string, string] {
  const trimmed = pair.trim();
  const at = trimmed.indexOf('=');
  return at === -1 ? [trimmed, ''] : [trimmed.slice(0, at).trim(), trimmed.slice(at + 1).trim()];
}
