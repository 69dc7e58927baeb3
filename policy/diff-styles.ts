/** How each host words what no row answers for, by either config. */

import { isSame } from './diff-values.ts';
import type { Change } from './diff-verdicts.ts';
import type { ErrorStyle } from './error-style.ts';
import type { Policy } from './types.ts';

/** @param anyHost one that no config names. */
export function compareStyles(before: Policy, after: Policy, anyHost: string): readonly Change[] {
  const named = [...before.routes, ...after.routes].flatMap(({ hosts }) => hosts);
  return [...new Set([...named, anyHost, null])].flatMap((host): Change[] => {
    const [was, is] = [before.styleFor(host), after.styleFor(host)];
    if (isSame(was, is)) return [];
    const place = host === null ? 'no host' : host === anyHost ? 'any other host' : host;
    const to = was?.name === is?.name ? `${textOf(is)}, worded otherwise` : textOf(is);
    return [{ verdict: 'changed', row: null, what: `errors without a row, ${place}`, from: textOf(was), to }];
  });
}

function textOf(style: ErrorStyle | null): string {
  return style === null ? 'RFC 9457' : style.name;
}
