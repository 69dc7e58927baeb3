/** Tokens on their way to another store: digests alone, told to the audit before the first of them is. */
import { withoutAdminType } from '../../policy/admin-type.ts';
import { attributesTold } from '../../policy/secret-attributes.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import { isUnused, unusedEndOf } from '../../policy/unused.ts';
import { exportRow } from './export-row.ts';
import type { Desk } from './operations.ts';

export type ExportRequest = {
  /** null: of any type. */
  readonly type: string | null;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Those too that have ended. */
  readonly all: boolean;
};

/** `leftOut`: of types that the config does not have, or of operators; no import would take them. */
export type Exported = { readonly exported: number; readonly leftOut: number };

/**
 * Hands each token's line to `write` and waits for it.
 *
 * @throws StoreFault; lines before it are out.
 */
export async function exportTokens(
  desk: Desk,
  request: ExportRequest,
  write: (row: Readonly<Record<string, unknown>>) => void | Promise<void>,
): Promise<Exported> {
  const { tokens, audit, by: actor } = desk;
  const { types } = withoutAdminType(desk.policy);
  const { type, attributes, all } = request;
  const now = desk.now();
  const isAsked = (record: TokenRecord) => all || !hasEnded(record, types.get(record.type), now);
  let counted = 0;
  for await (const page of tokens.kept(request)) {
    counted += page.filter(({ record }) => types.has(record.type) && isAsked(record)).length;
  }
  const told = attributesTold(attributes, types.get(type ?? ''));
  const detail = { tokens: counted, type, ...told, all };
  await audit.record({ actor, action: 'token.export', subject: 'tokens', detail });
  const report = { exported: 0, leftOut: 0 };
  for await (const page of tokens.kept(request)) {
    for (const kept of page) {
      const known = types.get(kept.record.type);
      if (!isAsked(kept.record)) continue;
      if (known === undefined) report.leftOut++;
      else {
        await write(exportRow(known, { ...kept, record: endedAs(kept.record, known, now) }));
        report.exported++;
      }
    }
  }
  return report;
}

/** A disabled one may be enabled again, and goes along as it is. */
function hasEnded(record: TokenRecord, type: TokenType | undefined, now: number): boolean {
  const { revokedAt, expiresAt, retireAt } = record;
  if (revokedAt !== null || [expiresAt, retireAt].some((end) => end !== null && end <= now)) return true;
  return type !== undefined && isUnused(record, type, now);
}

/** What ended because nobody used it says so: the store it comes to counts from its arrival there. */
function endedAs(record: TokenRecord, type: TokenType, now: number): TokenRecord {
  const unusedEnd = isUnused(record, type, now) ? unusedEndOf(record, type) : null;
  if (unusedEnd === null) return record;
  return { ...record, expiresAt: Math.min(record.expiresAt ?? unusedEnd, unusedEnd) };
}
