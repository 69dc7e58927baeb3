/** Finds a key that stands twice in an object of a JSON text: RFC 8259 §4 leaves open which of the two a reader takes. */

type Level = {
  /** null: an array. */
  readonly keys: Set<string> | null;
  /** The key or index that is being read. */
  at: string | number;
};

/** Strings whole, so that nothing inside of one is taken for the text's own; numbers and literals say nothing here. */
const part = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

/**
 * The way to the first one, keys and indexes from the outermost; null: there is none. Keys are compared as they are meant,
 * however they are escaped. One pass without recursion.
 *
 * @param text that `JSON.parse` accepts.
 */
export function doubleKey(text: string): readonly (string | number)[] | null {
  const levels: Level[] = [];
  let isKeyNext = false;
  for (const [found] of text.matchAll(part)) {
    const level = levels.at(-1);
    if (found === '{' || found === '[') {
      isKeyNext = found === '{';
      levels.push(isKeyNext ? { keys: new Set(), at: '' } : { keys: null, at: 0 });
    } else if (found === '}' || found === ']') {
      isKeyNext = false;
      levels.pop();
    } else if (found === ',') {
      isKeyNext = level?.keys instanceof Set;
      if (typeof level?.at === 'number') level.at++;
    } else if (isKeyNext && level?.keys instanceof Set) {
      isKeyNext = false;
      const key: string = JSON.parse(found);
      level.at = key;
      if (level.keys.has(key)) return levels.map(({ at }) => at);
      level.keys.add(key);
    }
  }
  return null;
}
