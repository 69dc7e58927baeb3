/** What `alerts:` says: what is told, from when on, and to whom it is sent. Opens nothing, repeats no secret. */
import * as v from 'valibot';
import { type AlertRules, placeKinds } from '../../policy/alert-types.ts';
import { closed, duration, oneOf, plain, some, whole, wording } from '../../policy/config-fields.ts';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';
import { isLinkLocal, isLoopback } from './address.ts';

export type AlertSettings = {
  readonly rules: AlertRules;
  /** null: nobody is sent anything. Secret: never printed or logged. */
  readonly webhook: { readonly url: string; readonly secret: string } | null;
};

const perMinuteMax = 1_000_000_000;
const learnMsMax = 7 * 86_400_000;
const quietMsMin = 60_000;
const quietMsMax = 30 * 86_400_000;
const secretBytesMin = 32;

const referenceHint = 'write { env: NAME } or { file: PATH }';

/** `notAMap` words what is none: a secret may stand there. */
const fromElsewhere = (notAMap?: string) =>
  v.pipe(
    closed(
      {
        env: v.optional(plain('The name of an environment variable; missing is an error.')),
        file: v.optional(plain('A file that holds the value; relative to this one.')),
      },
      notAMap,
    ),
    v.check(
      ({ env, file }) => (env === undefined) !== (file === undefined),
      wording('the reference names not exactly one place', referenceHint),
    ),
  );

const orOff = <const Schema extends v.GenericSchema>(schema: Schema, remedy: string) =>
  v.union([v.literal('off', wording('', `write off, or ${remedy}`)), schema]);

const spikeSchema = closed({
  times: v.optional(whole('How many times the usual is a spike.', 2, 1000), 10),
  per_minute: v.optional(
    whole('Below so many requests in a minute, nothing is a spike.', 1, perMinuteMax),
    100,
  ),
});

const refusalsSchema = closed({
  token: v.optional(whole('Refusals of one token in a minute that are a burst.', 1, perMinuteMax), 100),
  network: v.optional(
    whole('Refusals of nobody known in a minute that are a burst, from one /24 or /48.', 1, perMinuteMax),
    300,
  ),
});

const isWithin = (min: number, max: number, message: string, hint: string) =>
  v.check((ms: number) => ms >= min && ms <= max, wording(message, hint));

export const alertsSchema = v.pipe(
  closed({
    spike: v.optional(
      v.pipe(
        orOff(spikeSchema, 'spike: { times: 10 }'),
        v.description('A token or bundle id used far more in a minute than usual.'),
      ),
      {},
    ),
    unseen: v.optional(
      v.pipe(
        orOff(
          some('At which kinds of places.', oneOf('A kind of place.', placeKinds), 'write off instead'),
          'unseen: [bundle, origin, network]',
        ),
        v.description('A token used at a place where it was never used before.'),
      ),
      [...placeKinds],
    ),
    refusals: v.optional(
      v.pipe(orOff(refusalsSchema, 'refusals: { token: 100 }'), v.description('Many refusals in a minute.')),
      {},
    ),
    learn: v.optional(
      v.pipe(
        duration(
          'How long what a token or bundle id does is only learned, from its first use on; up to 7d.',
          '1d',
        ),
        isWithin(0, learnMsMax, 'what was learned is kept for a week', 'write learn: 7d at most'),
      ),
      '1d',
    ),
    quiet: v.optional(
      v.pipe(
        duration('No second alert of a kind about the same within this time; 1m to 30d.', '1h'),
        isWithin(quietMsMin, quietMsMax, 'alerts of a kind are 1m to 30d apart', 'write quiet: 1h'),
      ),
      '1h',
    ),
    webhook: v.optional(
      v.pipe(
        closed({
          url: v.pipe(
            v.union([plain('https://HOST/PATH.'), fromElsewhere()]),
            v.description('Where alerts are sent; { env: NAME } where who knows it may write there.'),
          ),
          secret: v.pipe(
            fromElsewhere(wording('not a reference to a secret', referenceHint)),
            v.description('What each is signed with: 32 bytes at least.'),
          ),
        }),
        v.description('Who is sent each alert, signed. Left out: nobody.'),
      ),
    ),
  }),
  v.description('What is told when tokens are used as never before. Left out: nothing is watched.'),
);

export type AlertsConfig = v.InferOutput<typeof alertsSchema>;

type Reference = string | { readonly env?: string | undefined; readonly file?: string | undefined };

type Reading = {
  readonly errors: ConfigProblem[];
  /** null: a problem was reported. */
  readonly dereference: (path: ConfigPath, reference: Reference) => string | null;
};

/** null: nothing is watched. */
export function resolveAlerts(alerts: AlertsConfig | undefined, at: Reading): AlertSettings | null {
  if (alerts === undefined) return null;
  const { spike, unseen, refusals, learn: learnMs, quiet: quietMs } = alerts;
  return {
    rules: {
      spike: spike === 'off' ? null : { times: spike.times, perMinute: spike.per_minute },
      unseen: unseen === 'off' ? [] : unseen,
      refusals: refusals === 'off' ? null : refusals,
      learnMs,
      quietMs,
    },
    webhook: resolveWebhook(alerts, at),
  };
}

function resolveWebhook(
  { webhook }: AlertsConfig,
  { errors, dereference }: Reading,
): AlertSettings['webhook'] {
  if (webhook === undefined) return null;
  const path = ['alerts', 'webhook'];
  const url = dereference([...path, 'url'], webhook.url);
  const secret = dereference([...path, 'secret'], webhook.secret);
  const flaw = url === null ? null : urlFlaw(url);
  if (flaw !== null) errors.push(inValue([...path, 'url'], ...flaw));
  if (secret !== null && Buffer.byteLength(secret) < secretBytesMin) {
    const message = `the secret is shorter than ${secretBytesMin} bytes`;
    errors.push(inValue([...path, 'secret'], message, 'make one with: openssl rand -hex 32'));
  }
  return url === null || secret === null ? null : { url, secret };
}

/** Never repeats the url: whoever knows it may be let write there. */
function urlFlaw(text: string): readonly [message: string, hint: string] | null {
  const hint = 'write https://HOST/PATH';
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return ['not an http url', hint];
  if (url.username !== '' || url.password !== '') {
    return ['the url holds credentials', 'leave them out; the receiver knows us by the signature'];
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) {
    return [
      'the host is link-local, where clouds keep their metadata',
      'write the address of the receiver itself',
    ];
  }
  if (url.protocol === 'https:' || isLoopback(host) || isPrivate(host)) return null;
  return [
    'http would send alerts through the open in the clear',
    'write https://, or http:// to this host or into a private network',
  ];
}

/** An address of a private network (RFC 1918, RFC 4193), or a name that only such a network resolves. */
function isPrivate(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name.includes(':')) return /^f[cd][0-9a-f]{2}:/.test(name);
  if (/^[0-9.]+$/.test(name)) return /^(?:10|192\.168|172\.(?:1[6-9]|2[0-9]|3[01]))\./.test(name);
  return !name.includes('.') || /\.(?:internal|local|home\.arpa)$/.test(name);
}
