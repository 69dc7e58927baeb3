/**
 * Bundle pins: whether a request is used under the id that was pinned, and what is pinned at first use.
 * As with origins, an id is a statement by the caller: it keeps honest clients apart, it proves nothing.
 */

import type { BundlePin, PinEvidence, PinOwed, PinSource, PinStanding, Reading } from './body-types.ts';
import { denial } from './denial.ts';
import { isWatching } from './monitor.ts';
import { pinOwner, pinSubject, pinValueFlaw } from './pin-value.ts';
import type { TokenRecord } from './token-types.ts';
import type { Denial, Route } from './types.ts';

const none: readonly PinOwed[] = [];

/** The pins of the row, each with whose it is. */
export function pinsOwed(route: Route, token: TokenRecord | null): readonly PinOwed[] {
  if (route.bundlePins.length === 0) return none;
  return route.bundlePins.map((pin) => ({ pin, subject: token === null ? null : subjectOf(pin, token) }));
}

/** `project=prj_a`, `token=tok_…`; null: the token does not say. */
function subjectOf(pin: BundlePin, token: TokenRecord): string | null {
  const { belongsTo } = pin;
  const value = belongsTo.kind === 'token' ? token.id : token.attributes.get(belongsTo.name);
  return typeof value === 'string' ? pinSubject(pinOwner(pin), value) : null;
}

/** What one source says; `unusable`: something that cannot be an id. */
type Said =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unusable' };

/** What a request says of its id, in the order of the pin's sources. */
export type Presented = readonly Said[];

/** @param reading the row's; null where no source is in the body. @param values every value of a header. */
export function presentedFor(
  { from }: BundlePin,
  reading: Reading | null,
  values: (lowerName: string) => readonly string[],
): Presented {
  return from.map((source) => saidBy(source, reading, values));
}

function saidBy(
  source: PinSource,
  reading: Reading | null,
  values: (lowerName: string) => readonly string[],
): Said {
  if (source.kind === 'header') {
    const [value, second] = values(source.name);
    if (value === undefined) return { kind: 'nothing' };
    return second === undefined ? usable(value) : { kind: 'unusable' };
  }
  if (reading === null) throw new Error('the body was not read');
  const found = reading.found.get(source.pointer);
  if (found === undefined) return { kind: 'nothing' };
  return found.kind === 'string' && found.value !== null ? usable(found.value) : { kind: 'unusable' };
}

function usable(id: string): Said {
  return pinValueFlaw(id) === null ? { kind: 'id', id } : { kind: 'unusable' };
}

/** The first id among what was presented; null: there is none. */
export function sentId(presented: Presented): string | null {
  for (const said of presented) if (said.kind === 'id') return said.id;
  return null;
}

/** `first`: nothing is pinned, this would be. It is no yes before it was pinned and judged again. */
export type PinVerdict =
  | { readonly kind: 'yes'; readonly evidence: PinEvidence; readonly detail: string }
  | { readonly kind: 'first'; readonly id: string }
  | { readonly kind: 'no'; readonly denial: Denial };

/**
 * @param pinned what is pinned for the subject now; null: nothing.
 * @param isFirst whether it is this request that has just pinned it.
 */
export function judgePin(
  owed: PinOwed,
  presented: Presented,
  pinned: string | null,
  isFirst = false,
): PinVerdict {
  const { pin } = owed;
  if (owed.subject === null) return no('bundle_missing', pin, 'the token does not say whose it is', null);
  const ids = new Set(presented.flatMap((said) => (said.kind === 'id' ? [said.id] : [])));
  const [id = null] = ids;
  if (presented.some(({ kind }) => kind === 'unusable')) {
    const code = pinned === null ? 'bundle_missing' : 'bundle_mismatch';
    return no(code, pin, 'it is no text that can be pinned', pinned);
  }
  if (ids.size > 1) return no('bundle_mismatch', pin, 'its sources disagree', pinned);
  if (pinned === null) return judgeUnpinned(owed, id);
  const standing = { pinned, sent: id, isFirst };
  if (id !== null && id !== pinned) return no('bundle_mismatch', pin, 'another id is pinned', pinned);
  // One that is only where it need not be does not stand in for the first source.
  if (presented[0]?.kind === 'id') return yes(owed, standing, 'it is what is pinned');
  if (pin.whenMissing === 'allow') return yes(owed, standing, 'it is missing, and that is allowed');
  return no('bundle_missing', pin, 'it is missing, and one is pinned', pinned);
}

const nothingPinned: PinStanding = { pinned: null, sent: null, isFirst: false };

/** Evidence in place of a pin's no, while it only watches; null: it is enforced. @param now Unix ms. */
export function watchPin(owed: PinOwed, pinned: string | null, now: number): PinEvidence | null {
  return isWatching(owed.pin.monitorUntil, now) ? evidenceOf(owed, { ...nothingPinned, pinned }) : null;
}

function evidenceOf(owed: PinOwed, standing: PinStanding): PinEvidence {
  return { owed, standing } as unknown as PinEvidence;
}

function judgeUnpinned(owed: PinOwed, id: string | null): PinVerdict {
  const { pin } = owed;
  if (id !== null) {
    if (pin.firstUse === 'pin') return { kind: 'first', id };
    return no('bundle_mismatch', pin, 'nothing is pinned, and first use does not pin', null);
  }
  if (pin.whenMissing === 'deny') return no('bundle_missing', pin, 'it is missing', null);
  return yes(owed, nothingPinned, 'it is missing, and nothing is pinned');
}

function yes(owed: PinOwed, standing: PinStanding, detail: string): PinVerdict {
  return { kind: 'yes', evidence: evidenceOf(owed, standing), detail };
}

function no(
  code: 'bundle_mismatch' | 'bundle_missing',
  pin: BundlePin,
  reason: string,
  pinned: string | null,
): PinVerdict {
  const masked = pin.revealMasked && pinned !== null ? { maskedPin: maskPin(pinned) } : {};
  return { kind: 'no', denial: denial(code, `pin ${pin.name}: ${reason}`, masked) };
}

/** `*om.acme.app`. */
function maskPin(pinned: string): string {
  return `*${[...pinned].slice(1).join('')}`;
}
