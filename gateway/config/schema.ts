/** The whole file's shape: the process's own keys, and policy's. Cross rules are settings.ts and policy/compile.ts. */
import * as v from 'valibot';
import { parseNetwork } from '../../policy/cidr.ts';
import {
  closed,
  duration,
  flag,
  list,
  named,
  oneOf,
  plain,
  size,
  some,
  text,
  whole,
  wording,
} from '../../policy/config-fields.ts';
import { type Parsed, parsed, unreadable } from '../../policy/config-problem.ts';
import { policyEntries } from '../../policy/config-schema.ts';
import type { Network } from '../../policy/types.ts';
import { parseAddress } from './address.ts';
import { adminSchema } from './admin-settings.ts';
import { alertsSchema } from './alert-settings.ts';
import { auditSchema } from './audit-settings.ts';
import { leaksSchema } from './leak-settings.ts';
import { fromElsewhere, fromEnvironment } from './references.ts';
import { telemetrySchema } from './telemetry-settings.ts';

const address = (description: string, example: string) => text(description, parseAddress, [example]);

/** Trusting everyone would let any caller choose its own address. */
function parseTrusted(value: string): Parsed<Network> {
  const network = parseNetwork(value);
  if (!network.ok || network.value.bits > 0) return network;
  return unreadable(
    `"${value}" is everybody, and whoever is trusted may choose the caller's address`,
    'write the networks your proxies connect from: 10.0.0.0/8',
  );
}

const listenSchema = v.pipe(
  closed({
    address: v.optional(
      address('HOST:PORT of the gate itself. Port 0 picks a free one.', '0.0.0.0:8080'),
      '0.0.0.0:8080',
    ),
    trusted_proxies: v.optional(
      list(
        'The proxies whose X-Forwarded-* and X-Request-Id are believed, as networks. Empty: nobody.',
        text('A network.', parseTrusted, ['10.0.0.0/8']),
      ),
      [],
    ),
    max: v.optional(
      v.pipe(
        closed({
          header: v.optional(size('The longest request head; longer is 431.', '16KiB'), '16KiB'),
          body: v.optional(
            size('The longest body of rows that name no cap; longer is 413.', '10MiB'),
            '10MiB',
          ),
        }),
        v.description('How much a request may hold.'),
      ),
      {},
    ),
    drain: v.optional(
      v.pipe(
        closed({
          announce: v.optional(
            duration('After SIGTERM: how long /readyz says 503 before the gate stops accepting.', '5s'),
            '5s',
          ),
          requests: v.optional(
            duration('Then: how long requests under way may take to finish.', '20s'),
            '20s',
          ),
          streams: v.optional(
            duration('Then: how long open streams may stay before they are cut.', '5s'),
            '5s',
          ),
        }),
        v.description('How the process leaves.'),
      ),
      {},
    ),
  }),
  v.description('Where requests come in.'),
);

const storeSchema = v.pipe(
  closed({
    url: v.optional(
      v.pipe(
        v.union([plain('sqlite:PATH, or postgres://HOST/DATABASE without a password.'), fromElsewhere]),
        v.description(
          'sqlite:PATH, relative to this file; or postgres://HOST/DATABASE, as { env: DATABASE_URL } wherever there is a password.',
        ),
        v.examples(['sqlite:./data/postern.db']),
      ),
      'sqlite:./data/postern.db',
    ),
    when_down: v.optional(
      v.pipe(
        v.union([
          v.literal('refuse', wording('', 'write when_down: refuse, or { serve_known_for: 5m }')),
          closed({
            serve_known_for: v.pipe(
              duration('How old what is known of a token may be; 1s to 1h.', '5m'),
              v.check(
                (ms) => ms >= 1000 && ms <= 3_600_000,
                wording('known tokens are served for 1s to 1h', 'write serve_known_for: 5m'),
              ),
            ),
          }),
        ]),
        v.description(
          'What callers get while tokens cannot be read: 503, or, on PostgreSQL, what was known of their token.',
        ),
      ),
      'refuse',
    ),
  }),
  v.description('Where tokens are kept.'),
);

const redisSchema = v.pipe(
  closed({
    url: v.pipe(
      v.union([plain('redis://HOST:PORT without a password.'), fromElsewhere]),
      v.description('Where Redis is; { env: REDIS_URL } wherever there is a password.'),
    ),
    required: v.optional(flag('Whether to refuse to start without Redis.'), false),
    instances: v.optional(
      whole('How many gateways share this Redis; a local count allows quota / instances.', 1, 1000),
      1,
    ),
  }),
  v.description('Shared counters. Without it, limits are counted in this process alone.'),
);

const upstreamUrl = v.union([plain('http(s)://HOST[:PORT][/base].'), fromEnvironment]);

const healthPath = text(
  'The path asked at each url, from its root.',
  (path) =>
    /^\/[!-~]*$/.test(path)
      ? parsed(path)
      : unreadable(`"${path}" is not a path`, 'write it from the root of the host: /healthz'),
  ['/healthz'],
);

const upstreamSchema = closed({
  url: v.pipe(
    v.union([upstreamUrl, some('Several urls of the same service.', upstreamUrl)]),
    v.description(
      'http(s)://HOST[:PORT][/base], without credentials, query or fragment; a list shares requests among several.',
    ),
  ),
  health: v.optional(
    v.pipe(
      closed({
        path: healthPath,
        every: v.optional(duration('How often each url is asked.', '5s'), '5s'),
      }),
      v.description('Asked at each url: one that does not answer 2xx twice in a row gets no requests.'),
    ),
  ),
  preserve_host: v.optional(
    flag("Whether the upstream is called by the caller's Host rather than by its own."),
    false,
  ),
  client: v.optional(
    oneOf(
      'What carries requests without a body, or with one of at most 64 KiB that was read first, over plain HTTP; all others go by undici anyway. strict: faster, and refuses every answer in doubt.',
      ['strict', 'undici'],
    ),
    'strict',
  ),
  timeout: v.optional(
    v.pipe(
      closed({
        connect: v.optional(duration('To open a connection; then 504.', '1s'), '1s'),
        first_byte: v.optional(
          duration('From the whole request sent to the first byte of an answer; then 504.', '10s'),
          '10s',
        ),
        idle: v.optional(duration('The longest silence inside an answer; then it is cut.', '60s'), '60s'),
      }),
      v.description('How long to wait, phase by phase.'),
    ),
    {},
  ),
});

export const fileSchema = closed({
  version: v.pipe(
    v.literal(1, wording('the config version must be 1', 'write version: 1')),
    v.description('The version of this file format: 1.'),
  ),
  listen: v.optional(listenSchema, {}),
  health: v.optional(
    v.pipe(
      closed({
        address: v.optional(
          address('HOST:PORT of /livez, /readyz and /metrics.', '127.0.0.1:8082'),
          '127.0.0.1:8082',
        ),
      }),
      v.description('The health listener; no operation lives here.'),
    ),
    {},
  ),
  admin: v.optional(adminSchema),
  store: v.optional(storeSchema, {}),
  audit: v.optional(auditSchema),
  redis: v.optional(redisSchema),
  upstreams: v.optional(named('The services behind the gate.', upstreamSchema), {}),
  ...policyEntries,
  alerts: v.optional(alertsSchema),
  leaks: v.optional(leaksSchema),
  telemetry: v.optional(telemetrySchema),
});

/** As the schema hands it on: units read, defaults in place, secrets and names not yet resolved. */
export type FileConfig = v.InferOutput<typeof fileSchema>;
