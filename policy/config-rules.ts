/** The schema of what rows use by name: `cors`, `limits`; and `failure_budget`, `identity`. */
import * as v from 'valibot';
import { assertionSchema } from './config-assertion.ts';
import { costText } from './config-bundle-pin.ts';
import {
  closed,
  duration,
  flag,
  list,
  named,
  oneOf,
  plain,
  rate,
  some,
  text,
  whole,
} from './config-fields.ts';
import { monitorEntries } from './config-monitor.ts';
import { parseOrigin } from './config-origin.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import type { IdentityField, LimitPart } from './types.ts';

const corsMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const corsOrigin = (value: string) =>
  parseOrigin(value, 'write every origin out, or origins: any without credentials');

function parseFieldName(value: string): Parsed<string> {
  if (/^[A-Za-z0-9!#$%&'+.^_`|~-]{1,100}$/.test(value)) return parsed(value);
  return unreadable(`"${value}" is not a header name`, 'write every name out; * is not taken');
}

const headerNames = (description: string) =>
  list(description, text('A header name.', parseFieldName, ['Content-Type']));

export const corsSchema = named(
  'Who may read answers from a browser; rows use a block by its name.',
  closed({
    origins: v.pipe(
      v.union([v.literal('any'), v.array(text('An origin.', corsOrigin, ['https://app.example.com']))]),
      v.description('any, or a list of origins.'),
    ),
    methods: v.optional(list('Methods a page may use.', oneOf('A method.', corsMethods)), [
      'GET',
      'HEAD',
      'POST',
    ]),
    headers: v.optional(headerNames('Request headers a page may set.'), []),
    expose: v.optional(headerNames('Headers of the answer a page may read.'), []),
    credentials: v.optional(flag('Whether cookies may be sent. Never together with origins: any.'), false),
    max_age: v.optional(duration('How long a browser may keep the answer to a preflight.', '24h'), '24h'),
  }),
);

function parseLimitPart(value: string): Parsed<LimitPart> {
  if (value === 'token' || value === 'address' || value === 'route' || value === 'api') {
    return parsed({ kind: value });
  }
  const [, attribute] = /^attribute\.([A-Za-z0-9_.-]+)$/.exec(value) ?? [];
  if (attribute !== undefined) return parsed({ kind: 'attribute', name: attribute });
  return unreadable(
    `"${value}" is nothing to count by`,
    'write token, address, route, api or attribute.NAME',
  );
}

export const limitsSchema = named(
  "Rate limits; a limit's name is its bucket, shared by every row that uses it.",
  closed({
    rate: rate('COUNT/WINDOW: never more than COUNT in any trailing WINDOW.'),
    per: some(
      'Whose bucket: token, address, route, api, attribute.NAME; several make one compound key.',
      text('token, address, route, api or attribute.NAME.', parseLimitPart, ['token']),
    ),
    steps: v.optional(
      whole(
        'Into how many steps the window is cut (default 60); it may refuse up to one step early.',
        1,
        1000,
      ),
    ),
    exact: v.optional(
      flag('Whether each use leaves by itself, to the ms; for rates of up to 1000, without steps.'),
      false,
    ),
    cost: v.optional(costText),
    on_redis_down: v.optional(
      oneOf(
        'local: count in this process; open: let through uncounted; closed: 503. Written wherever redis is.',
        ['local', 'open', 'closed'],
      ),
    ),
    ...monitorEntries,
  }),
);

export const failureBudgetSchema = v.pipe(
  closed({
    rate: rate('COUNT/WINDOW of unknown or malformed tokens.'),
    per: oneOf('Whose budget.', ['address']),
  }),
  v.description('Spent only by tokens that are unknown or malformed; absent: off.'),
);

const identitySources = ['token.id', 'token.type', 'token.scopes', 'token.label', 'route.id', 'api'] as const;

function parseIdentityField(value: string): Parsed<IdentityField> {
  const kind = identitySources.find((source) => source === value);
  if (kind !== undefined) return parsed({ kind });
  const [, attribute] = /^token\.attribute\.([A-Za-z0-9_.-]+)$/.exec(value) ?? [];
  if (attribute !== undefined) return parsed({ kind: 'token.attribute', name: attribute });
  const [, type, field] = /^annotation\.([A-Za-z0-9_.-]+)\.([A-Za-z0-9_-]+)$/.exec(value) ?? [];
  if (type !== undefined && field !== undefined) return parsed({ kind: 'annotation', type, field });
  const [, pin, told] = /^pin\.([A-Za-z0-9_.-]+?)(?:\.(sent|first_use))?$/.exec(value) ?? [];
  if (pin !== undefined) {
    return parsed({ kind: 'pin', pin, field: told === 'sent' || told === 'first_use' ? told : 'pinned' });
  }
  return unreadable(
    `"${value}" is nothing an upstream can be told`,
    `write ${identitySources.join(', ')}, token.attribute.NAME, annotation.TYPE.FIELD or pin.NAME`,
  );
}

export const identitySchema = v.pipe(
  closed({
    reserve: v.optional(
      list(
        'More header names only Postern may set; NAME-* reserves all that start so. X-Postern-* always is.',
        plain('A header name.'),
      ),
      ['X-Postern-*'],
    ),
    headers: v.optional(
      v.pipe(
        v.record(
          v.string(),
          text('Where the value comes from.', parseIdentityField, ['token.id', 'token.attribute.project']),
        ),
        v.description('Header name to value. Each name is reserved: a caller can never set it.'),
      ),
      {},
    ),
    assertion: v.optional(assertionSchema),
  }),
  v.description('What the upstream is told about the caller.'),
);
