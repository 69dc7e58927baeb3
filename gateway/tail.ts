/**
 * Decisions as they are made, for whoever listens just now. A request pays a look at whether anybody does, and else puts
 * its account on a queue; words are made of it later, in batches. Nothing is kept: what nobody hears is gone.
 */
import type { Account } from './access-log.ts';

/** What of a decision is told: as the access log has it, from an allow-list. Never the token, a header, a path or a query. */
export type Decision = {
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly request_id: string;
  readonly method: string;
  /** Row id; null: none matched. */
  readonly row: string | null;
  /** 0: nothing was answered. */
  readonly status: number;
  /** The exact code of a refusal; null: passed. */
  readonly code: string | null;
  readonly reason: string | null;
  readonly token_id: string | null;
  readonly type: string | null;
  readonly address: string;
  readonly duration_ms: number;
  readonly aborted: boolean;
  /** What `mode: monitor` would have refused. */
  readonly monitored: readonly string[];
};

/** Hears of decisions. */
export type Listener = {
  /** Whether it is to be told of such a one. */
  readonly wants: (account: Account) => boolean;
  /**
   * Some decisions, oldest first, as JSON texts; maybe none. @param lost how many more there were since the last time that
   * it wanted, or may have wanted, and that were too many.
   */
  readonly take: (texts: readonly string[], lost: number) => void;
};

export type TailOptions = {
  /** Unix ms. */
  readonly now: () => number;
  readonly everyMs?: number;
  /** Decisions between two batches; those beyond are lost to all listeners. */
  readonly queueMax?: number;
  /** Decisions a listener is told of in a second; those beyond are lost to it. */
  readonly perSecondMax?: number;
};

type Noted = { readonly atMs: number; readonly account: Account; text: string | null };

/** What a listener may still be told. */
type Seat = { readonly listener: Listener; allowance: number };

const everyMsDefault = 50;
const queueMaxDefault = 4096;
const perSecondMaxDefault = 1000;

export class Tail {
  readonly #now: () => number;
  readonly #everyMs: number;
  readonly #queueMax: number;
  readonly #perSecondMax: number;
  /** null: nobody listens. */
  #queue: Noted[] | null = null;
  #overflown = 0;
  readonly #seats = new Map<Listener, Seat>();
  #timer: NodeJS.Timeout | null = null;

  constructor({
    now,
    everyMs = everyMsDefault,
    queueMax = queueMaxDefault,
    perSecondMax = perSecondMaxDefault,
  }: TailOptions) {
    this.#now = now;
    this.#everyMs = everyMs;
    this.#queueMax = queueMax;
    this.#perSecondMax = perSecondMax;
  }

  /** No I/O, and nothing at all while nobody listens. */
  note(account: Account): void {
    const queue = this.#queue;
    if (queue === null) return;
    if (queue.length < this.#queueMax) queue.push({ atMs: this.#now(), account, text: null });
    else this.#overflown++;
  }

  /** From now on, until `leave`. */
  listen(listener: Listener): void {
    this.#seats.set(listener, { listener, allowance: this.#perSecondMax });
    this.#queue ??= [];
    this.#timer ??= setInterval(() => this.tell(), this.#everyMs).unref();
  }

  leave(listener: Listener): void {
    this.#seats.delete(listener);
    if (this.#seats.size > 0) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#queue = null;
    this.#overflown = 0;
  }

  /** Tells now what waits: everybody, so that who has nothing to hear can show that it is still there. */
  tell(): void {
    const queue = this.#queue ?? [];
    const overflown = this.#overflown;
    this.#queue = [];
    this.#overflown = 0;
    const earned = (this.#perSecondMax * this.#everyMs) / 1000;
    for (const seat of [...this.#seats.values()]) {
      seat.allowance = Math.min(this.#perSecondMax, seat.allowance + earned);
      const wanted = queue.filter(({ account }) => seat.listener.wants(account));
      const told = wanted.slice(0, Math.floor(seat.allowance));
      seat.allowance -= told.length;
      seat.listener.take(told.map(textOf), overflown + wanted.length - told.length);
    }
  }
}

/** Made once, whoever listens. */
function textOf(noted: Noted): string {
  noted.text ??= JSON.stringify(decisionOf(noted));
  return noted.text;
}

function decisionOf({ atMs, account }: Noted): Decision {
  return {
    at: new Date(atMs).toISOString(),
    request_id: account.requestId,
    // The caller's text; only a token of RFC 9110 gets this far, but it may be long.
    method: account.method.slice(0, 20),
    row: account.route,
    status: account.status,
    code: account.code,
    reason: account.reason,
    token_id: account.tokenId,
    type: account.tokenType,
    address: account.address,
    duration_ms: Math.round(account.durationMs * 1000) / 1000,
    aborted: account.aborted,
    monitored: account.monitored ?? [],
  };
}
