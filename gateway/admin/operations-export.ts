/** Tokens on their way to another store: digests alone, told to the audit before the first of them is. */
import { withoutAdminType } from '../../policy/admin-type.ts';
import { attributesTold } from '../../policy/secret-attributes.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import { isUnused, unusedEndOf } from '../../policy/unused.ts';
import type { KeptToken } from '../../store/token-store.ts';
import { exportRow } from './export-row.ts';
import { type MayBeEnded, StaysBehind } from './export-twins.ts';
import type { Desk } from './operations.ts';

export type ExportRequest = {
  /** null: of any type. */
  readonly type: string | null;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** Those too that have ended. */
  readonly all: boolean;
};

export type Exported = {
  readonly exported: number;
  readonly leftOut: Readonly<Record<LeftOut, number>>;
};

/** `foreign`: of a type that the config does not have, or of operators; no import would take it. */
type LeftOut = MayBeEnded | 'foreign';

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
  const isOver = (record: TokenRecord) => hasEnded(record, types.get(record.type), now);
  const isAsked = (record: TokenRecord) => all || !isOver(record);
  const behind = await staysBehind(desk, request, isOver);
  const whyNot = (kept: KeptToken): LeftOut | null => {
    if (!types.has(kept.record.type)) return 'foreign';
    return isOver(kept.record) || kept.record.canary === true ? null : behind.isPerhaps(kept);
  };
  const counted = { exported: 0, foreign: 0, alike: 0, peppered: 0 };
  for await (const page of tokens.kept(request)) {
    for (const kept of page) if (isAsked(kept.record)) counted[whyNot(kept) ?? 'exported']++;
  }
  const told = attributesTold(attributes, types.get(type ?? ''));
  const leftOut = { alike: counted.alike, peppered: counted.peppered };
  const detail = { tokens: counted.exported, type, ...told, all, left_out: leftOut };
  await audit.record({ actor, action: 'token.export', subject: 'tokens', detail });
  const report = { exported: 0, leftOut: { foreign: 0, alike: 0, peppered: 0 } };
  for await (const page of tokens.kept(request)) {
    for (const kept of page) {
      const known = types.get(kept.record.type);
      if (!isAsked(kept.record)) continue;
      const why = whyNot(kept);
      if (known === undefined || why !== null) report.leftOut[why ?? 'foreign']++;
      else {
        await write(exportRow(known, { ...kept, record: endedAs(kept.record, known, now) }));
        report.exported++;
      }
    }
  }
  return report;
}

/** Those of the type that would answer for a token that lives, and that the export leaves where they are. @throws StoreFault */
async function staysBehind(
  { tokens }: Desk,
  request: ExportRequest,
  isOver: (record: TokenRecord) => boolean,
): Promise<StaysBehind> {
  const { type, all } = request;
  const isStern = (record: TokenRecord) =>
    isOver(record) || record.disabledAt !== null || record.canary === true;
  const goesAlong = (record: TokenRecord) => all || !isOver(record);
  const along = new Set<string>();
  for await (const page of tokens.kept(request)) {
    for (const { record } of page) if (isStern(record) && goesAlong(record)) along.add(record.id);
  }
  const behind = new StaysBehind();
  for await (const page of tokens.kept({ type, attributes: new Map() })) {
    for (const kept of page) if (isStern(kept.record) && !along.has(kept.record.id)) behind.note(kept);
  }
  return behind;
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
