/** JSON Pointers (RFC 6901) made ready for a scan: many pointers become one tree of keys. */
import { type Parsed, parsed, unreadable } from './config-problem.ts';

/** A place that some pointer passes or ends at. */
export type PointerNode = {
  /** The pointer that ends here; null: none does. */
  readonly pointer: string | null;
  /** By exact key. An array's items go by their index as a decimal. */
  readonly children: ReadonlyMap<string, PointerNode>;
  /** Keys that some reader could take for one of `children`: see `foldKey`. */
  readonly folded: ReadonlySet<string>;
  /** Raw bytes above which no key can be one of `folded`, however it is escaped. */
  readonly keyBytesMax: number;
  /** The pointer of the member that is cut out here; null: none is. */
  readonly cut: string | null;
  /** Whether a member that is cut out is somewhere below. */
  readonly leadsToCut: boolean;
};

/** What a scan looks for. Plain and frozen; made once, when the config is compiled. */
export type JsonQuery = { readonly pointers: readonly string[]; readonly root: PointerNode };

/** More than this many steps are a mistake, not a body. */
const stepsMax = 16;

/** The steps of a pointer; '' is the whole document. */
export function parsePointer(text: string): Parsed<readonly string[]> {
  if (text === '') return parsed([]);
  const hint = 'write / before every key: /app_id, /events/0/id; ~1 stands for / and ~0 for ~ in a key';
  if (!text.startsWith('/')) return unreadable(`"${text}" is not a JSON pointer (RFC 6901)`, hint);
  if (/~(?![01])/.test(text)) {
    return unreadable(`"${text}" has a ~ that escapes nothing`, 'write ~0 for ~ and ~1 for /');
  }
  const steps = text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (steps.length > stepsMax) return unreadable(`"${text}" is deeper than ${stepsMax} keys`, hint);
  return parsed(steps);
}

/**
 * A key as the most lenient reader compares it: without case, as Go's encoding/json does (ſ is s and the
 * Kelvin sign is k there too, and ẞ is ß: lower case first, for ß has no upper case of one letter). Used only to refuse.
 */
export function foldKey(key: string): string {
  return key.toLowerCase().toUpperCase().toLowerCase();
}

/**
 * @param pointers to what is asked for. @param cut to members that are cut out: none is '', none below another.
 *   `parsePointer` has read both.
 */
export function compileQuery(pointers: readonly string[], cut: readonly string[] = []): JsonQuery {
  const step = (pointer: string, isCut: boolean): Step => {
    const read = parsePointer(pointer);
    if (!read.ok) throw new Error(read.message);
    return { pointer, isCut, rest: read.value };
  };
  const asked = pointers.map((pointer) => step(pointer, false));
  return { pointers, root: nodeOf([...asked, ...cut.map((pointer) => step(pointer, true))]) };
}

type Step = { readonly pointer: string; readonly isCut: boolean; readonly rest: readonly string[] };

function nodeOf(steps: readonly Step[]): PointerNode {
  const below = new Map<string, Step[]>();
  let pointer: string | null = null;
  let cut: string | null = null;
  for (const step of steps) {
    const [key, ...rest] = step.rest;
    if (key !== undefined) below.set(key, [...(below.get(key) ?? []), { ...step, rest }]);
    else if (step.isCut) cut = step.pointer;
    else pointer = step.pointer;
  }
  const folded = new Set([...below.keys()].map(foldKey));
  // Folding makes no key shorter, and no unit of a key takes more raw bytes than the six of `\u0061`.
  const longest = Math.max(0, ...[...folded].map((key) => key.length));
  return {
    pointer,
    children: new Map([...below].map(([key, deeper]) => [key, nodeOf(deeper)])),
    folded,
    keyBytesMax: longest * 6,
    cut,
    leadsToCut: steps.some(({ isCut, rest }) => isCut && rest.length > 0),
  };
}
