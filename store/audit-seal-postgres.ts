/** Seals audit rows in the PostgreSQL transaction that adds them, as the last thing before its commit. */
import type { KeyObject } from 'node:crypto';
import { sql } from 'kysely';
import { type Link, type SealedRow, START, sealOf } from './audit-chain.ts';
import { type AuditRow, beginRow } from './audit-rows.ts';
import { insertAudit, selectHead } from './audit-writes.ts';
import { postgresStatement } from './postgres/compile.ts';
import { type PostgresLink, type Run, runAll } from './postgres/link.ts';
import { rawChange, type Statement } from './schema.ts';

/** "Audi": one transaction at a time adds to the chain. It is held from here to the commit, and whoever holds it waits for no other lock. */
const LOCK: Statement = { sql: 'select pg_advisory_xact_lock($1)', parameters: [0x41756469] };

/** What this transaction has added, and nobody else: a row that stood there before is not made good by sealing it. */
const OWN = postgresStatement(
  rawChange(sql`
    select * from audit where seq is null and audit.xmin = pg_current_xact_id()::xid order by id`),
);
const OTHERS = postgresStatement(rawChange(sql`select * from audit where seq is null order by id`));
const HEAD = postgresStatement(selectHead());

/** Told by what it says: a mark on each statement could be forgotten on the next one. */
const addsToAudit = /\binsert into "?audit"?[\s(]/i;

/** The same connections, by which no audit row is written that is not sealed. */
export function sealedLink(link: PostgresLink, key: KeyObject, now: () => number): PostgresLink {
  const known = new Map<string, boolean>();
  const adds = ({ sql: text }: Statement): boolean => {
    let answer = known.get(text);
    if (answer === undefined) {
      answer = addsToAudit.test(text);
      known.set(text, answer);
    }
    return answer;
  };
  const transact: PostgresLink['transact'] = (work) =>
    link.transact(async (run) => {
      let isDue = false;
      const result = await work((statement) => {
        isDue ||= adds(statement);
        return run(statement);
      });
      if (isDue) await seal(run, key, now);
      return result;
    });
  return {
    read: (statement) => link.read(statement),
    write: (batch) => (batch.some(adds) ? transact((run) => runAll(batch, run)) : link.write(batch)),
    transact,
    rehearse: (batch) => link.rehearse(batch),
    rehearseTransact: (work) => link.rehearseTransact(work),
    health: () => link.health(),
    close: () => link.close(),
  };
}

async function seal(run: Run, key: KeyObject, now: () => number): Promise<void> {
  const own = (await run(OWN)).rows as readonly SealedRow[];
  if (own.length === 0) return;
  await run(LOCK);
  // Only now: what is read after the lock, nobody else is adding to.
  const [head] = (await run(HEAD)).rows as readonly SealedRow[];
  if (head === undefined) return begin(run, key, own, now);
  await chain(run, key, { seq: head.seq ?? 0, mac: head.mac ?? '' }, own);
}

/** The chain begins with what is there, as it is found, and a row that says so where that is more than our own. */
async function begin(run: Run, key: KeyObject, own: readonly SealedRow[], now: () => number): Promise<void> {
  const ids = new Set(own.map(({ id }) => id));
  const others = ((await run(OTHERS)).rows as readonly SealedRow[]).filter(({ id }) => !ids.has(id));
  if (others.length === 0) return void (await chain(run, key, START, own));
  const row = beginRow(others.length, now);
  await run(postgresStatement(insertAudit(row)));
  await chain(run, key, START, [...others, row, ...own]);
}

const CHUNK = 2_000;

async function chain(run: Run, key: KeyObject, from: Link, rows: readonly AuditRow[]): Promise<void> {
  let at = from;
  for (let start = 0; start < rows.length; start += CHUNK) {
    const part = rows.slice(start, start + CHUNK);
    const links = part.map((row) => {
      at = sealOf(key, at, row);
      return at;
    });
    await run(place(part, links));
  }
}

function place(rows: readonly AuditRow[], links: readonly Link[]): Statement {
  const ids = rows.map(({ id }) => id);
  const seqs = links.map(({ seq }) => seq);
  const macs = links.map(({ mac }) => mac);
  return postgresStatement(sql`
    update audit set seq = sealed.seq, mac = sealed.mac
    from unnest(${sql.val(ids)}::text[], ${sql.val(seqs)}::bigint[], ${sql.val(macs)}::text[]) as sealed (id, seq, mac)
    where audit.id = sealed.id`);
}
