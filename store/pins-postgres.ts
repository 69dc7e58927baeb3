/** Pins in one PostgreSQL primary, each change with its audit row in the same transaction. */
import { sql } from 'kysely';
import type { AuditRow } from './audit-rows.ts';
import { insertAudit } from './audit-writes.ts';
import { StoreFault } from './fault.ts';
import { keyOfCursor, type PinRow, pinOf, pinPageOf } from './pin-rows.ts';
import type { PinFilter, PinKey, PinRecord, PinStore } from './pin-store.ts';
import { coalesce } from './postgres/coalesce.ts';
import { postgresStatement } from './postgres/compile.ts';
import { isText, type PostgresDatabase } from './postgres/database.ts';
import type { Run } from './postgres/link.ts';
import type { Statement } from './schema.ts';

const IN_FLIGHT_MAX = 2;
const KEYS_MAX = 200;
const TRIES = 3;

export function createPostgresPins({ link, now, rowOf }: PostgresDatabase): PinStore {
  const readRow = coalesce<PinRow>({
    inFlightMax: IN_FLIGHT_MAX,
    keysMax: KEYS_MAX,
    async ask(names) {
      const keys = names.map((name): [string, string] => JSON.parse(name));
      const rows = await link.read<PinRow>(selectPins(keys));
      return new Map(rows.map((row) => [nameOf(row), row]));
    },
  });
  const read = async (key: PinKey): Promise<PinRecord | null> => {
    if (!isText(key.pin) || !isText(key.subject)) return null;
    const row = await readRow(nameOf(key));
    return row === undefined ? null : pinOf(row);
  };

  const replace: PinStore['replace'] = (key, value, by, reason) =>
    link.transact(async (run) => {
      const atMs = now();
      const before = await lock(run, key, value === null ? null : insertFree(key, by, atMs));
      if ((before?.value ?? null) === value) return { before, now: before };
      const action = value === null ? 'pin.reset' : 'pin.change';
      const detail = { pin: key.pin, before: before?.value ?? null, after: value, reason };
      await run(setPin(key, value, by, atMs));
      const row = rowOf({ actor: by, action, subject: key.subject, detail });
      await run(postgresStatement(insertAudit(row)));
      return { before, now: await lock(run, key, null) };
    });

  return {
    read,

    /** One statement, so that no other process comes between the pin and its audit row. */
    async pinFirst(key, value, by) {
      for (let tries = 0; tries < TRIES; tries++) {
        const detail = { pin: key.pin, value };
        const row = rowOf({ actor: by, action: 'pin.first_use', subject: key.subject, detail });
        const [result] = await link.write([pinIfFree(key, value, by, row)]);
        const won = result?.rows[0] as PinRow | undefined;
        if (won !== undefined) return { pin: pinOf(won), isFirst: true };
        // Another was first; unless it was let go again since, which leaves us to try once more.
        const pinned = await read(key);
        if (pinned !== null) return { pin: pinned, isFirst: false };
      }
      throw new StoreFault('store_unavailable', 'a pin was not written');
    },

    change: async (key, value, by, reason) => (await replace(key, value, by, reason)).before,
    replace,

    async list(filter) {
      const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
      const after = keyOfCursor(filter.after);
      const asked = [filter.pin ?? '', filter.subject ?? '', ...after];
      if (!asked.every(isText)) return pinPageOf([], limit);
      const rows = await link.read<PinRow>(selectPage(filter, after, limit + 1));
      return pinPageOf(rows, limit);
    },
  };
}

/** What is pinned; until the transaction ends, nobody else changes it. */
async function lock(run: Run, key: PinKey, insertion: Statement | null): Promise<PinRecord | null> {
  if (insertion !== null) await run(insertion);
  const { rows } = await run(lockPin(key));
  const row = rows[0] as (Omit<PinRow, 'value'> & { readonly value: string | null }) | undefined;
  if (row === undefined || row.value === null) return null;
  return pinOf({ ...row, value: row.value });
}

const COLUMNS = sql.raw('pins.pin, pins.subject, pins.value, pins.pinned_at, pins.pinned_by, pins.version');

function selectPins(keys: readonly (readonly [string, string])[]): Statement {
  const pins = keys.map(([pin]) => pin);
  const subjects = keys.map(([, subject]) => subject);
  return postgresStatement(sql`
    select ${COLUMNS} from pins
    join unnest(${sql.val(pins)}::text[], ${sql.val(subjects)}::text[]) as asked (pin, subject)
      on pins.pin = asked.pin and pins.subject = asked.subject
    where pins.value is not null`);
}

function selectPage(
  { pin, subject }: PinFilter,
  [afterPin, afterSubject]: readonly [string, string],
  limit: number,
): Statement {
  return postgresStatement(sql`
    select ${COLUMNS} from pins
    where value is not null
      and (${pin}::text is null or pin = ${pin}) and (${subject}::text is null or subject = ${subject})
      and (pin, subject) > (${afterPin}, ${afterSubject})
    order by pin, subject limit ${limit}`);
}

/** Answers with the pin if it was free. An audit row goes in only with it. */
function pinIfFree({ pin, subject }: PinKey, value: string, by: string, audit: AuditRow): Statement {
  return postgresStatement(sql`
    with pinned as (
      insert into pins (pin, subject, value, pinned_at, pinned_by, version)
      values (${pin}, ${subject}, ${value}, ${audit.at}, ${by}, 1)
      on conflict (pin, subject) do update
        set value = excluded.value, pinned_at = excluded.pinned_at, pinned_by = excluded.pinned_by,
          version = pins.version + 1
        where pins.value is null
      returning ${COLUMNS}
    ), noted as (
      insert into audit (id, at, actor, action, subject, detail)
      select ${audit.id}, ${audit.at}::bigint, ${audit.actor}, ${audit.action}, ${audit.subject}, ${audit.detail}
      from pinned
    )
    select * from pinned`);
}

/** A row to lock, where there was none. It pins nothing. */
function insertFree({ pin, subject }: PinKey, by: string, atMs: number): Statement {
  return postgresStatement(sql`
    insert into pins (pin, subject, value, pinned_at, pinned_by, version)
    values (${pin}, ${subject}, null, ${atMs}, ${by}, 0)
    on conflict (pin, subject) do nothing`);
}

function lockPin({ pin, subject }: PinKey): Statement {
  return postgresStatement(
    sql`select ${COLUMNS} from pins where pin = ${pin} and subject = ${subject} for update`,
  );
}

function setPin({ pin, subject }: PinKey, value: string | null, by: string, atMs: number): Statement {
  return postgresStatement(sql`
    update pins set value = ${value}, pinned_at = ${atMs}, pinned_by = ${by}, version = version + 1
    where pin = ${pin} and subject = ${subject}`);
}

function nameOf({ pin, subject }: PinKey): string {
  return JSON.stringify([pin, subject]);
}
