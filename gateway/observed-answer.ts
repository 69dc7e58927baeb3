/** What a row asks of an upstream's answer, and of the request it answers: read once, and never repeated. */

import { scanJson } from '../policy/json-scan.ts';
import type { Answered, ObserveRule } from '../policy/observe-types.ts';
import { UpstreamFault } from './fault.ts';
import { fieldValues } from './head.ts';
import { nominatedBy } from './headers.ts';

/** A 2xx that is held whole. */
export type HeldAnswer = {
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
};

/**
 * @param requested the request's fields, names and values in turn. @param now Unix ms.
 * @throws UpstreamFault where it is no JSON (RFC 8259), or could be read in two ways.
 */
export function readAnswer(
  { query, fields, cookies }: ObserveRule,
  { rawHeaders, body }: HeldAnswer,
  requested: readonly string[],
  now: number,
): Answered {
  return {
    found: query === null ? new Map() : foundIn(body, query),
    fields: fields.length === 0 ? new Map() : sentOn(requested, fields),
    cookies: new Map(cookies.map((name) => [name, setCookies(rawHeaders, name, now)])),
  };
}

function foundIn(body: Uint8Array, query: NonNullable<ObserveRule['query']>): Answered['found'] {
  const scan = scanJson(body, query);
  if (scan.ok) return scan.found;
  const reason = `the answer to observe cannot be read: ${scan.reason}`;
  throw new UpstreamFault('upstream_protocol_error', reason, { answered: true });
}

/** What Connection keeps from the upstream, its answer cannot have gone by. */
function sentOn(requested: readonly string[], names: readonly string[]): Answered['fields'] {
  const nominated = nominatedBy(requested);
  return new Map(
    names.map((name) => [name, nominated?.has(name) === true ? [] : fieldValues(requested, name)]),
  );
}

/** Each value the cookie is given (RFC 6265 §5.2), as the client will send it back; '' where it is taken away. */
function setCookies(rawHeaders: readonly string[], name: string, now: number): readonly string[] {
  return fieldValues(rawHeaders, 'set-cookie').flatMap((field) => {
    const [pair = '', ...attributes] = field.split(';');
    const at = pair.indexOf('=');
    if (at === -1 || pair.slice(0, at).trim() !== name) return [];
    return [isOver(attributes, now) ? '' : pair.slice(at + 1).trim()];
  });
}

/** RFC 6265 §5.3: where both are there, Max-Age counts. What cannot be read is as if it were not there. */
function isOver(attributes: readonly string[], now: number): boolean {
  const saying = (name: RegExp) => attributes.flatMap((attribute) => name.exec(attribute)?.[1] ?? []);
  const ages = saying(/^\s*max-age\s*=\s*(-?\d+)\s*$/i);
  if (ages.length > 0) return ages.some((age) => Number(age) <= 0);
  return saying(/^\s*expires\s*=(.*)$/i).some((date) => Date.parse(date) <= now);
}
