/**
 * Where reports of leaked tokens come in: on our own path of the data listener, before any row and any token. Only what
 * somebody with a known key has signed is read at all; of the tokens in it nothing is kept, logged or answered.
 */
import { createHash } from 'node:crypto';
import { addressKey } from '../policy/address.ts';
import { denied } from '../policy/denial.ts';
import type { Outcome } from '../policy/types.ts';
import type { FailureBudget } from '../store/failure-budget.ts';
import type { Answer } from './answer.ts';
import type { LeakSettings } from './config/leak-settings.ts';
import type { LoadedConfig } from './config/load.ts';
import { UpstreamFault } from './fault.ts';
import type { Visit } from './gate.ts';
import { fieldValues, framingOf } from './head.ts';
import { createReportReader } from './leak-body.ts';
import type { LeakKeyring } from './leak-keys.ts';
import {
  isSignedNotice,
  type LeakReport,
  leakFeedback,
  leakKeyHeader,
  leakSignatureHeader,
  readLeakNotice,
} from './leak-notice.ts';
import type { Rooms } from './walk.ts';

/** All reports of one token. */
export type LeakedToken = {
  readonly plaintext: string;
  /** Where it was found, at least one; a digest names them all. */
  readonly places: readonly Pick<LeakReport, 'url' | 'source'>[];
  readonly digest: string;
};

/** Does what the config says to each, and says which are ours. @throws StoreFault: those before it are done, and may be done again. */
export type AnswerLeaks = (
  config: LoadedConfig,
  settings: LeakSettings,
  tokens: readonly LeakedToken[],
) => Promise<readonly boolean[]>;

export type LeakDoorOptions = {
  readonly keyring: Pick<LeakKeyring, 'keysFor'>;
  /** Of reports that nobody known has signed. */
  readonly failures: FailureBudget;
  readonly answer: AnswerLeaks;
  readonly log: (taken: { readonly reports: number; readonly tokens: number; readonly ours: number }) => void;
};

export interface LeakDoor {
  /**
   * A denial for what is not signed or no report. Resolves when all that was to be done is durable.
   *
   * @throws StoreFault; UpstreamFault where the keys cannot be had, or too many wait; BodiesFull; CallerLeft
   */
  take(
    visit: Visit,
    site: { readonly config: LoadedConfig; readonly failures: Rooms['failures'] },
  ): Promise<Outcome<Answer>>;
}

export const leakBytesMax = 1024 * 1024;
/** Reports are worked off one after another: what is looked up must not crowd out requests. */
const waitingMax = 8;
const nameShape = /^[\x21-\x7e]{1,200}$/;

export function createLeakDoor(options: LeakDoorOptions): LeakDoor {
  const { keyring, failures, answer, log } = options;
  const read = createReportReader(leakBytesMax);
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= waitingMax) throw new UpstreamFault('overloaded', `${waitingMax} leak reports wait`);
    waiting++;
    const turn = last.then(work).finally(() => {
      waiting--;
    });
    last = turn.catch(() => {});
    return turn;
  };

  return {
    async take(visit, { config, failures: budget }) {
      const { leaks: settings } = config;
      if (settings === null) throw new Error('no leak reports are taken');
      const address = addressKey(visit.facts.address);
      const waitMs = failures.exhausted(address, '') ?? budget?.exhausted(address, '') ?? null;
      if (waitMs !== null) {
        const reason = 'this address has sent too many reports without a signature';
        return denied('too_many_failures', reason, { retryAfterMs: waitMs });
      }
      const unsigned = (reason: string) => {
        failures.spend(address, '');
        budget?.spend(address, '');
        return denied('report_unsigned', reason);
      };
      const seal = sealOf(visit);
      if (seal === null) return unsigned('no key or no signature is named, or more than one');
      const keys = await keyring.keysFor(settings.keys, seal.name);
      if (!keys.has(seal.name)) return unsigned('nobody knows the key that is named');
      const { bytes: length } = framingOf(visit.head.rawHeaders);
      if (length !== null && length > leakBytesMax) {
        return denied('body_too_large', `a report of more than ${leakBytesMax} bytes`);
      }
      const body = await read(visit, address, () => unsigned('it broke off'));
      if (!body.ok) return body;
      if (!isSignedNotice(body.value, seal.name, seal.signature, keys)) {
        return unsigned('the signature is wrong');
      }
      const reports = readLeakNotice(body.value);
      if (reports === null) return denied('body_malformed', 'signed, and no list of reports');
      const tokens = byToken(reports);
      const ours = await inTurn(() => answer(config, settings, tokens));
      log({ reports: reports.length, tokens: tokens.length, ours: ours.filter(Boolean).length });
      const isOurs = new Map(tokens.map(({ plaintext }, index) => [plaintext, ours[index] === true]));
      return { ok: true, value: feedbackOf(reports, isOurs, visit.facts.requestId) };
    },
  };
}

/** null: not exactly one of each. */
function sealOf({ head }: Visit): { readonly name: string; readonly signature: string } | null {
  const [name, ...names] = fieldValues(head.rawHeaders, leakKeyHeader);
  const [signature, ...signatures] = fieldValues(head.rawHeaders, leakSignatureHeader);
  if (names.length > 0 || signatures.length > 0) return null;
  if (name === undefined || signature === undefined) return null;
  return nameShape.test(name) && nameShape.test(signature) ? { name, signature } : null;
}

/** Each token once; the digest of its places tells a report that is repeated from another of the same token. */
function byToken(reports: readonly LeakReport[]): readonly LeakedToken[] {
  const places = new Map<string, LeakedToken['places'][number][]>();
  for (const { token, url, source } of reports) {
    const known = places.get(token);
    if (known === undefined) places.set(token, [{ url, source }]);
    else known.push({ url, source });
  }
  return [...places].map(([plaintext, found]) => {
    const named = found.map(({ url, source }) => JSON.stringify([source, url])).sort();
    const digest = createHash('sha256').update(named.join('\n')).digest('hex').slice(0, 32);
    return { plaintext, places: found, digest };
  });
}

function feedbackOf(
  reports: readonly LeakReport[],
  isOurs: ReadonlyMap<string, boolean>,
  requestId: string,
): Answer {
  const judged = reports.map(({ token, type }) => {
    const sha256 = createHash('sha256').update(token).digest('hex');
    return { sha256, type, isOurs: isOurs.get(token) === true };
  });
  return {
    status: 200,
    fields: [
      ['Content-Type', 'application/json'],
      ['Cache-Control', 'no-store'],
      ['X-Request-Id', requestId],
    ],
    body: `${JSON.stringify(leakFeedback(judged))}\n`,
  };
}
