/** The tables as Kysely sees them, and a Kysely that only compiles: it never runs a statement. */
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  type RawBuilder,
  type RootOperationNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

/** One row a token. Times are Unix ms; null means "never set". */
export type TokensTable = {
  /** `tok_` and a ULID: sorts by when the row came to this store. */
  id: string;
  type: string;
  label: string;
  preview: string;
  /**
   * SHA-256 of the whole token in lower-case hex, or HMAC-SHA256 under a pepper; `r:` and the same of
   * the random part for `<id>|<random>`; null: only bcrypt can tell.
   */
  digest: string | null;
  /** `$2a$`, `$2b$` or `$2y$`; kept after `digest` was written, but no longer asked. */
  bcrypt: string | null;
  /** The token's first characters, which find its bcrypt row. */
  lookup: string | null;
  external_id: string | null;
  /** JSON: an array of strings. */
  scopes: string;
  /** JSON: an object of strings and arrays of strings. */
  attributes: string;
  /** JSON: an array of strings. */
  origins: string;
  created_at: number;
  created_by: string;
  not_before: number | null;
  expires_at: number | null;
  last_used_at: number | null;
  rotated_to: string | null;
  retire_at: number | null;
  disabled_at: number | null;
  revoked_at: number | null;
  revoked_by: string | null;
  revoked_reason: string | null;
  version: number;
  /** 1: it only sounds an alarm, and stays so for good; 0: it is a token like any other. */
  canary: number;
};

/** One row a pin and subject, once anything was pinned. */
export type PinsTable = {
  pin: string;
  /** `project=prj_a`, `token=tok_…` */
  subject: string;
  /** null: let go. */
  value: string | null;
  pinned_at: number;
  pinned_by: string;
  version: number;
};

/** One row an activation of a probe. Times are Unix ms. */
export type ActivationsTable = {
  /** A UUID. */
  activation_id: string;
  type: string;
  /** The text its key was derived for. */
  subject: string;
  label_pattern: string;
  service: string;
  environment: string;
  created_at: number;
  created_by: string;
  expires_at: number;
  trigger_expires_at: number;
  deactivated_at: number | null;
  deactivated_by: string | null;
};

/** One row a token, row of the matrix and bucket of time. */
export type UsageTable = {
  /** '': nobody known. */
  token_id: string;
  /** How long the bucket is: 60 or 3600. */
  seconds: number;
  /** Unix seconds. */
  start: number;
  /** '': none was chosen. */
  route: string;
  passed: number;
  refused: number;
  failed: number;
};

/** One row a token that was used. */
export type TokenUsesTable = {
  token_id: string;
  /** Unix ms. */
  at: number;
  address: string;
  route: string;
};

/** One row an alert. Times are Unix ms. */
export type AlertsTable = {
  /** `alr_` and a ULID. */
  id: string;
  at: number;
  kind: string;
  subject: string;
  token_id: string | null;
  /** JSON: an object. */
  detail: string;
  acknowledged_at: number | null;
  acknowledged_by: string | null;
  attempts: number;
  /** When it is due to be sent; null: no more. */
  next_try_at: number | null;
  delivered_at: number | null;
};

/** One row a token and place it was seen at. Times are Unix ms. */
export type PlacesTable = {
  token_id: string;
  /** bundle, origin or network. */
  kind: string;
  /** '': none was sent. */
  value: string;
  first_seen: number;
  /** To the hour or so. */
  last_seen: number;
  /** When it is to be judged; null: it has been. */
  due_at: number | null;
};

/** One row a bundle id or network and bucket of time. */
export type TalliesTable = {
  /** bundle or network. */
  kind: string;
  subject: string;
  /** How long the bucket is: 60 or 3600. */
  seconds: number;
  /** Unix seconds. */
  start: number;
  count: number;
};

/** Written and sealed in one transaction, never changed after. */
export type AuditTable = {
  /** `aud_` and a ULID. */
  id: string;
  at: number;
  actor: string;
  action: string;
  subject: string;
  /** JSON: an object. */
  detail: string;
  /** Its place in the chain, from 1; null: it has none. */
  seq: number | null;
  /** HMAC-SHA256 in lower-case hex over the mac of the row before and this row. */
  mac: string | null;
};

/** What must never be a token again: one row for each id, digest, bcrypt hash and external id that was purged. */
export type PurgedTokensTable = {
  /** `id:tok_…`, `digest:…`, `bcrypt:…`, `external_id:TYPE:…` */
  mark: string;
  /** The audit row of its purge. */
  purge: string;
};

/** One row a token, attribute and value: what `attributes` of its row says, made searchable. */
export type TokenAttributesTable = { token_id: string; name: string; value: string };

/** One row a key of an admin token, for a day. */
export type IdempotencyTable = {
  /** The id of the admin token whose key it is. */
  caller: string;
  key_digest: string;
  request_digest: string;
  /** What was made under it. */
  token_id: string;
  created_at: number;
};

/** One row a rotated token that is to end once it is quiet. */
export type RetirementsTable = { token_id: string; successor: string; asked_at: number; asked_by: string };
/** One row a session of the dashboard, until it is over. Times are Unix ms. */
export type SessionsTable = {
  /** `ses_` and a ULID. */
  id: string;
  /** SHA-256 of the secret in the cookie. */
  digest: string;
  kind: 'token' | 'operator';
  /** Whose it is: the id of an admin token, or a name of the config. */
  name: string;
  proof: string;
  address: string;
  created_at: number;
  last_seen_at: number;
  expires_at: number;
};

export type Schema = {
  tokens: TokensTable;
  token_attributes: TokenAttributesTable;
  pins: PinsTable;
  activations: ActivationsTable;
  usage: UsageTable;
  token_uses: TokenUsesTable;
  alerts: AlertsTable;
  places: PlacesTable;
  tallies: TalliesTable;
  audit: AuditTable;
  purged_tokens: PurgedTokensTable;
  idempotency: IdempotencyTable;
  retirements: RetirementsTable;
  sessions: SessionsTable;
};

/** A change as a query tree: what it means, before any database's SQL. */
export type Change = {
  compile(): CompiledQuery;
  toOperationNode(): RootOperationNode;
  readonly ifChanged?: true;
};

/** A compiled statement: plain data that may cross to the writer thread. */
export type Statement = {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** Left out where nothing before it in its batch changed anything. */
  readonly ifChanged?: true;
};

/** Builds query trees, and SQLite's SQL of them; executing on it is an error by construction (it has no driver). */
export const builder = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** Only what the driver needs: Kysely's own result also carries the query tree. */
export function statementOf(query: Pick<Change, 'compile' | 'ifChanged'>): Statement {
  const { sql, parameters } = query.compile();
  return query.ifChanged === true ? { sql, parameters, ifChanged: true } : { sql, parameters };
}

/** The change, left out where nothing before it in its batch changed anything. */
export function ifChanged(change: Change): Change {
  return {
    compile: () => change.compile(),
    toOperationNode: () => change.toOperationNode(),
    ifChanged: true,
  };
}

/** A change that is written as SQL, in words that every database here knows. */
export function rawChange(query: RawBuilder<unknown>): Change {
  return {
    compile: () => query.compile(builder),
    toOperationNode: () => query.toOperationNode() as RootOperationNode,
  };
}
