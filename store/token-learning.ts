/** Learns of tokens that others made, and ends all of somebody's: each change and its audit rows in one transaction. */
import type { TokenRecord, TokenType } from '../policy/token-types.ts';
import type { AuditRows } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import type { Eventually } from './eventually.ts';
import { type Change, ifChanged, type TokensTable } from './schema.ts';
import { previewOf } from './secret.ts';
import { fillAttributes } from './token-attributes.ts';
import type { TokenDigests } from './token-digests.ts';
import { auditEnded, type End, revokeAll } from './token-ends.ts';
import { splitIdPipe } from './token-format.ts';
import { type RecordRow, recordOf, rowOf } from './token-rows.ts';
import type { Ending, Learned, LearnedToken, TokenStore } from './token-store.ts';
import { insertTokensIfNew, selectRecord } from './token-writes.ts';
import type { StatementResult } from './writer-thread.ts';

export type TokenLearning = Pick<TokenStore, 'learn' | 'endAll'>;

type Write = (batch: readonly Change[]) => Promise<readonly StatementResult[]>;

export type LearningRooms = {
  /** Unix ms. */
  readonly now: () => number;
  readonly nextId: () => string;
  readonly auditRow: AuditRows;
  readonly digests: TokenDigests;
  /** What a token stands for in the database now. */
  readonly find: (plaintext: string, types: readonly TokenType[]) => Eventually<TokenRecord | null>;
  /** Whether a token with its secret or external id was purged here. */
  readonly wasPurged: (row: TokensTable) => Promise<boolean>;
  readonly write: Write;
  /** `write`, and no two of these batches at a time: what ends tokens must see those that another is about to make. */
  readonly writeAlone: Write;
};

export function createTokenLearning(rooms: LearningRooms): TokenLearning {
  return {
    learn: (token) => learn(rooms, token),
    endAll: (ending) => endAll(rooms, ending),
  };
}

async function learn(rooms: LearningRooms, token: LearnedToken): Promise<Learned> {
  const { type, plaintext, insteadOf } = token;
  if (type.hash.use === 'bcrypt' && !type.hash.thenSha256)
    throw new TypeError(`tokens of type ${type.name} are kept as bcrypt alone`);
  // In every form in which it may be here: as bcrypt, under another pepper. No digest alone would tell.
  const known = await rooms.find(plaintext, [type]);
  if (known !== null) return { kind: 'known', record: known };
  const row = learnedRow(rooms, token);
  // In this order: a purge between the two has left its mark by now.
  if (await rooms.wasPurged(row)) return { kind: 'taken' };
  const end =
    insteadOf === null ? null : endOf(rooms, { ...token, attributes: insteadOf, by: token.createdBy });
  const write = end === null ? rooms.write : rooms.writeAlone;
  const results = await write([
    ...insertTokensIfNew([row]),
    ...(end === null ? [] : endings(rooms, end, row.id).map(ifChanged)),
    ifChanged(auditLearned(rooms.auditRow, row, token.reason)),
    ...fillAttributes([row]),
    selectRecord(row.id),
  ]);
  const learned = results.at(-1)?.rows[0] as RecordRow | undefined;
  if (learned === undefined) return notLearned(rooms, token);
  const replaced = end === null ? 0 : (results[1]?.changes ?? 0);
  return { kind: 'learned', record: recordOf(learned), replaced };
}

/** It came in at the same moment, or what would find it is another's. */
async function notLearned({ find }: LearningRooms, { plaintext, type }: LearnedToken): Promise<Learned> {
  const record = await find(plaintext, [type]);
  return record === null ? { kind: 'taken' } : { kind: 'known', record };
}

/** Under the digest that tokens found once have: of a bcrypt type too, as after its first success. */
function learnedRow({ digests, nextId, now }: LearningRooms, token: LearnedToken): TokensTable {
  const { type, plaintext } = token;
  const isPiped = type.format === 'id_pipe_random';
  return rowOf({
    ...token,
    id: nextId(),
    type: type.name,
    preview: previewOf(type, plaintext),
    secret: { digest: digests.ofNew(type, plaintext), bcrypt: null, lookup: null },
    externalId: isPiped ? (splitIdPipe(plaintext)?.id ?? null) : null,
    createdAt: now(),
  });
}

function auditLearned(rowOf: AuditRows, { id, type, label, created_by: actor }: TokensTable, reason: string) {
  const detail = { type, label, reason };
  return insertAudit(rowOf({ actor, action: 'token.learn', subject: id, detail }));
}

async function endAll(rooms: LearningRooms, ending: Ending): Promise<number> {
  const [ended] = await rooms.writeAlone(endings(rooms, endOf(rooms, ending), null));
  return ended?.changes ?? 0;
}

/** @throws TypeError where nothing says whose tokens end. */
function endOf({ now }: LearningRooms, { type, attributes, by, reason }: Ending): End {
  if (attributes.size === 0) throw new TypeError(`every token of type ${type.name} would end`);
  return { type, attributes, by, reason, atMs: now() };
}

/** The first of them ends tokens. */
function endings({ auditRow }: LearningRooms, end: End, successor: string | null): readonly Change[] {
  const { by: actor, reason } = end;
  const row = auditRow({ actor, action: 'token.revoke', subject: '', detail: { reason } });
  return [revokeAll(end, successor), ifChanged(auditEnded(row, end))];
}
