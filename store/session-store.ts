/** What a session store promises: who is signed in to the dashboard, and until when. It keeps digests of secrets, never one. */

/** `token`: `name` is the id of an admin token; `operator`: a name of the config. */
export type SessionHolder = { readonly kind: 'token' | 'operator'; readonly name: string };

export type NewSession = {
  readonly holder: SessionHolder;
  /** What was believed when it was opened, as a digest: who asks for the session later can see whether it still holds. */
  readonly proof: string;
  /** Where it was opened from. */
  readonly address: string;
  /** For the audit. */
  readonly by: string;
};

/** Times are Unix ms. Whether its holder may still be here is not judged by the store. */
export type SessionRecord = {
  /** `ses_` and a ULID. Not secret, and opens nothing. */
  readonly id: string;
  readonly holder: SessionHolder;
  readonly proof: string;
  readonly address: string;
  readonly createdAt: number;
  /** Within a minute. */
  readonly lastSeenAt: number;
  readonly expiresAt: number;
};

export interface SessionStore {
  /**
   * With a new secret, which is told this once. Durable, with an audit row in the same transaction, when it resolves.
   * Of the sessions that one holder has, the oldest beyond twenty end by it. @throws StoreFault
   */
  open(session: NewSession): Promise<{ readonly record: SessionRecord; readonly secret: string }>;

  /** Read from the database now; null: there is none, it is over, or nobody was seen for too long. @throws StoreFault */
  find(secret: string): Promise<SessionRecord | null>;

  /** Notes that its holder is here; written once a minute at most. @throws StoreFault */
  touch(session: SessionRecord): Promise<void>;

  /** Those that are not over, newest first, at most 200. null: everybody's. @throws StoreFault */
  list(holder: SessionHolder | null): Promise<readonly SessionRecord[]>;

  /** null: there is none. @throws StoreFault */
  byId(id: string): Promise<SessionRecord | null>;

  /**
   * Durable, with an audit row in the same transaction, and seen by every later `find`, when it resolves.
   *
   * @returns whether there was one to end. @throws StoreFault
   */
  end(id: string, by: string): Promise<boolean>;
}
