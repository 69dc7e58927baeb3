/** Texts that callers chose, as every database here can keep and index them. */

const unitsMax = 200;

/** The first 200 characters, without what PostgreSQL has no text for. */
export function keptText(text: string): string {
  const short = text.length > unitsMax ? text.slice(0, unitsMax) : text;
  return short.replaceAll('\0', '').toWellFormed();
}
