/** The schema of `pins`: one shape per kind. */
import * as v from 'valibot';
import { parseNetwork } from './cidr.ts';
import { bundlePinEntries } from './config-bundle-pin.ts';
import { closed, named, oneOf, some, text } from './config-fields.ts';
import { monitorEntries } from './config-monitor.ts';
import { parseOrigin } from './config-origin.ts';

function kind<const Kind extends string>(name: Kind, description: string) {
  return v.pipe(v.literal(name), v.description(description));
}

const pinOrigin = (value: string) => parseOrigin(value, 'write every origin out');

const originPin = closed({
  kind: kind(
    'origin',
    'origin: the list of origins on the token, or with allow that of the rows which name it.',
  ),
  allow: v.optional(
    some(
      'The pages that may call the rows which name this pin, whoever asks; absent: the list is on the token.',
      text('An origin.', pinOrigin, ['https://app.example.com']),
      'write at least one; without allow the list is that of the token',
    ),
  ),
  when_missing: oneOf('What a request without Origin gets, if there is a list.', ['allow', 'deny']),
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

const bundlePin = closed({
  kind: kind('bundle_id', 'bundle_id: the id a client names in its request, kept in the store.'),
  ...bundlePinEntries,
  ...monitorEntries,
});

export const pinsSchema = named(
  'Restrictions on who may use a token, or a row, from where.',
  v.variant('kind', [originPin, cidrPin, bundlePin]),
);
