/** A token in the query: found by exact name, cut without touching another byte. */
import { denied } from '../policy/denial.ts';
import type { Outcome } from '../policy/types.ts';

/**
 * The decoded value of one parameter; null: absent or empty.
 * A repeated name, or one spelled with escapes, would mean different things to different parsers.
 */
export function queryValue(query: string | null, name: string): Outcome<string | null> {
  if (query === null) return { ok: true, value: null };
  let found: string | null = null;
  let count = 0;
  for (const pair of query.split('&')) {
    const [key, value] = split(pair);
    if (key !== name) {
      if (key.includes('%') && decoded(key) === name) {
        return denied('credential_ambiguous', `query name ${name} is percent-encoded`);
      }
      continue;
    }
    count++;
    found = value;
  }
  if (count > 1) return denied('credential_ambiguous', `query name ${name} is repeated`);
  if (found === null || found === '') return { ok: true, value: null };
  const value = decoded(found);
  if (value === null) return denied('credential_malformed', `query ${name} is not percent-encoded UTF-8`);
  return { ok: true, value };
}

/** Removes `name=value` and one `&`, wherever it stands; everything else stays byte for byte. */
export function cutFromQuery(query: string | null, name: string): string | null {
  // An escaped spelling of the name is cut as well, where another source was read first.
  if (query === null || !(query.includes(name) || query.includes('%'))) return query;
  const kept = query.split('&').filter((pair) => {
    const [key] = split(pair);
    return key !== name && (!key.includes('%') || decoded(key) !== name);
  });
  return kept.length === 0 ? null : kept.join('&');
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
