/** Tokens in one PostgreSQL primary: each request's row is read after the request came, for many requests at once. */
import type { KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import { createAlerts } from './alerts.ts';
import { createPostgresAudit } from './audit-postgres.ts';
import { createAuditRows } from './audit-rows.ts';
import { sealedLink } from './audit-seal-postgres.ts';
import { createAuditTrail } from './audit-trail.ts';
import { StoreFault } from './fault.ts';
import { createKnownTokens } from './known-tokens.ts';
import { createPostgresPins } from './pins-postgres.ts';
import { postgresStatement } from './postgres/compile.ts';
import { createLine } from './postgres/line.ts';
import type { PostgresLink } from './postgres/link.ts';
import { createTokenReads } from './postgres/token-reads.ts';
import { createProbes } from './probes.ts';
import { createRetirements } from './retirements.ts';
import type { Change, Statement } from './schema.ts';
import { createSessions } from './sessions.ts';
import { createSightings } from './sightings.ts';
import { type OpenTokens, Tokens } from './tokens.ts';
import type { Uses } from './tokens-database.ts';
import type { TokensOptions } from './tokens-options.ts';
import { createUsage } from './usage.ts';

export type PostgresTokensOptions = TokensOptions & {
  /** To a database whose schema is up to date; closed with the store. */
  readonly link: PostgresLink;
  /** `when_down: serve_known_for`, in ms; null: refuse. */
  readonly serveKnownForMs: number | null;
};

/** Held until the transaction ends: what it reads after this, nobody with the same number is changing. */
const alone = (number: number): Statement => ({
  sql: 'select pg_advisory_xact_lock($1)',
  parameters: [number],
});

/** Any numbers, as long as they are ours: "Life", "Prob" and "Aler". Whoever switches probes on and off keeps no token from its end. */
const TOKENS_ALONE = alone(0x4c696665);
const PROBES_ALONE = alone(0x50726f62);
const ALERTS_ALONE = alone(0x416c6572);

/** Pins and audit are in the same database, on the same connections. */
/** The lock lets one in at a time anyway; those that wait for it must leave connections for a revoke. */
const ALONE_HERE = { inFlightMax: 1, waitingMax: 100, waitMs: 2_000 };

export function createPostgresTokens(options: PostgresTokensOptions): OpenTokens {
  const { now, serveKnownForMs } = options;
  const keys = options.auditKeys ?? none;
  const link = options.readonly === true ? readOnly(options.link) : sealed(options.link, keys(), now);
  const known = serveKnownForMs === null ? null : createKnownTokens(serveKnownForMs);
  const rowOf = createAuditRows(now);
  const database = { link, now, rowOf };
  const inLineFor = (lock: Statement) => {
    const inLine = createLine(ALONE_HERE);
    return async (batch: readonly Change[]) => {
      const [, ...results] = await inLine(() => link.write([lock, ...batch.map(postgresStatement)]));
      return results;
    };
  };
  const rooms = {
    now,
    auditRow: rowOf,
    reads: createTokenReads(link),
    write: (batch: readonly Change[]) => link.write(batch.map(postgresStatement)),
    writeAlone: inLineFor(TOKENS_ALONE),
  };
  const rehearse = (batch: readonly Change[]) => link.rehearse(batch.map(postgresStatement));
  const audit = createPostgresAudit(database);

  return new Tokens(options, {
    known,
    ...rooms,
    dry: {
      write: rehearse,
      pins: createPostgresPins({ ...database, link: dryLink(link) }),
      probes: createProbes({ ...rooms, write: rehearse, writeAlone: rehearse }),
      audit: { ...audit, ...createAuditTrail({ ...rooms, keys, write: rehearse }) },
      alerts: createAlerts({ ...rooms, write: rehearse, writeAlone: rehearse }),
    },
    pins: createPostgresPins(database),
    probes: createProbes({ ...rooms, writeAlone: inLineFor(PROBES_ALONE) }),
    audit: { ...audit, ...createAuditTrail({ ...rooms, keys }) },
    usage: createUsage(rooms),
    retirements: createRetirements(rooms),
    sessions: createSessions(rooms),
    alerts: createAlerts({ ...rooms, writeAlone: inLineFor(ALERTS_ALONE) }),
    sightings: createSightings(rooms),
    writeUses: async (uses) => {
      await link.write([markAllUsed(uses)]);
    },
    health() {
      const { ok, reason } = link.health();
      const leftMs = ok ? 0 : (known?.leftMs() ?? 0);
      if (leftMs === 0) return { ok, reason };
      return {
        ok: true,
        reason: `${reason}; known tokens are served for ${Math.ceil(leftMs / 1000)} s more`,
      };
    },
    close: () => link.close(),
  });
}

const none = (): readonly KeyObject[] => [];

function sealed(link: PostgresLink, [key]: readonly KeyObject[], now: () => number): PostgresLink {
  return key === undefined ? link : sealedLink(link, key, now);
}

function dryLink(link: PostgresLink): PostgresLink {
  return {
    read: (statement) => link.read(statement),
    write: (batch) => link.rehearse(batch),
    rehearse: (batch) => link.rehearse(batch),
    transact: (work) => link.rehearseTransact(work),
    rehearseTransact: (work) => link.rehearseTransact(work),
    health: () => link.health(),
    close: () => Promise.resolve(),
  };
}

function readOnly(link: PostgresLink): PostgresLink {
  const refuse = () =>
    Promise.reject(new StoreFault('store_unavailable', 'the store was opened to read only'));
  return {
    read: (statement) => link.read(statement),
    write: refuse,
    transact: refuse,
    rehearse: refuse,
    rehearseTransact: refuse,
    health: () => link.health(),
    close: () => link.close(),
  };
}

/** In order of id: two processes that note uses of the same tokens do not wait for each other in a ring. */
function markAllUsed(uses: Uses): Statement {
  const sorted = [...uses].sort(([one], [other]) => (one < other ? -1 : 1));
  const ids = sorted.map(([id]) => id);
  const times = sorted.map(([, atMs]) => atMs);
  return postgresStatement(sql`
    update tokens set last_used_at = used.at
    from unnest(${sql.val(ids)}::text[], ${sql.val(times)}::bigint[]) as used (id, at)
    where tokens.id = used.id and (tokens.last_used_at is null or tokens.last_used_at < used.at)`);
}
