/** Retirements in whatever database holds the tokens. Asked for with a rotation, in its transaction. */
import { sql } from 'kysely';
import type { AuditRows } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import { text, time } from './casts.ts';
import type { AskedRetirement, Quiet, Retirement, RetirementStore } from './retirement-store.ts';
import { type Change, ifChanged, rawChange } from './schema.ts';
import type { TokenReads } from './token-reads.ts';
import type { StatementResult } from './writer-thread.ts';

export type RetirementRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly auditRow: AuditRows;
  /** All of the batch in one transaction, or none, and no two of these batches at a time, whatever process they are from. */
  readonly writeAlone: (batch: readonly Change[]) => Promise<readonly StatementResult[]>;
  readonly reads: Pick<TokenReads, 'rows'>;
};

const pageMax = 500;

type RetirementRow = { readonly token_id: string; readonly successor: string };
type AskedRow = RetirementRow & { readonly asked_at: number; readonly asked_by: string };

const retirementOf = ({ token_id: tokenId, successor }: RetirementRow): Retirement => ({
  tokenId,
  successor,
});

const askedOf = ({ asked_at: askedAt, asked_by: askedBy, ...row }: AskedRow): AskedRetirement => ({
  ...retirementOf(row),
  askedAt,
  askedBy,
});

export function createRetirements({ now, auditRow, writeAlone, reads }: RetirementRooms): RetirementStore {
  return {
    async pending(afterId) {
      const rows = await reads.rows<RetirementRow>(selectPending(afterId, now()));
      return rows.map(retirementOf);
    },

    async asked(tokenIds) {
      if (tokenIds.length === 0) return [];
      return (await reads.rows<AskedRow>(selectAsked(tokenIds, now()))).map(askedOf);
    },

    async retire(quiet) {
      const { tokenId, successor, lastUsedAt, by, reason } = quiet;
      const detail = {
        successor,
        reason,
        last_used_at: lastUsedAt === 0 ? null : new Date(lastUsedAt).toISOString(),
      };
      const [ended] = await writeAlone([
        endQuiet(quiet, now()),
        ifChanged(insertAudit(auditRow({ actor: by, action: 'token.retire', subject: tokenId, detail }))),
        ifChanged(forget(tokenId)),
      ]);
      return ended?.changes === 1;
    },

    async forgetEnded() {
      const [one] = await reads.rows(selectEnded(now()));
      if (one !== undefined) await writeAlone([forgetEnded(now())]);
    },
  };
}

/** After `retire` in its batch: where that changed nothing, this adds nothing. */
export function askRetirement(id: string, successor: string, by: string, atMs: number): Change {
  return rawChange(sql`
    insert into retirements (token_id, successor, asked_at, asked_by)
    select id, rotated_to, ${time(atMs)}, ${text(by)} from tokens
    where id = ${id} and rotated_to = ${successor} and retire_at is not null
    on conflict do nothing`);
}

const mayEnd = (atMs: number) => sql<boolean>`(revoked_at is null and retire_at > ${atMs})`;

const isPending = (atMs: number) =>
  sql<boolean>`exists (select 1 from tokens where id = retirements.token_id and ${mayEnd(atMs)})`;

function selectPending(afterId: string, atMs: number): Change {
  return rawChange(sql`
    select token_id, successor from retirements
    where token_id > ${afterId} and ${isPending(atMs)}
    order by token_id limit ${pageMax}`);
}

function selectAsked(tokenIds: readonly string[], atMs: number): Change {
  return rawChange(sql`
    select token_id, successor, asked_at, asked_by from retirements
    where token_id in (${sql.join(tokenIds)}) and ${isPending(atMs)}`);
}

/** Whoever used it since it was judged keeps it. */
function endQuiet({ tokenId, successor, lastUsedAt }: Quiet, atMs: number): Change {
  return rawChange(sql`
    update tokens set retire_at = ${time(atMs)}, version = version + 1
    where id = ${tokenId} and rotated_to = ${successor} and ${mayEnd(atMs)}
      and coalesce(last_used_at, 0) <= ${lastUsedAt}
      and exists (select 1 from retirements where token_id = ${tokenId})
      and not exists (select 1 from token_uses where token_id = ${tokenId} and at > ${lastUsedAt})`);
}

function forget(tokenId: string): Change {
  return rawChange(sql`delete from retirements where token_id = ${tokenId}`);
}

function selectEnded(atMs: number): Change {
  return rawChange(sql`select token_id from retirements where not ${isPending(atMs)} limit 1`);
}

function forgetEnded(atMs: number): Change {
  return rawChange(sql`delete from retirements where not ${isPending(atMs)}`);
}
