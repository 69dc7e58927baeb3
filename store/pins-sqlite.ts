/** Pins in one SQLite file: read on the event loop per request, written by the writer thread. */
import { askWith } from './ask.ts';
import { insertAudit } from './audit-writes.ts';
import { StoreFault } from './fault.ts';
import { keyOfCursor, type PinRow, pinOf, pinPageOf } from './pin-rows.ts';
import type { PinFilter, PinKey, PinPage, PinRecord, PinStore } from './pin-store.ts';
import { clearPin, insertPinAudit, insertPinIfFree, replacePin, selectPin } from './pin-writes.ts';
import { builder, ifChanged, statementOf } from './schema.ts';
import type { SqliteLink } from './sqlite-link.ts';
import type { StatementResult } from './writer-thread.ts';

/** Answers reads at once. */
export interface SqlitePinStore extends PinStore {
  read(key: PinKey): PinRecord | null;
  list(filter: PinFilter): PinPage;
}

const READ = selectPin({ pin: '', subject: '' }).sql;

/** Keyed by pin and subject together; a missing filter is null. */
const PAGE = statementOf(
  builder
    .selectFrom('pins')
    .selectAll()
    .where('value', 'is not', null)
    .where((row) => row.or([row(row.val(null), 'is', null), row('pin', '=', '')]))
    .where((row) => row.or([row(row.val(null), 'is', null), row('subject', '=', '')]))
    .where((row) => row(row.refTuple('pin', 'subject'), '>', row.tuple('', '')))
    .orderBy('pin')
    .orderBy('subject')
    .limit(1),
).sql;

export function openSqlitePins({ connection, broken, write, now, rowOf }: SqliteLink): SqlitePinStore {
  const reading = connection.prepare<[string, string], PinRow>(READ);
  const paging = connection.prepare<unknown[], PinRow>(PAGE);
  const ask = askWith(broken);

  const replace: PinStore['replace'] = async (key, value, by, reason) => {
    const action = value === null ? 'pin.reset' : 'pin.change';
    const detail = { pin: key.pin, after: value, reason };
    const stamp = { by, atMs: now() };
    const results = await write([
      selectPin(key),
      insertPinAudit(rowOf({ actor: by, action, subject: key.subject, detail }), key, value),
      value === null ? clearPin(key, stamp) : replacePin(key, value, stamp),
      selectPin(key),
    ]);
    return { before: pinIn(results[0]), now: pinIn(results[3]) };
  };

  return {
    read: ({ pin, subject }) => {
      const row = ask(() => reading.get(pin, subject));
      return row === undefined ? null : pinOf(row);
    },

    pinFirst: async (key, value, by) => {
      const detail = { pin: key.pin, value };
      const row = rowOf({ actor: by, action: 'pin.first_use', subject: key.subject, detail });
      const results = await write([
        insertPinIfFree(key, value, { by, atMs: now() }),
        statementOf(ifChanged(insertAudit(row))),
        selectPin(key),
      ]);
      const pinned = results[2]?.rows[0] as PinRow | undefined;
      if (pinned === undefined) throw new StoreFault('store_unavailable', 'a pin was not written');
      return { pin: pinOf(pinned), isFirst: (results[0]?.changes ?? 0) > 0 };
    },

    change: async (key, value, by, reason) => (await replace(key, value, by, reason)).before,
    replace,

    list: (filter) => {
      const limit = Math.min(1_000, Math.max(1, Math.trunc(filter.limit)));
      const { pin, subject } = filter;
      const [afterPin, afterSubject] = keyOfCursor(filter.after);
      const rows = ask(() => paging.all(pin, pin, subject, subject, afterPin, afterSubject, limit + 1));
      return pinPageOf(rows, limit);
    },
  };
}

function pinIn(result: StatementResult | undefined): PinRecord | null {
  const row = result?.rows[0] as PinRow | undefined;
  return row === undefined ? null : pinOf(row);
}
