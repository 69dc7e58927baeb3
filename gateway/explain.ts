/** Answers "why?" for a request in words: reads them, rehearses, and sums the outcome up in a line. */

import { parseAddress } from '../policy/cidr.ts';
import { effectiveScopes } from '../policy/scopes.ts';
import {
  attributesOfPairs,
  type Checked,
  complainOf,
  heldScopes,
  ofField,
  originsOf,
  typeNamed,
} from '../policy/token-input.ts';
import type { TokenRecord } from '../policy/token-types.ts';
import type { Policy } from '../policy/types.ts';
import type { Field } from './answer.ts';
import { type MadeUpRequest, type Persona, type Rehearsal, rehearse } from './rehearsal.ts';
import type { TriggerKeys } from './trigger.ts';

/** A request as an operator writes it. */
export type Question = {
  readonly method: string;
  readonly target: string;
  /** `TYPE` or `TYPE:SCOPE+SCOPE`; null: nobody asks. */
  readonly as: string | null;
  /** `name=value` each. */
  readonly attributes: readonly string[];
  /** What the token is pinned to; none: to no origin. */
  readonly origins?: readonly string[];
  /** `Name: value` each. */
  readonly headers: readonly string[];
  /** null or absent: none. */
  readonly body?: Uint8Array | null;
  /** `PIN=ID` each. */
  readonly pinned?: readonly string[];
  /** The caller's address; null or absent: this host's own. */
  readonly from?: string | null;
  /** As on a made-up request. */
  readonly nth?: number | null;
  /** One of the store asks, in place of `as`; null or absent: none does. */
  readonly token?: TokenRecord | null;
  /** As on a made-up request. */
  readonly pins?: MadeUpRequest['pins'];
};

/** @returns a complaint where the question itself cannot be understood. */
export async function explain(
  policy: Policy,
  question: Question,
  triggerKeys?: TriggerKeys,
): Promise<Checked<Rehearsal>> {
  const request = readQuestion(policy, question);
  if (!request.ok) return request;
  return { ok: true, value: await rehearse(policy, request.value, Date.now(), triggerKeys) };
}

function readQuestion(policy: Policy, question: Question): Checked<MadeUpRequest> {
  const { method, target } = question;
  if (!/^[A-Z][A-Z-]*$/.test(method)) {
    return complainOf('method', 'not a method', method, 'write it in capitals: GET, POST');
  }
  const headers: Field[] = [];
  for (const [index, text] of question.headers.entries()) {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      return complainOf(`headers.${index}`, 'not a header', null, "write 'Name: value'");
    }
    headers.push([name, value.trim()]);
  }
  const pinned = new Map<string, string>();
  for (const text of question.pinned ?? []) {
    const [, name, id] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    if (name === undefined || id === undefined) {
      return complainOf('pinned', 'not what is pinned', null, 'write PIN=ID');
    }
    pinned.set(name, id);
  }
  const from = parseAddress(question.from ?? '127.0.0.1');
  if (!from.ok) return complainOf('from', 'not an address', question.from ?? null, from.hint);
  const as = readPersona(policy, question);
  if (!as.ok) return as;
  const { body = null, nth = null, pins = null } = question;
  return {
    ok: true,
    value: { method, target, headers, body, pinned, pins, from: from.value, nth, as: as.value },
  };
}

function readPersona(policy: Policy, question: Question): Checked<Persona | null> {
  const { as, attributes, token = null } = question;
  const origins = originsOf(question.origins ?? []);
  if (!origins.ok) return origins;
  if (token !== null) return personaOf(policy, token);
  if (as === null) {
    if (attributes.length === 0 && origins.value.length === 0) return { ok: true, value: null };
    const what = attributes.length === 0 ? 'origins' : 'attributes';
    return complainOf(what, `${what} of nobody`, null, 'say whose they are: --as TYPE');
  }
  const colon = as.indexOf(':');
  const type = ofField('as', typeNamed(policy, colon === -1 ? as : as.slice(0, colon)));
  if (!type.ok) return type;
  const asked = colon === -1 ? [] : as.slice(colon + 1).split('+');
  const scopes = ofField('as', heldScopes(type.value, asked));
  if (!scopes.ok) return scopes;
  const values = attributesOfPairs(type.value, attributes);
  if (!values.ok) return values;
  return {
    ok: true,
    value: { type: type.value, scopes: scopes.value, attributes: values.value, origins: origins.value },
  };
}

function personaOf(policy: Policy, record: TokenRecord): Checked<Persona> {
  const type = typeNamed(policy, record.type);
  if (!type.ok) return type;
  const { attributes, origins } = record;
  const scopes = effectiveScopes(record, type.value);
  return { ok: true, value: { type: type.value, scopes, attributes, origins, record } };
}

/** One line: `refused: 403 scope_missing (row main GET /events)`. */
export function verdictOf({ outcome, status, code, row, upstream }: Rehearsal): string {
  const place = row === null ? '' : ` (row ${row})`;
  switch (outcome) {
    case 'forward':
      return `forwarded to ${upstream}${place}`;
    case 'serve':
      return `answered here: ${status}${place}`;
    case 'refuse':
      return `refused: ${status} ${code}${place}`;
  }
}
