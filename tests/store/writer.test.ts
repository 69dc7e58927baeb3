/** The writer thread's batches: whole or not at all, in order, and never waiting without end. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createIfMissing } from '../../store/database.ts';
import { openWriter } from '../../store/writer.ts';
import { temporaryFolder } from './temporary-folder.ts';

const insert = (value: number) => ({ sql: 'insert into notes values (?)', parameters: [value] });
const select = { sql: 'select value from notes order by rowid', parameters: [] };
const unavailable = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });

async function openNotes(lockWaitMs: number) {
  const path = join(temporaryFolder(), 'notes.db');
  createIfMissing(path);
  const writer = await openWriter(path, lockWaitMs);
  onTestFinished(() => writer.close());
  await writer.write([{ sql: 'create table notes (value integer unique)', parameters: [] }]);
  const values = async () => (await writer.write([select]))[0]?.rows.map((row) => row.value);
  return { path, writer, values };
}

describe('a batch', () => {
  test('gives rows and changes per statement, in order', async () => {
    const { writer } = await openNotes(1_000);
    expect(await writer.write([insert(1), insert(2), select])).toEqual([
      { changes: 1, rows: [] },
      { changes: 1, rows: [] },
      { changes: 0, rows: [{ value: 1 }, { value: 2 }] },
    ]);
  });

  test('that fails half-way changes nothing, and the next one works', async () => {
    const { writer, values } = await openNotes(1_000);
    await expect(writer.write([insert(1), insert(2), insert(1)])).rejects.toEqual(unavailable);
    expect(await values()).toEqual([]);
    await writer.write([insert(3)]);
    expect(await values()).toEqual([3]);
  });

  test('waits for a lock that is let go in time', async () => {
    const { path, writer, values } = await openNotes(5_000);
    const other = new Database(path);
    other.exec('begin immediate');
    const written = writer.write([insert(1)]);
    other.exec('rollback');
    other.close();
    await written;
    expect(await values()).toEqual([1]);
  });

  test('that waited behind others for too long is not begun', async () => {
    const { path, writer, values } = await openNotes(200);
    const other = new Database(path);
    other.exec('begin immediate');
    const started = performance.now();
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map((value) => writer.write([insert(value)])));
    // One wait for all five, not one after the other.
    expect(performance.now() - started).toBeLessThan(800);
    expect(results).toEqual(Array(5).fill({ status: 'rejected', reason: unavailable }));
    other.close();
    expect(await values()).toEqual([]);
  });

  test('is refused at once when too many are waiting', async () => {
    const { path, writer } = await openNotes(200);
    const other = new Database(path);
    other.exec('begin immediate');
    const waiting = Promise.allSettled(Array.from({ length: 1_024 }, (_, n) => writer.write([insert(n)])));
    await expect(writer.write([insert(-1)])).rejects.toThrow('too many writes are waiting');
    other.close();
    await waiting;
  });

  test('handed over before close is finished; after it, refused', async () => {
    const { path, writer } = await openNotes(1_000);
    const last = writer.write([insert(1)]);
    await writer.close();
    await last;
    await expect(writer.write([insert(2)])).rejects.toEqual(unavailable);
    const file = new Database(path);
    expect(file.prepare('select value from notes').pluck().all()).toEqual([1]);
    file.close();
  });
});

test('what is acknowledged is on the disk: synchronous is FULL, in a write-ahead log', async () => {
  const { writer } = await openNotes(1_000);
  const [synchronous, journal] = await writer.write([
    { sql: 'pragma synchronous', parameters: [] },
    { sql: 'pragma journal_mode', parameters: [] },
  ]);
  expect([synchronous?.rows, journal?.rows]).toEqual([[{ synchronous: 2 }], [{ journal_mode: 'wal' }]]);
});
