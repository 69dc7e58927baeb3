/**
 * Makes tokens once under a key: the key's row is written in the transaction that makes the token, so of any number of
 * tries, in any number of processes, one makes it. Keeps digests alone, and never what was made.
 */
import { sql } from 'kysely';
import { text, time } from './casts.ts';
import type { MadeToken } from './new-token.ts';
import { type OnceKey, type OnceStore, OnceTaken } from './once.ts';
import { builder, type Change, ifChanged, rawChange } from './schema.ts';
import { selectReplaced } from './token-life.ts';
import type { TokenReads } from './token-reads.ts';
import type { NewToken } from './token-store.ts';
import { createTokenWrites, type WritingRooms } from './token-writing.ts';
import type { StatementResult } from './writer-thread.ts';

const keptMs = 86_400_000;

type Row = { readonly request_digest: string; readonly token_id: string };

export function createOnce(rooms: WritingRooms, reads: Pick<TokenReads, 'rows'>): OnceStore {
  return {
    writes(key) {
      let id = '';
      const make = async (token: NewToken): Promise<MadeToken> => {
        const made = await rooms.make(token);
        id = made.row.id;
        return made;
      };
      const under =
        (write: WritingRooms['write']) =>
        async (batch: readonly Change[]): Promise<readonly StatementResult[]> => {
          const atMs = rooms.now();
          const [claimed, ...results] = await write([
            claim(key, id, atMs),
            ...batch.map(ifChanged),
            ifChanged(letGo(key, id)),
            ifChanged(forget(atMs - keptMs)),
          ]);
          if (claimed?.changes !== 1) throw new OnceTaken();
          return results.slice(0, batch.length);
        };
      const { create, rotate, regenerate } = createTokenWrites({
        ...rooms,
        make,
        write: under(rooms.write),
        writeAlone: under(rooms.writeAlone),
      });
      return { create, rotate, regenerate };
    },

    async done({ caller, keyDigest }) {
      const query = builder
        .selectFrom('idempotency')
        .select(['request_digest', 'token_id'])
        .where('caller', '=', caller)
        .where('key_digest', '=', keyDigest)
        .where('created_at', '>', rooms.now() - keptMs);
      const [row] = await reads.rows<Row>(query);
      if (row === undefined) return null;
      const { request_digest: requestDigest, token_id: id } = row;
      const replaced = await reads.rows<{ readonly id: string }>(selectReplaced(id));
      return { requestDigest, id, replaced: replaced.map((one) => one.id) };
    },
  };
}

/** Changes nothing where the key is taken, unless that was too long ago. */
function claim({ caller, keyDigest, requestDigest }: OnceKey, id: string, atMs: number): Change {
  const set = { request_digest: requestDigest, token_id: id, created_at: atMs };
  return builder
    .insertInto('idempotency')
    .values({ caller, key_digest: keyDigest, ...set })
    .onConflict((conflict) =>
      conflict
        .columns(['caller', 'key_digest'])
        .doUpdateSet(set)
        .where('idempotency.created_at', '<=', atMs - keptMs),
    );
}

/** Where no token was made after all, the key is free again. */
function letGo({ caller, keyDigest }: OnceKey, id: string): Change {
  return rawChange(sql`
    delete from idempotency
    where caller = ${text(caller)} and key_digest = ${text(keyDigest)} and token_id = ${text(id)}
      and not exists (select 1 from tokens where tokens.id = idempotency.token_id)`);
}

function forget(beforeMs: number): Change {
  return rawChange(sql`delete from idempotency where created_at <= ${time(beforeMs)}`);
}
