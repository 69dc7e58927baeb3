/** What answers to leaks, in one process: the door that reports come in by, and the watch over canaries. */
import type { Logger } from 'pino';
import type { TokenRecord } from '../policy/token-types.ts';
import type { FailureBudget } from '../store/failure-budget.ts';
import type { Account } from './access-log.ts';
import type { Alerting } from './alerting.ts';
import { createCanaryWatch } from './canary-watch.ts';
import type { AlertSettings } from './config/alert-settings.ts';
import { faultOf } from './fault.ts';
import { type AnswerLeaks, createLeakDoor, type LeakDoor } from './leak-door.ts';
import { createLeakKeyring } from './leak-keys.ts';

export type LeakKit = {
  readonly door: LeakDoor;
  /** Of requests that presented one. No I/O; never throws. */
  readonly used: (account: Account) => void;
  /** The same, on the admin listener. */
  readonly usedByOperator: (canary: TokenRecord, address: string) => void;
  readonly close: () => Promise<void>;
};

export type LeakKitOptions = {
  readonly alerting: Pick<Alerting, 'tell'>;
  readonly alerts: () => AlertSettings | null;
  readonly answer: AnswerLeaks;
  /** Of reports without a signature. */
  readonly failures: FailureBudget;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** Unix ms. */
  readonly now: () => number;
};

/** Where no alerts are configured, canaries are told all the same. */
const quietMsDefault = 3_600_000;

export function createLeakKit(options: LeakKitOptions): LeakKit {
  const { alerting, alerts, answer, failures, log, now } = options;
  const keyring = createLeakKeyring();
  const canaries = createCanaryWatch({
    tell: alerting.tell,
    quietMs: () => alerts()?.rules.quietMs ?? quietMsDefault,
    now,
    onFault: (error) => log.error({ event: 'canary_not_told', reason: faultOf(error).reason }),
  });
  const door = createLeakDoor({
    keyring,
    failures,
    answer,
    log: (taken) => log.info({ event: 'leak_report', ...taken }),
  });
  return {
    door,
    used({ canary, address, route, requestId }) {
      if (canary !== undefined) canaries.note({ tokenId: canary, address, row: route ?? '', requestId });
    },
    usedByOperator: ({ id: tokenId }, address) =>
      canaries.note({ tokenId, address, row: 'admin', requestId: null }),
    async close() {
      await Promise.all([canaries.close(), keyring.close()]);
    },
  };
}
