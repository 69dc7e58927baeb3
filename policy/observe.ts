/** What an upstream's answer says of a pin of ours. Reads plain values; changes nothing. */
import { pinSubject, pinValueFlaw } from './pin-value.ts';
import type { Match, Observation } from './types.ts';

const none: readonly Observation[] = Object.freeze([]);

/** What a 2xx to this request would change, and whose. @throws Error where a row names a parameter it has not. */
export function observationsOf({ route, params }: Match): readonly Observation[] {
  if (route.observe.length === 0) return none;
  return route.observe.map(({ pin, owner, param, pointer }) => {
    const value = params.get(param);
    if (value === undefined || value === '') throw new Error('a row observes a parameter it does not have');
    return { pin, subject: pinSubject(owner, value), pointer };
  });
}

/** `value` null: let go. */
export type Observed =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly value: string | null }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * What a parsed JSON answer says at a pointer (RFC 6901 §4): a text is the new value, null or "" lets go, nothing
 * there changes nothing. Anything else cannot be told, and must not pass for one of these.
 */
export function observe(answer: unknown, pointer: readonly string[]): Observed {
  let at = answer;
  for (const key of pointer) {
    if (typeof at !== 'object' || at === null) return { kind: 'unchanged' };
    if (Array.isArray(at) && !/^(?:0|[1-9][0-9]{0,9})$/.test(key)) return { kind: 'unchanged' };
    if (!Object.hasOwn(at, key)) return { kind: 'unchanged' };
    at = Reflect.get(at, key);
  }
  if (at === null || at === '') return { kind: 'changed', value: null };
  if (typeof at !== 'string') return { kind: 'unreadable', reason: 'it is not a text' };
  const flaw = pinValueFlaw(at);
  return flaw === null ? { kind: 'changed', value: at } : { kind: 'unreadable', reason: flaw };
}
