/** The schema's history as data, in order; the writer's connection applies what a file lacks. */
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
import { builder, type Statement } from './schema.ts';

export type Migration = { readonly name: string; readonly statements: readonly Statement[] };

export const MIGRATIONS: readonly Migration[] = [
  { name: '0001-tokens', statements: createTokens(builder) },
  { name: '0002-pins', statements: createPinsAndAudit(builder) },
  { name: '0003-token-attributes', statements: createTokenAttributes(builder) },
  { name: '0004-activations', statements: createActivations(builder) },
  { name: '0005-idempotency', statements: createIdempotency(builder) },
  { name: '0006-usage', statements: createUsageTables(builder) },
  { name: '0007-audit-chain', statements: createAuditChain(builder) },
  { name: '0008-alerts', statements: createAlertTables(builder) },
  { name: '0009-dashboard', statements: createDashboardTables(builder) },
  { name: '0010-retirements', statements: createRetirementsTable(builder) },
  { name: '0011-canary', statements: addCanaryColumn(builder) },
  { name: '0012-tokens-alike', statements: indexTokensAlike(builder) },
];

/** Where a file records which migrations it has had: one row each, by name. */
export const LEDGER = 'postern_migrations';

/** Names in a file's ledger that this version does not know: a newer Postern wrote it. */
export function unknownMigrations(applied: readonly string[], known: readonly string[]): readonly string[] {
  return applied.filter((name) => !known.includes(name));
}
