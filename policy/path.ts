/**
 * The one parse of a request target. Refuses whatever two parsers could read differently and
 * repairs nothing: what is matched is, byte for byte, what is forwarded.
 */
import { denied } from './denial.ts';
import type { Outcome } from './types.ts';

export type Target = { readonly path: string; readonly query: string | null };

/** Longest target that is judged, in bytes. Longer is `uri_too_long`. */
export const targetBytesMax = 8192;

const plainPath = /^(?:\/[A-Za-z0-9._~!$&'()*+,=:@;-]*)+$/;
const pathBytes = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,=:@;-]|%[0-9A-Fa-f]{2})*)+$/;
/** `..;x` too: servlet upstreams drop the parameter and resolve what is left. */
const dotSegment = /\/\.{1,2}(?:[;/]|$)/;
/** Encoded control bytes, `# % / ; ? \`, and every byte that needs no encoding (RFC 3986 §2.3). */
const encodedAmbiguous =
  /%(?:[01][0-9a-f]|7f|23|25|2f|3b|3f|5c|2d|2e|5f|7e|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])/i;
const queryBytes = /^[\x21\x22\x24-\x7e]*$/;

/**
 * Splits an origin-form target (RFC 9112 §3.2.1) into path and query.
 *
 * Refused: other forms, `//`, dot segments, backslash, control and non-ASCII bytes, `#`, and any
 * escape that a second decoder would turn into path syntax. The query is not interpreted.
 */
export function parseTarget(target: string): Outcome<Target> {
  if (target.length > targetBytesMax) return denied('uri_too_long', `target of ${target.length} bytes`);
  if (target[0] !== '/') return denied('request_malformed', 'target is not in origin form');
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = mark === -1 ? null : target.slice(mark + 1);
  const flaw = flawInPath(path);
  if (flaw !== null) return denied('path_ambiguous', flaw);
  if (query !== null && !queryBytes.test(query)) {
    return denied('request_malformed', 'query holds a byte outside printable ASCII, or #');
  }
  return { ok: true, value: { path, query } };
}

function flawInPath(path: string): string | null {
  if (path.includes('//')) return 'empty segment';
  if (dotSegment.test(path)) return 'dot segment';
  if (plainPath.test(path)) return null;
  if (!pathBytes.test(path)) return 'byte outside the path grammar';
  if (encodedAmbiguous.test(path)) return 'escape that another parser may decode';
  return flawInUnicode(path);
}

/**
 * Percent-encoded UTF-8 passes if it is well formed and stays what it is: a character that
 * compatibility normalisation turns into ASCII (full-width `／`, `ſ`) could become path syntax
 * or another row's literal further on.
 */
function flawInUnicode(path: string): string | null {
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch {
    return 'escape that is not UTF-8';
  }
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) continue;
    if (code < 0xa0) return 'encoded control character';
    if (/[\x00-\x7f]/.test(char.normalize('NFKC'))) return 'character that normalises to ASCII';
  }
  return null;
}

const hostName =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*$/;
const hostLiteral = /^\[[0-9A-Fa-f:.]{2,45}\]$/;

/** Host field (RFC 9110 §7.2) to a lower-case name without port; null: not `host[:port]`. */
export function parseHost(field: string): string | null {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(field);
  const name = parts?.[1];
  if (name === undefined || name.length > 255) return null;
  if (parts?.[2] !== undefined && Number(parts[2]) > 65535) return null;
  return hostName.test(name) || hostLiteral.test(name) ? name.toLowerCase() : null;
}
