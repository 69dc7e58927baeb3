/** Seals audit rows in the SQLite transaction that adds them, whatever statement does so; runs on the writer's thread. */
import type { KeyObject } from 'node:crypto';
import type { Database } from 'better-sqlite3';
import { type Link, START, sealOf } from './audit-chain.ts';
import { type AuditRow, beginRow } from './audit-rows.ts';

const SEAL = 'postern_audit_seal';

/**
 * A trigger of this connection alone: what others add is not made good by it. Transactions that write stand in line, so the
 * chain is one line.
 */
export function sealRows(connection: Database, key: KeyObject): void {
  connection.pragma('temp_store = memory');
  // Of no use to what stands in the file itself: a trigger there would have anything sealed.
  connection.function(
    SEAL,
    { directOnly: true },
    (beforeSeq, beforeMac, id, at, actor, action, subject, detail) =>
      sealOf(
        key,
        { seq: beforeSeq, mac: beforeMac } as Link,
        { id, at, actor, action, subject, detail } as AuditRow,
      ).mac,
  );
  connection.exec(`
    create temp trigger audit_sealing after insert on main.audit begin
      update audit set (seq, mac) = (
        select head.seq + 1,
          ${SEAL}(head.seq, coalesce(before.mac, ''), new.id, new.at, new.actor, new.action, new.subject, new.detail)
        from (select coalesce(max(seq), 0) as seq from audit) as head left join audit as before on before.seq = head.seq
      ) where id = new.id;
    end`);
}

/** Where there are rows and no chain yet, it begins with them, as they are found, and a row that says so. */
export function beginChain(connection: Database, key: KeyObject): void {
  const isDue = connection
    .prepare(
      'select exists (select 1 from audit where seq is null) and not exists (select 1 from audit where seq is not null)',
    )
    .pluck();
  if (isDue.get() !== 1) return;
  const some = connection.prepare<[], AuditRow>(
    'select * from audit where seq is null order by id limit 1000',
  );
  const seal = connection.prepare('update audit set seq = ?, mac = ? where id = ?');
  const add = connection.prepare(
    'insert into audit (id, at, actor, action, subject, detail, seq, mac) values (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  connection
    .transaction(() => {
      // Asked again under the lock: another process may have been faster.
      if (isDue.get() !== 1) return;
      let at: Link = START;
      for (let rows = some.all(); rows.length > 0; rows = some.all()) {
        for (const row of rows) {
          at = sealOf(key, at, row);
          seal.run(at.seq, at.mac, row.id);
        }
      }
      const row = beginRow(at.seq, Date.now);
      const { seq, mac } = sealOf(key, at, row);
      add.run(row.id, row.at, row.actor, row.action, row.subject, row.detail, seq, mac);
    })
    .immediate();
}
