/** A value that is here, or on its way: SQLite answers at once, Postgres later, and what follows is written once. */

export type Eventually<T> = T | Promise<T>;

/** Goes on at once where nothing has to be waited for. */
export function andThen<T, R>(value: Eventually<T>, next: (value: T) => Eventually<R>): Eventually<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** All of them, in order. */
export function allOf<T>(values: readonly Eventually<T>[]): Eventually<readonly T[]> {
  return values.some((value) => value instanceof Promise) ? Promise.all(values) : (values as readonly T[]);
}
