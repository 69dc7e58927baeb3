/** What an audit store promises: each change leaves one row, in the change's own transaction. */

export type AuditAction =
  | 'token.create'
  | 'token.revoke'
  | 'token.rotate'
  /** One row for the new token and one for each that it replaces. */
  | 'token.regenerate'
  | 'token.update'
  | 'token.disable'
  | 'token.enable'
  /** It was rotated, and ended because nobody needed it any more. */
  | 'token.retire'
  | 'token.import'
  /** An upstream made it, and it is one of ours since. */
  | 'token.learn'
  /** An upstream made or ended tokens and we could not follow: ours may be out of date. */
  | 'token.observe_failed'
  /** Somebody signed in to the dashboard. */
  | 'session.open'
  | 'session.end'
  /** Somebody had the gateway take its config anew; it did, or refused it. */
  | 'config.reload'
  /** Nobody did anything: something was noticed. */
  | 'alert.raised'
  | 'alert.acknowledge'
  | 'probe.activate'
  | 'probe.deactivate'
  | 'pin.first_use'
  | 'pin.change'
  | 'pin.reset'
  /** An upstream changed its record and we could not follow: the pin may be out of date. */
  | 'pin.observe_failed'
  /** One row for each chunk; the tokens' own rows stay. */
  | 'token.purge'
  /** Digests left the store, for another one. */
  | 'token.export'
  /** The chain begins: what was there before it is sealed as it was found. */
  | 'audit.begin'
  /** One row for each chunk; it says from where the chain goes on. */
  | 'audit.purge';

/** What happened. Never a secret; values of pins are none. */
export type AuditEvent = {
  /** Who did it: an operator, or the token that made the request. */
  readonly actor: string;
  readonly action: AuditAction;
  /**
   * What it was done to: a token's or an activation's id, `type=NAME` for an import, whose pin it is, `tokens` for a purge or
   * an export of them, `config`, `audit` for the audit itself.
   */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
};

export type AuditEntry = AuditEvent & {
  /** `aud_` and a ULID: sorts by time. */
  readonly id: string;
  /** Unix ms. */
  readonly at: number;
};

/** null: no filter; `after` is the `next` of the page before. */
export type AuditFilter = {
  readonly subject: string | null;
  readonly after: string | null;
  /** 1 to 1000. */
  readonly limit: number;
  /** Absent: oldest first. */
  readonly newestFirst?: boolean;
};

export type AuditPage = { readonly entries: readonly AuditEntry[]; readonly next: string | null };

/** The end of the chain, as it was at some time. */
export type AuditHead = { readonly seq: number; readonly mac: string };

/**
 * `changed`, `removed`, `added`: what somebody without the key did to rows. `head_missing`: the row that was asked for is not in the
 * chain, or another one stands there; `head_purged`: it is gone by a purge, so that nothing can be said. `not_begun`: there are rows,
 * and no chain yet; `no_key`: none is kept.
 */
export type AuditFlaw = {
  readonly code: 'changed' | 'removed' | 'added' | 'head_missing' | 'head_purged' | 'not_begun' | 'no_key';
  /** Where in the chain; null: nowhere in it. */
  readonly seq: number | null;
  /** The audit row that shows it; null: none does. */
  readonly id: string | null;
};

export type AuditVerdict = {
  /** How many rows follow one another, up to the flaw where there is one. */
  readonly rows: number;
  /** The first of them: everything before it was purged. null: there is none. */
  readonly first: { readonly seq: number; readonly at: number } | null;
  /**
   * Where the chain has begun over rows that were there already; null: nowhere in what is left. It does so once: a later time than that
   * is of a chain that somebody took away.
   */
  readonly begun: { readonly seq: number; readonly at: number } | null;
  /** The last of them. */
  readonly head: AuditHead | null;
  /** Rows that are in no chain. */
  readonly unsealed: number;
  /** null: none was found. */
  readonly flaw: AuditFlaw | null;
};

export type AuditPurge = {
  /** Unix ms: rows from before are removed, from the oldest up to the first that is not. */
  readonly beforeMs: number;
  readonly by: string;
};

export interface AuditStore {
  /** In order of time. @throws StoreFault */
  list(filter: AuditFilter): AuditPage | Promise<AuditPage>;

  /** For what changed nothing here and is worth knowing all the same. Durable when it resolves. @throws StoreFault */
  record(event: AuditEvent): Promise<void>;

  /** null: nothing is sealed. @throws StoreFault */
  head(): Promise<AuditHead | null>;

  /** Walks the whole chain, in pages. @param head one that was noted before; null: none was. @throws StoreFault */
  verify(head: AuditHead | null): Promise<AuditVerdict>;

  /** How many rows went; in chunks, each with its own row in the audit. @throws StoreFault; chunks before it are gone. */
  purge(purge: AuditPurge): Promise<number>;
}
