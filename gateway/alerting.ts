/** The alerts of one process: what is noted of requests, judged every few seconds, and brought to the webhook. */
import type { Logger } from 'pino';
import type { AlertKind, AlertRecord } from '../policy/alert-types.ts';
import type { AlertStore, NewAlert } from '../store/alert-store.ts';
import type { SightingStore } from '../store/sighting-store.ts';
import { createCourier, type Delivery } from './alert-courier.ts';
import { createAlertWatch } from './alert-watch.ts';
import { createPoster } from './alert-webhook.ts';
import type { AlertSettings } from './config/alert-settings.ts';
import { faultOf } from './fault.ts';
import { createSightingMeter, type SightingMeter } from './sighting-meter.ts';

export type AlertingOptions = {
  readonly alerts: AlertStore;
  readonly sightings: SightingStore;
  /** Those in force; null: nothing is watched. */
  readonly settings: () => AlertSettings | null;
  /** Brings what usage has counted into the store. Never throws. */
  readonly flushUsage: () => Promise<void>;
  /** Unix ms. */
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly metrics: {
    readonly alertRaised: (kind: AlertKind) => void;
    readonly alertSent: (outcome: Delivery['outcome']) => void;
  };
  /** How often is judged; default 20 s. */
  readonly everyMs?: number | undefined;
};

export interface Alerting {
  /** No I/O. For requests while something is watched. */
  readonly note: SightingMeter['note'];
  /** Tells what somebody else has found, whether or not anything is watched. null: it was told in its quiet time. @throws StoreFault */
  tell(alert: NewAlert): Promise<AlertRecord | null>;
  /** Judges what there is now. Never rejects. */
  judge(): Promise<void>;
  /** Writes what was noted, and ends what is under way: what is not yet sent is sent after the next start. */
  close(): Promise<void>;
}

const everyMsDefault = 20_000;
const forgetEveryMs = 3_600_000;

export function createAlerting(options: AlertingOptions): Alerting {
  const { alerts, sightings, settings, flushUsage, now, log, metrics } = options;
  const onFault = (error: unknown) =>
    log.error({ event: 'alerts_not_judged', reason: faultOf(error).reason });
  const meter = createSightingMeter({ sightings, now });
  const poster = createPoster(now);
  const courier = createCourier({
    alerts,
    poster,
    webhook: () => settings()?.webhook ?? null,
    now,
    onFault,
    onDelivery: ({ outcome, ...delivery }) => {
      metrics.alertSent(outcome);
      if (outcome === 'delivered') log.info({ event: 'alert_delivered', ...delivery });
      else log.warn({ event: `alert_${outcome}`, ...delivery });
    },
  });
  const onRaised = (alert: AlertRecord): void => {
    announce(options, alert);
    void courier.run();
  };
  const watch = createAlertWatch({ alerts, sightings, now, onRaised });
  let forgottenAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;

  const round = async (): Promise<void> => {
    const inForce = settings();
    try {
      await meter.flush();
      if (inForce === null) return;
      await flushUsage();
      await watch.judge(inForce.rules);
      if (now() - forgottenAt < forgetEveryMs) return;
      forgottenAt = now();
      await sightings.forgetOld();
      await alerts.forgetOld();
    } catch (error) {
      onFault(error);
    }
  };

  const judge = (): Promise<void> => {
    running ??= round().finally(() => {
      running = null;
    });
    return running;
  };
  const timer = setInterval(() => void judge(), options.everyMs ?? everyMsDefault).unref();
  // What an earlier process could not bring to an end.
  void courier.run();

  return {
    note: meter.note,
    async tell(alert) {
      const raised = await alerts.raise(alert);
      if (raised !== null) onRaised(raised);
      return raised;
    },
    judge,
    async close() {
      clearInterval(timer);
      await running;
      await meter.flush().catch(onFault);
      const ended = courier.close();
      await poster.close();
      await ended;
    },
  };
}

function announce(
  { metrics, log }: Pick<AlertingOptions, 'metrics' | 'log'>,
  { id, kind, tokenId, detail }: AlertRecord,
): void {
  metrics.alertRaised(kind);
  log.warn({ event: 'alert', id, kind, tokenId, ...figuresOf(detail) });
}

/** What callers sent stays out of the log. */
function figuresOf(detail: AlertRecord['detail']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(detail).filter(([, value]) => typeof value === 'number'));
}
