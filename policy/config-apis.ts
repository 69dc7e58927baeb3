/** The schema of `apis`: groups of rows, and what one row may say. Cross rules are compile-rows.ts. */
import * as v from 'valibot';
import { parseCell } from './cells.ts';
import { cutSchema } from './config-cut.ts';
import { closed, flag, list, name, named, oneOf, size, some, text, wording } from './config-fields.ts';
import { monitorSchemaEntries } from './config-monitor.ts';
import { observeSchema } from './config-observe.ts';
import { parsed, unreadable } from './config-problem.ts';
import { parsePrefix, parseRowKey } from './config-rows.ts';
import { serveEntries } from './config-serve.ts';
import { parseAttribute, typeName } from './config-tokens.ts';
import { parseHost } from './path.ts';

const attributeText = text(
  'token.attribute.NAME: the attribute the parameter must equal, or be contained in.',
  parseAttribute,
  ['token.attribute.project'],
);

const bindSchema = v.union([
  attributeText,
  closed({
    equals: attributeText,
    else: v.optional(
      v.pipe(
        v.picklist([403, 404]),
        v.description('The status of a mismatch; 404 hides that the resource exists.'),
      ),
      403,
    ),
  }),
]);

const hostText = text(
  'A host name without scheme and port.',
  (value) => {
    const host = parseHost(value);
    if (host !== null && !/:[0-9]+$/.test(value.replace(/^\[.*\]/, ''))) return parsed(host);
    return unreadable(
      `"${value}" is not a host name`,
      'write the name alone, without scheme, port or *: api.example.com',
    );
  },
  ['api.example.com'],
);

const prefixText = text(
  'A path before every row of the api; matched, never stripped. "" is none.',
  (value) => {
    const segments = parsePrefix(value);
    return segments.ok ? parsed({ text: value, segments: segments.value }) : segments;
  },
  ['/api'],
);

const cell = text(
  'What a token of this type must hold: a scope, a + b, a | b, or any_scope.',
  parseCell,
  ['events:write', 'any_scope'],
  'write one scope, "a + b" (both), "a | b" (either), or any_scope',
);

const allowSchema = v.pipe(
  v.union([
    v.literal('public'),
    v.record(
      typeName,
      cell,
      wording('', 'write public, or a cell per token type: { project: events:write }'),
    ),
  ]),
  v.description('Who may use the row: public, or one cell per token type. A type not named is refused.'),
);

const pinsSchema = v.pipe(
  v.union([
    v.array(name('A pin.')),
    v.record(name('A pin.'), v.pipe(v.literal('off'), v.description('Switches this pin off for the row.'))),
  ]),
  v.description('The pins of this row by name; { site: off } opts out of one.'),
);

const bodySchema = v.pipe(
  closed({
    max: v.optional(
      v.pipe(
        v.union([
          v.pipe(v.literal('none'), v.description('No cap: for big uploads.')),
          size('The longest body; longer is 413.', '8MiB'),
        ]),
        v.description('The longest body, or none; longer is 413. Default: listen.max.body.'),
      ),
    ),
    json: v.optional(
      flag('Whether the body must be JSON: it is read whole before any of it goes on.'),
      false,
    ),
    cut: v.optional(cutSchema),
  }),
  v.description('What a body may be; default: listen.max.body.'),
);

export const rowSchema = closed(
  {
    allow: allowSchema,
    to: v.optional(name("The upstream of this row; default: the api's.")),
    scopes: v.optional(
      v.pipe(
        closed(monitorSchemaEntries),
        v.description('Lets a token without the scopes of its cell pass for now, and says so.'),
      ),
    ),
    bind: v.optional(
      v.pipe(
        v.record(name('A parameter of the path.'), bindSchema),
        v.description('Path parameters that must equal, or be in, an attribute of the token.'),
      ),
      {},
    ),
    pins: v.optional(pinsSchema),
    limits: v.optional(list('The limits that count this row, by name.', name('A limit.')), []),
    observe: v.optional(observeSchema),
    ...serveEntries,
    cors: v.optional(name("A cors block by name, or off; default: the api's.")),
    errors: v.optional(name("An error style by name, or off; default: the api's.")),
    body: v.optional(bodySchema),
    credentials: v.optional(
      oneOf('Public rows only: whether the caller’s credentials reach the upstream (default pass).', [
        'pass',
        'strip',
      ]),
    ),
    path_parameters: v.optional(
      oneOf('Whether ; may stand in the path. Only for upstreams that read it as an ordinary character.', [
        'allow',
      ]),
    ),
    websocket: v.optional(
      flag('GET rows only: whether a WebSocket handshake is granted here (default false).'),
      false,
    ),
  },
  wording('', 'write a map: { allow: public }, or { allow: { project: events:write } }'),
);

const rowKey = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const key = parseRowKey(dataset.value);
    if (!key.ok) addIssue({ message: wording(key.message, key.hint) });
  }),
);

export const apiSchema = closed({
  hosts: v.optional(some('The hosts this api answers for; default: any.', hostText)),
  prefixes: v.optional(some('The same rows under each of these paths.', prefixText), ['']),
  types: v.optional(
    some('Whose sources are read on every row; default: the types named in the rows.', typeName),
  ),
  to: v.optional(name('The upstream of every row that names none.')),
  cors: v.optional(name('The cors block of every row that names none.')),
  strict_scheme: v.optional(
    flag('Whether the scheme of Authorization must be Bearer to the letter (default false: in any case).'),
    false,
  ),
  errors: v.optional(
    name(
      'The error style of every row that names none, and of what no row answers for if all apis of a host agree.',
    ),
  ),
  routes: v.pipe(
    v.record(rowKey, v.pipe(rowSchema, v.description('One row of the matrix.'))),
    v.description('The rows: METHOD /path, with {x} for one segment and {x...} for the rest.'),
  ),
});

export const apisSchema = named('Groups of rows that share hosts, prefixes, types and upstream.', apiSchema);
