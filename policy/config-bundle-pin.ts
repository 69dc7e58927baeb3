/** The schema of bundle pins, and of a limit's `cost`: what stands where in a request. Cross rules are compile-bundle-pins.ts. */
import * as v from 'valibot';
import type { BundlePin, PinSource } from './body-types.ts';
import { oneOf, some, text } from './config-fields.ts';
import { hasFixedMeaning } from './config-headers.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import { parsePointer } from './json-pointer.ts';

/** `json:/app_id`, `header:X-Bundle-Id`. */
function parsePinSource(value: string): Parsed<PinSource> {
  const hint = 'write json:/app_id or header:X-Bundle-Id';
  const [, kind, place = ''] = /^(json|header):(.+)$/.exec(value) ?? [];
  if (kind === 'json') {
    const pointer = parsePointer(place);
    return pointer.ok ? parsed({ kind, pointer: place }) : pointer;
  }
  if (kind !== 'header') return unreadable(`"${value}" is no place of an id`, hint);
  const name = place.toLowerCase();
  if (!/^[a-z0-9-]{1,100}$/.test(name)) {
    return unreadable(`"${place}" is not a header name that is let through`, 'use letters, digits and -');
  }
  if (hasFixedMeaning(name)) {
    const own = 'choose a name of your own: header:X-Bundle-Id';
    return unreadable(`the header ${name} has a meaning of its own`, own);
  }
  return parsed({ kind, name });
}

function parseOwner(value: string): Parsed<BundlePin['belongsTo']> {
  if (value === 'token') return parsed({ kind: 'token' });
  const [, name] = /^attribute\.([A-Za-z0-9_.-]+)$/.exec(value) ?? [];
  if (name !== undefined) return parsed({ kind: 'attribute', name });
  return unreadable(`"${value}" cannot own a pin`, 'write attribute.project, or token');
}

/** `json:/events#`: the number of items of that array. */
function parseCost(value: string): Parsed<string> {
  const [, pointer] = /^json:(.*)#$/.exec(value) ?? [];
  if (pointer === undefined) {
    return unreadable(
      `"${value}" is no number of items`,
      'write json:/events#, or json:# for the whole body',
    );
  }
  const read = parsePointer(pointer);
  return read.ok ? parsed(pointer) : read;
}

export const costText = text(
  'What a request costs: json:/events# is the number of items of that array in its body; default: 1.',
  parseCost,
  ['json:/events#'],
);

const sourceText = text('json:POINTER (RFC 6901) or header:NAME.', parsePinSource, [
  'json:/app_id',
  'header:X-Bundle-Id',
]);

export const bundlePinEntries = {
  from: v.pipe(
    v.union([
      v.pipe(
        sourceText,
        v.transform((source): readonly PinSource[] => [source]),
      ),
      some('Several places: all that hold an id must agree.', sourceText),
    ]),
    v.description('bundle_id: where the id stands in a request; of several, the first must, once pinned.'),
  ),
  belongs_to: text('bundle_id: whose pin it is: attribute.NAME or token.', parseOwner, [
    'attribute.project',
    'token',
  ]),
  when_missing: oneOf('bundle_id: what a request without an id gets.', [
    'allow',
    'deny',
    'allow_unless_pinned',
  ]),
  first_use: v.optional(
    oneOf('bundle_id: whether the first id seen is pinned (default deny: an operator pins it).', [
      'pin',
      'deny',
    ]),
    'deny',
  ),
  reveal: v.optional(
    oneOf('bundle_id: whether a refusal shows what is pinned but its first character (default none).', [
      'masked',
      'none',
    ]),
    'none',
  ),
};
