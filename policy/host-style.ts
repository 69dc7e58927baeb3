/** How a refusal is worded where no row does it: as the apis of its host are, if they are all worded alike. */
import { isHidden } from './denial.ts';
import { commonStyle, type ErrorStyle } from './error-style.ts';
import type { Denial, Policy, Route, RowSet } from './types.ts';

/** As much of an api as counts here: rows may be worded otherwise. */
export type HostedApi = { readonly hosts: readonly string[]; readonly errors: ErrorStyle | null };

/**
 * Prepares `Policy.styleFor`. The apis of a host are those whose rows it can reach: the ones that name it, and the
 * ones that name none. Where there are none, or nobody can tell the host, all apis count.
 */
export function prepareStyles(apis: readonly HostedApi[]): Policy['styleFor'] {
  const open = apis.filter(({ hosts }) => hosts.length === 0);
  const named = new Map<string, ErrorStyle | null>();
  for (const host of apis.flatMap(({ hosts }) => hosts)) {
    named.set(host, styleOfAll([...apis.filter(({ hosts }) => hosts.includes(host)), ...open]));
  }
  const anywhere = styleOfAll(apis);
  const elsewhere = open.length === 0 ? anywhere : styleOfAll(open);
  return (host) => {
    if (host === null) return anywhere;
    const own = named.get(host);
    return own === undefined ? elsewhere : own;
  };
}

function styleOfAll([first, ...others]: readonly HostedApi[]): ErrorStyle | null {
  const style = first?.errors ?? null;
  return others.every(({ errors }) => errors === style) ? style : null;
}

/**
 * How one refusal is worded. What must look like a path that does not exist is worded as that is, whatever its row
 * says. @param rows of the path, where none of them was chosen: they word it if they are worded alike.
 */
export function styleOf(
  { styleFor }: Pick<Policy, 'styleFor'>,
  host: string | null,
  denial: Pick<Denial, 'status'> & { readonly code: string },
  route: Route | null,
  rows: RowSet = [],
): ErrorStyle | null {
  if (isHidden(denial)) return styleFor(host);
  const common = rows.length === 0 ? route?.errors : commonStyle(rows);
  return common === undefined ? styleFor(host) : common;
}
