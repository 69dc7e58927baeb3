/** Brings a PostgreSQL schema up to date, once, however many processes start; refuses one it does not know. */
import type pg from 'pg';
import { LEDGER, unknownMigrations } from '../migrations.ts';
import { DatabaseRefused } from '../refused.ts';
import { builder, type Change } from '../schema.ts';
import { postgresStatement } from './compile.ts';
import { createTokens } from './migrations/0001-tokens.ts';
import { createPinsAndAudit } from './migrations/0002-pins.ts';
import { createTokenAttributes } from './migrations/0003-token-attributes.ts';
import { createActivations } from './migrations/0004-activations.ts';
import { createIdempotency } from './migrations/0005-idempotency.ts';
import { createUsageTables } from './migrations/0006-usage.ts';
import { createAuditChain } from './migrations/0007-audit-chain.ts';
import { createAlertTables } from './migrations/0008-alerts.ts';
import { createDashboardTables } from './migrations/0009-dashboard.ts';
import { createRetirementsTable } from './migrations/0010-retirements.ts';
import { addCanaryColumn } from './migrations/0011-canary.ts';
import { indexTokensAlike } from './migrations/0012-tokens-alike.ts';

type Migration = { readonly name: string; readonly changes: readonly Change[] };

const MIGRATIONS: readonly Migration[] = [
  { name: '0001-tokens', changes: createTokens(builder) },
  { name: '0002-pins', changes: createPinsAndAudit(builder) },
  { name: '0003-token-attributes', changes: createTokenAttributes(builder) },
  { name: '0004-activations', changes: createActivations(builder) },
  { name: '0005-idempotency', changes: createIdempotency(builder) },
  { name: '0006-usage', changes: createUsageTables(builder) },
  { name: '0007-audit-chain', changes: createAuditChain(builder) },
  { name: '0008-alerts', changes: createAlertTables(builder) },
  { name: '0009-dashboard', changes: createDashboardTables(builder) },
  { name: '0010-retirements', changes: createRetirementsTable(builder) },
  { name: '0011-canary', changes: addCanaryColumn(builder) },
  { name: '0012-tokens-alike', changes: indexTokensAlike(builder) },
];

/** Any number, as long as it is Postern's alone: "Post". */
const LOCK = 0x506f7374;

/**
 * All that are lacking in one transaction, or none. Locks, and needs the right to make tables, only if
 * something is lacking.
 *
 * @param name the database, for people.
 * @throws DatabaseRefused `newer_schema`; `unreadable` for tables that are not ours. Else as pg gives it.
 */
export async function migrate(client: pg.ClientBase, name: string): Promise<void> {
  if ((await lacking(client, name)).length === 0) return;
  await client.query('begin isolation level read committed');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      `create table if not exists ${LEDGER} (name text not null primary key, applied_at bigint not null)`,
    );
    // Asked again under the lock: another process may have been faster.
    for (const migration of await lacking(client, name)) {
      for (const change of migration.changes) await client.query(postgresStatement(change).sql);
      await client.query(`insert into ${LEDGER} values ($1, $2)`, [migration.name, Date.now()]);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw isTaken(error) ? notOurs(name, error) : error;
  }
}

/** @throws DatabaseRefused `missing` or `unreadable` if the schema is not there or not up to date. */
export async function refuseOlderSchema(client: pg.ClientBase, name: string): Promise<void> {
  const missing = await lacking(client, name);
  if (missing.length === 0) return;
  if (missing.length === MIGRATIONS.length) {
    throw new DatabaseRefused(
      'missing',
      `${name} holds no tokens yet. Start the gateway or create a token first, or correct store.url.`,
    );
  }
  throw new DatabaseRefused(
    'unreadable',
    `${name} is of an older Postern (it lacks ${missing.map((one) => one.name).join(', ')}). Start the gateway, or run a command that writes, once: it brings the schema up to date.`,
  );
}

async function lacking(client: pg.ClientBase, name: string): Promise<readonly Migration[]> {
  const found = await client.query<{ ledger: string | null }>('select to_regclass($1) as ledger', [LEDGER]);
  if ((found.rows[0]?.ledger ?? null) === null) return MIGRATIONS;
  const { rows } = await client.query<{ name: string }>(`select name from ${LEDGER} order by name`);
  const applied = rows.map((row) => row.name);
  const known = MIGRATIONS.map((migration) => migration.name);
  const unknown = unknownMigrations(applied, known);
  if (unknown.length > 0) {
    throw new DatabaseRefused(
      'newer_schema',
      `${name} was written by a newer Postern (${unknown.join(', ')} unknown to this one). Nothing was changed. Use that version or a newer one, or restore a backup made by this one.`,
    );
  }
  return MIGRATIONS.filter((migration) => !applied.includes(migration.name));
}

/** SQLSTATE 42P07: a relation of that name is there. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42P07';
}

function notOurs(name: string, cause: unknown): DatabaseRefused {
  return new DatabaseRefused(
    'unreadable',
    `${name} holds tables of another program under the names Postern uses. Nothing was changed. Name another database in store.url, or a schema of Postern's own: ?options=-c%20search_path%3Dpostern.`,
    { cause },
  );
}
