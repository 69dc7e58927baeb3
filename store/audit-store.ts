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
  | 'token.import'
  /** An upstream made it, and it is one of ours since. */
  | 'token.learn'
  /** An upstream made or ended tokens and we could not follow: ours may be out of date. */
  | 'token.observe_failed'
  /** Somebody signed in to the dashboard. */
  | 'session.open'
  | 'session.end'
  | 'probe.activate'
  | 'probe.deactivate'
  | 'pin.first_use'
  | 'pin.change'
  | 'pin.reset'
  /** An upstream changed its record and we could not follow: the pin may be out of date. */
  | 'pin.observe_failed';

/** What happened. Never a secret; values of pins are none. */
export type AuditEvent = {
  /** Who did it: an operator, or the token that made the request. */
  readonly actor: string;
  readonly action: AuditAction;
  /** What it was done to: a token's or an activation's id, `type=NAME` for an import, or whose pin it is. */
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

export interface AuditStore {
  /** In order of time. @throws StoreFault */
  list(filter: AuditFilter): AuditPage | Promise<AuditPage>;

  /** For what changed nothing here and is worth knowing all the same. Durable when it resolves. @throws StoreFault */
  record(event: AuditEvent): Promise<void>;
}
