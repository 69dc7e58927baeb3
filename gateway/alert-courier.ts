/** Brings alerts to the operator's webhook: again and again for a day, across restarts, and never in anybody's way. */
import { nextTryMs } from '../policy/alert-delivery.ts';
import type { AlertStore, DueAlert } from '../store/alert-store.ts';
import { type Poster, postMsMax, type Refusal, type Webhook } from './alert-webhook.ts';

/** What comes of one try: `failed` is tried again. */
export const deliveryOutcomes = ['delivered', 'failed', 'given_up'] as const;

export type Delivery = {
  readonly id: string;
  readonly outcome: (typeof deliveryOutcomes)[number];
  readonly attempts: number;
  /** null: it was delivered. */
  readonly reason: string | null;
};

export type CourierOptions = {
  readonly alerts: Pick<AlertStore, 'due' | 'claim' | 'delivered' | 'failed'>;
  readonly poster: Poster;
  /** null: there is nobody to send to; what is due waits for somebody, for a day. */
  readonly webhook: () => Webhook | null;
  /** Unix ms. */
  readonly now: () => number;
  readonly onDelivery: (delivery: Delivery) => void;
  /** The store could not be asked; it is asked again later. */
  readonly onFault: (error: unknown) => void;
  /** How often the store is asked what others left; default 15 s. */
  readonly everyMs?: number;
};

export interface Courier {
  /** Sends what is due, now. Never rejects. */
  run(): Promise<void>;
  /** Begins nothing more. What is under way ends with its poster. */
  close(): Promise<void>;
}

const everyMsDefault = 15_000;
const atOnce = 20;
/** How much longer than a post may take nobody else takes it up. */
const spareMs = 5000;

export function createCourier(options: CourierOptions): Courier {
  const { alerts, poster, webhook, now, onDelivery, onFault, everyMs = everyMsDefault } = options;
  let closed = false;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;
  let isAskedAgain = false;
  /** Unix ms of when one that failed here is due. */
  let soonest = Number.POSITIVE_INFINITY;

  const send = async (due: DueAlert, to: Webhook): Promise<void> => {
    const { id, at, attempts: before } = due.alert;
    if (!(await alerts.claim(due, now() + postMsMax + spareMs))) return;
    const attempts = before + 1;
    const reason: Refusal = await poster.post(to, due.alert);
    if (reason === null) {
      await alerts.delivered(id);
      onDelivery({ id, outcome: 'delivered', attempts, reason });
      return;
    }
    const waitMs = nextTryMs(attempts, now() - at);
    const nextAt = waitMs === null ? null : now() + waitMs;
    await alerts.failed(id, nextAt);
    if (nextAt !== null) soonest = Math.min(soonest, nextAt);
    onDelivery({ id, outcome: nextAt === null ? 'given_up' : 'failed', attempts, reason });
  };

  const round = async (): Promise<void> => {
    soonest = Number.POSITIVE_INFINITY;
    try {
      for (let to = webhook(); to !== null && !closed; to = webhook()) {
        const due = await alerts.due(atOnce);
        if (due.length === 0) return;
        const receiver = to;
        await Promise.all(due.map((one) => send(one, receiver)));
      }
    } catch (error) {
      onFault(error);
    }
  };

  const rounds = async (): Promise<void> => {
    do {
      isAskedAgain = false;
      await round();
    } while (isAskedAgain && !closed);
  };

  const run = async (): Promise<void> => {
    if (closed) return;
    if (timer !== null) clearTimeout(timer);
    isAskedAgain = true;
    running ??= rounds().finally(() => {
      running = null;
      if (closed) return;
      const waitMs = Math.max(0, Math.min(everyMs, soonest - now()));
      timer = setTimeout(() => void run(), waitMs).unref();
    });
    await running;
  };

  return {
    run,
    async close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}
