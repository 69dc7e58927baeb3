/** Cuts members out of a body that is held, and what is no longer true of it out of its header section. */
import { keptRanges } from '../policy/body-cut.ts';
import type { JsonCut } from '../policy/json-scan.ts';
import type { Cut } from './credential.ts';

/** Fields that say what the bytes are (RFC 9530, and RFC 3230 and RFC 1864 before it). */
const digestFields = ['content-digest', 'repr-digest', 'digest', 'content-md5'];

/** What is left, moved together in the memory the body already has: nothing else may need the whole any more. */
export function withoutCuts(bytes: Uint8Array, cuts: readonly JsonCut[]): Uint8Array {
  let used = 0;
  for (const { from, to } of keptRanges(bytes.length, cuts)) {
    bytes.copyWithin(used, from, to);
    used += to - from;
  }
  return bytes.subarray(0, used);
}

/** The credential's cut, and every field that speaks of bytes which are not sent as they came. */
export function withoutDigests(cut: Cut): Cut {
  return { ...cut, fields: new Set([...cut.fields, ...digestFields]) };
}
