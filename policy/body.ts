/** What a body means to a row that reads it: whether it may be read at all, and what a request costs. */

import type { BodyRule, Reading } from './body-types.ts';
import { denied } from './denial.ts';
import type { JsonScan } from './json-scan.ts';
import type { Charge, Claim, Denial, Outcome } from './types.ts';

/** Bytes of bodies that a process holds at one time; a row cannot read a body that is longer. */
export const bufferBytesMax = 64 * 1024 * 1024;

/** RFC 9110 §8.3.1, RFC 6839 §3.1: `application/json` or a `+json` type. */
const jsonType = /^(?:application\/json|[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+\+json)$/i;
const parameter = /^([a-z0-9!#$%&'*+.^_`|~-]+)=(?:([a-z0-9!#$%&'*+.^_`|~-]+)|"([^"\\]*)")$/i;

/**
 * Whether fields announce JSON as we read it: one JSON type, no charset but UTF-8 (an upstream would
 * otherwise read other characters than we did), and no coding.
 *
 * @param types every Content-Type; @param codings every Content-Encoding.
 */
export function checkEncoding(types: readonly string[], codings: readonly string[]): Outcome<null> {
  if (codings.length > 0) return denied('body_encoding', 'the body has a Content-Encoding');
  const [type, second] = types;
  if (type === undefined) return denied('body_encoding', 'there is no Content-Type');
  if (second !== undefined) return denied('body_encoding', 'Content-Type is sent twice');
  const [essence = '', ...parameters] = type.split(';');
  if (!jsonType.test(essence.trim())) return denied('body_encoding', 'the Content-Type is not JSON');
  for (const text of parameters) {
    // RFC 9110 §5.6.6: there may be nothing between two semicolons.
    if (text.trim() === '') continue;
    const [, name = '', bare, value = bare] = parameter.exec(text.trim()) ?? [];
    if (name === '') return denied('body_encoding', 'the Content-Type cannot be read');
    if (name.toLowerCase() !== 'charset' || value?.toLowerCase() === 'utf-8') continue;
    return denied('body_encoding', 'the charset is not UTF-8');
  }
  return { ok: true, value: null };
}

/** A scan by the rule's query becomes a reading, or `body_malformed`. */
export function readBody(rule: BodyRule, scan: JsonScan): Outcome<Reading> {
  if (!scan.ok)
    return denied('body_malformed', `not JSON as it may be here: ${scan.reason}, byte ${scan.at}`);
  return { ok: true, value: { rule, found: scan.found, cuts: scan.cuts } as unknown as Reading };
}

/** The claim with every cost that stands in the body. What is no array, or an empty one, costs 1. */
export function priced(claim: Claim, reading: Reading | null): Claim {
  if (reading === null || reading.rule !== claim.body) throw new Error('the body was read for another row');
  const price = (charge: Charge): Charge => {
    const found = charge.limit.costAt === undefined ? undefined : reading.found.get(charge.limit.costAt);
    return found?.kind === 'array' ? { ...charge, cost: Math.max(1, found.items) } : charge;
  };
  const { watched } = claim;
  const apart = watched === undefined ? {} : { watched: { ...watched, charges: watched.charges.map(price) } };
  return { ...claim, charges: claim.charges.map(price), ...apart, isPriced: true };
}

/** A refusal of a body whose items were counted says how many there were. */
export function itemised(denial: Denial, { charges }: Claim, reading: Reading | null): Denial {
  if (reading === null) return denial;
  for (const { limit } of charges) {
    const found = limit.costAt === undefined ? undefined : reading.found.get(limit.costAt);
    if (found?.kind === 'array') return { ...denial, batchCount: found.items };
  }
  return denial;
}
