/** What is left of a body out of which members are cut. Numbers in, numbers out: the bytes are the gateway's. */
import type { JsonCut } from './json-scan.ts';

/** The bytes from `from` up to before `to`. */
export type ByteRange = { readonly from: number; readonly to: number };

/** In order; never empty, for no cut takes the brackets it stands in. @param cuts in order, none over another. */
export function keptRanges(length: number, cuts: readonly JsonCut[]): readonly ByteRange[] {
  const kept: ByteRange[] = [];
  let from = 0;
  for (const cut of cuts) {
    if (cut.from > from) kept.push({ from, to: cut.from });
    from = cut.to;
  }
  if (from < length) kept.push({ from, to: length });
  return kept;
}
