/** Judges, every few seconds, what the store has counted and seen, and raises what is to be told. No request is near it. */
import { type Past, pastSpan, spikeFrom, unseenOf, usualOf } from '../policy/alert-rules.ts';
import type { AlertKind, AlertRecord, AlertRules, RefusalRule, SpikeRule } from '../policy/alert-types.ts';
import type { AlertStore, NewAlert } from '../store/alert-store.ts';
import type { BusyMinute, Newcomer, SightingStore } from '../store/sighting-store.ts';

export type AlertWatchOptions = {
  readonly alerts: Pick<AlertStore, 'raise'>;
  readonly sightings: Pick<SightingStore, 'busy' | 'pasts' | 'newcomers' | 'judged' | 'postpone'>;
  /** Unix ms. */
  readonly now: () => number;
  readonly onRaised: (alert: AlertRecord) => void;
};

export interface AlertWatch {
  /** All there is to judge now. Any number of processes may: each thing is told once. @throws StoreFault */
  judge(rules: AlertRules): Promise<void>;
}

const minuteMs = 60_000;
/** How long what was read of the past is believed. */
const thresholdMs = 1_800_000;
const rememberedMax = 20_000;
/** What was told, here or by another process, is not asked to be told again for so long. */
const toldMs = 60_000;
const newcomersAtOnce = 100;
/** In one round; more wait for the next. */
const newcomerRounds = 40;
const shownMax = 5;
/** Bursts of more networks than this at a time are one. */
const networksApart = 20;

export function createAlertWatch({ alerts, sightings, now, onRaised }: AlertWatchOptions): AlertWatch {
  const told = new Map<string, number>();
  const raise: Raise = async (alert) => {
    const key = `${alert.kind}\n${alert.subject}`;
    if ((told.get(key) ?? 0) > now()) return false;
    const raised = await alerts.raise(alert);
    if (told.size >= rememberedMax) told.clear();
    told.set(key, now() + Math.min(toldMs, alert.quietMs));
    if (raised !== null) onRaised(raised);
    return raised !== null;
  };
  const room: Room = { sightings, now, raise, thresholds: new Map() };
  return {
    async judge(rules) {
      const { spike, refusals } = rules;
      const never = Number.POSITIVE_INFINITY;
      const from = {
        passed: spike?.perMinute ?? never,
        refusedOfToken: refusals?.token ?? never,
        refusedOfNetwork: refusals?.network ?? never,
      };
      // The minute that runs counts too: it can only become more.
      const minutes = await sightings.busy(now() - 2 * minuteMs, from);
      if (spike !== null) await judgeSpikes(room, minutes, spike, rules);
      if (refusals !== null) await judgeRefusals(room, minutes, refusals, rules);
      for (let round = 0; round < newcomerRounds; round++) {
        const newcomers = await sightings.newcomers(newcomersAtOnce);
        if (newcomers.length === 0) return;
        await judgeNewcomers(room, newcomers, rules);
      }
    },
  };
}

/** false: it was told within its quiet time. */
type Raise = (alert: NewAlert) => Promise<boolean>;

/** From how many requests on a minute is a spike, until it is to be read anew. */
type Threshold = { readonly from: number; readonly untilMs: number; readonly rule: SpikeRule };

type Room = Pick<AlertWatchOptions, 'sightings' | 'now'> & {
  readonly raise: Raise;
  /** By subject: steady use is held against it without reading the past again. */
  readonly thresholds: Map<string, Threshold>;
};

async function judgeSpikes(
  { sightings, now, raise, thresholds }: Room,
  minutes: readonly BusyMinute[],
  rule: SpikeRule,
  rules: AlertRules,
): Promise<void> {
  const doubtful = minutes.filter((minute) => {
    const known = thresholds.get(keyOf(minute));
    const holds = known !== undefined && known.untilMs > now() && known.rule === rule;
    return minute.passed >= rule.perMinute && !(holds && minute.passed < known.from);
  });
  for (const [at, group] of byMinute(doubtful)) {
    const pasts = await sightings.pasts(group, at, pastSpan);
    for (const [index, minute] of group.entries()) {
      const past = pasts[index];
      if (past === undefined) continue;
      const from = spikeFrom(rule, past, rules.learnMs, now());
      if (thresholds.size >= rememberedMax) thresholds.clear();
      thresholds.set(keyOf(minute), { from, untilMs: now() + holdsForMs(past, rules, now()), rule });
      if (minute.passed >= from) await raise(spikeAlert(minute, past, rules));
    }
  }
}

async function judgeRefusals(
  { raise }: Room,
  minutes: readonly BusyMinute[],
  from: RefusalRule,
  { quietMs }: AlertRules,
): Promise<void> {
  const bursts = minutes.filter(({ by, refused }) => by !== 'bundle' && refused >= from[by]);
  const networks = bursts.filter(({ by }) => by === 'network');
  const isMany = new Set(networks.map(({ subject }) => subject)).size > networksApart;
  if (isMany) await raise(manyNetworks(networks, quietMs));
  for (const { by, subject, minuteMs, refused } of bursts) {
    if (by === 'bundle' || (isMany && by === 'network')) continue;
    const detail = { refused, minute: timeOf(minuteMs), from: from[by] };
    await raise({
      kind: `refusals.${by}`,
      subject,
      tokenId: by === 'token' ? subject : null,
      detail,
      quietMs,
    });
  }
}

/** Whoever has a thousand networks gets one alert for them. */
function manyNetworks(minutes: readonly BusyMinute[], quietMs: number): NewAlert {
  const networks = new Set(minutes.map(({ subject }) => subject)).size;
  const refused = minutes.reduce((sum, minute) => sum + minute.refused, 0);
  const [{ minuteMs } = { minuteMs: 0 }] = minutes;
  const detail = { refused, minute: timeOf(minuteMs), networks };
  return { kind: 'refusals.network', subject: 'many networks', tokenId: null, detail, quietMs };
}

async function judgeNewcomers(
  { sightings, now, raise }: Room,
  newcomers: readonly Newcomer[],
  rules: AlertRules,
): Promise<void> {
  const judged: Newcomer[] = [];
  const quiet: Newcomer[] = [];
  try {
    for (const newcomer of newcomers) {
      const alert = unseenAlert(newcomer, rules);
      const isDone = alert === null || (await raise(alert));
      (isDone ? judged : quiet).push(newcomer);
    }
  } finally {
    await sightings.judged(judged);
  }
  // Nothing is lost: they are told with what else comes until then.
  await sightings.postpone(quiet, now() + rules.quietMs);
}

/** null: there is nothing to tell of them. */
function unseenAlert(newcomer: Newcomer, { unseen, learnMs, quietMs }: AlertRules): NewAlert | null {
  const { kind, tokenId, known } = newcomer;
  const values = unseen.includes(kind) ? unseenOf(newcomer, learnMs) : [];
  if (values.length === 0) return null;
  const detail = {
    // null: none was sent.
    values: values.slice(0, shownMax).map((value) => (value === '' ? null : value)),
    ...(values.length > shownMax ? { more: values.length - shownMax } : {}),
    known: known - values.length,
  };
  return { kind: `unseen.${kind}`, subject: tokenId, tokenId, detail, quietMs };
}

function keyOf({ by, subject }: BusyMinute): string {
  return `${by}\n${subject}`;
}

/** What is still learned is looked at again once it has been. */
function holdsForMs({ since }: Past, { learnMs }: AlertRules, now: number): number {
  const learnedInMs = since === null ? 0 : since + learnMs - now;
  return learnedInMs > 0 ? Math.min(learnedInMs, thresholdMs) : thresholdMs;
}

function byMinute(minutes: readonly BusyMinute[]): ReadonlyMap<number, readonly BusyMinute[]> {
  const groups = new Map<number, BusyMinute[]>();
  for (const minute of minutes) {
    const group = groups.get(minute.minuteMs);
    if (group === undefined) groups.set(minute.minuteMs, [minute]);
    else group.push(minute);
  }
  return groups;
}

function spikeAlert(
  { by, subject, minuteMs, passed }: BusyMinute,
  past: Past,
  { quietMs }: AlertRules,
): NewAlert {
  const kind: AlertKind = by === 'token' ? 'spike.token' : 'spike.bundle';
  const usual = Math.round(usualOf(past) * 100) / 100;
  const detail = { requests: passed, minute: timeOf(minuteMs), usual, busiest: past.peak };
  return { kind, subject, tokenId: by === 'token' ? subject : null, detail, quietMs };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
