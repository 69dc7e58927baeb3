/** The part of a diff that understands nothing, and so misses nothing: what differs is `changed`. */
import type { Change } from './diff-verdicts.ts';

/** Each key in which the two differ, but for `except`. */
export function compareValues(
  row: string | null,
  prefix: string,
  before: object,
  after: object,
  except: ReadonlySet<string> = new Set(),
): readonly Change[] {
  const [was, is]: Readonly<Record<string, unknown>>[] = [{ ...before }, { ...after }];
  const keys = [...new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])];
  return keys.flatMap((key): Change[] => {
    if (except.has(key)) return [];
    if (isSame(was?.[key], is?.[key])) return [];
    const [from, to] = [textOf(was?.[key]), textOf(is?.[key])];
    return [{ verdict: 'changed', row, what: `${prefix}${key}`, from, to }];
  });
}

/** Whether nothing differs, all the way down. What is not there is the same as null. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return JSON.stringify(plainOf(one) ?? null) === JSON.stringify(plainOf(other) ?? null);
}

export function textOf(value: unknown): string {
  const plain = plainOf(value);
  if (plain === undefined || plain === null) return 'none';
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}

/** Maps and sets as what JSON has. Functions are left out: they are made of the rest. */
export function plainOf(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plainOf(item)]));
  if (value instanceof Set) return [...value].map(plainOf);
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainOf(item)]));
}
