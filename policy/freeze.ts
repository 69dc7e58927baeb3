/** Makes a value unchangeable all the way down, maps and sets included. */

/** Freezes in place and returns it. Functions are left as they are. */
export function freezeDeep<T>(value: T): T {
  freeze(value, new Set());
  return value;
}

function freeze(value: unknown, seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Map) {
    for (const [key, held] of value) {
      freeze(key, seen);
      freeze(held, seen);
    }
    close(value, ['set', 'delete', 'clear']);
  } else if (value instanceof Set) {
    for (const held of value) freeze(held, seen);
    close(value, ['add', 'delete', 'clear']);
  } else {
    for (const held of Object.values(value)) freeze(held, seen);
  }
  Object.freeze(value);
}

/** `Object.freeze` leaves a Map's or Set's entries open; its methods must be closed by hand. */
function close(collection: object, methods: readonly string[]): void {
  for (const method of methods) {
    Object.defineProperty(collection, method, {
      value: () => {
        throw new TypeError('the policy is frozen');
      },
    });
  }
}
