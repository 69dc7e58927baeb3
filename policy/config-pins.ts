/** The schema of `pins`: one shape per kind. */
import * as v from 'valibot';
import { parseNetwork } from './cidr.ts';
import { closed, named, oneOf, some, text } from './config-fields.ts';
import { monitorEntries } from './config-monitor.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';

function kind<const Kind extends string>(name: Kind, description: string) {
  return v.pipe(v.literal(name), v.description(description));
}

const originPin = closed({
  kind: kind('origin', 'origin: the list of origins on the token.'),
  when_missing: oneOf('What a request without Origin gets, if the token has a list.', ['allow', 'deny']),
  ...monitorEntries,
});

const cidrPin = closed({
  kind: kind('cidr', 'cidr: the networks the caller may come from.'),
  allow: some(
    'The networks; the address of the caller must lie in one.',
    text('ADDRESS/LENGTH.', parseNetwork, ['203.0.113.0/24', '2001:db8::/32']),
  ),
  ...monitorEntries,
});

/** The owner's name, as it stands in a pin's subject. */
function parsePinOwner(value: string): Parsed<string> {
  if (value === 'token') return parsed(value);
  const [, attribute] = /^attribute\.([A-Za-z0-9_.-]+)$/.exec(value) ?? [];
  if (attribute !== undefined) return parsed(attribute);
  return unreadable(`"${value}" is nothing a pin can belong to`, 'write attribute.NAME, or token');
}

const bundlePin = closed({
  kind: kind('bundle_id', 'bundle_id: one remembered id of an app for each owner.'),
  belongs_to: text('Whose it is: attribute.NAME of the token, or token itself.', parsePinOwner, [
    'attribute.project',
  ]),
  ...monitorEntries,
});

export const pinsSchema = named(
  'Restrictions on who may use a token, or a row, from where.',
  v.variant('kind', [originPin, cidrPin, bundlePin]),
);
