/**
 * Watches over answers under way: one whose token is revoked, expired, disabled or gone meanwhile is cut. A
 * request that is over before anybody looks costs an entry made and removed.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lostStanding } from '../policy/standing.ts';
import type { TokenRecord } from '../policy/token-types.ts';
import type { Denial, Policy } from '../policy/types.ts';
import { StoreFault } from '../store/fault.ts';
import type { TokenStore } from '../store/token-store.ts';
import { cutConnection } from './connection.ts';
import { type Listed, Roster } from './roster.ts';

/** One answer, WebSocket or upload under way. */
export type Watch = Listed & {
  readonly tokenId: string;
  readonly res: ServerResponse;
  /** The round in which it began. */
  readonly since: number;
  /** Why it was cut; null: it was not. */
  cut: Denial | null;
};

export type VigilOptions = {
  readonly tokens: Pick<TokenStore, 'byIds' | 'touch'>;
  /** The policy in force now. */
  readonly policy: () => Policy;
  /** Unix ms. */
  readonly now: () => number;
  /** For what should never be thrown. */
  readonly bug: (error: unknown) => void;
  readonly everyMs?: number;
};

/**
 * Whoever is under way for longer than one round is looked at in every round: what was under way when its token
 * died is cut within two of them, and what takes less than one is never looked at.
 */
const everyMsDefault = 250;

/** An open stream is a use, noted this often, where a token could end because nobody uses it. */
const openUseMs = 60_000;

/** Records read in one go; other requests have their turn in between. */
const batch = 200;

export class Vigil {
  readonly #options: VigilOptions;
  readonly #open = new Roster<Watch>();
  #round = 0;
  #timer: NodeJS.Timeout | null = null;
  #looking = false;

  constructor(options: VigilOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(tokenId: string, res: ServerResponse): Watch {
    const watch: Watch = { tokenId, res, since: this.#round, cut: null, at: -1 };
    this.#open.add(watch);
    this.#timer ??= setInterval(() => this.#next(), this.#options.everyMs ?? everyMsDefault).unref();
    return watch;
  }

  end(watch: Watch): void {
    this.#open.remove(watch);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #next(): void {
    this.#round++;
    if (this.#open.size === 0) this.close();
    else if (!this.#looking) void this.#look();
  }

  /** Never rejects. A store that cannot tell lets everything go on, until it can. */
  async #look(): Promise<void> {
    this.#looking = true;
    try {
      const byToken = this.#due();
      const ids = [...byToken.keys()];
      for (let from = 0; from < ids.length; from += batch) {
        if (from > 0) await nextTurn();
        await this.#judge(ids.slice(from, from + batch), byToken);
      }
    } catch (error) {
      if (!(error instanceof StoreFault)) this.#options.bug(error);
    } finally {
      this.#looking = false;
    }
  }

  /** By token, those that were there before the last round began. */
  #due(): Map<string, Watch[]> {
    const byToken = new Map<string, Watch[]>();
    for (const watch of this.#open.all) {
      if (this.#round - watch.since < 2) continue;
      const others = byToken.get(watch.tokenId);
      if (others === undefined) byToken.set(watch.tokenId, [watch]);
      else others.push(watch);
    }
    return byToken;
  }

  #noteUse({ id, type, lastUsedAt, retireAt }: TokenRecord): void {
    const { tokens, policy, now } = this.#options;
    if (policy().types.get(type)?.unused === undefined && retireAt === null) return;
    if (now() - (lastUsedAt ?? 0) >= openUseMs) tokens.touch(id, now());
  }

  async #judge(ids: readonly string[], byToken: ReadonlyMap<string, readonly Watch[]>): Promise<void> {
    const { tokens, policy, now } = this.#options;
    const found = new Map<string, TokenRecord>();
    for (const record of await tokens.byIds(ids)) found.set(record.id, record);
    for (const id of ids) {
      const record = found.get(id);
      const lost = lostStanding(policy(), record, now());
      if (lost === null) {
        if (record !== undefined) this.#noteUse(record);
        continue;
      }
      for (const watch of byToken.get(id) ?? []) if (this.#open.remove(watch)) cut(watch, lost);
    }
  }
}

function cut(watch: Watch, denial: Denial): void {
  watch.cut = denial;
  cutConnection(watch.res);
}
