/** What operators do to remembered pins, and the audit they read: judged against the policy, then asked of the stores. */
import { suggest } from '../../policy/config-problem.ts';
import { auditCursor } from '../../policy/cursors.ts';
import { pinSubject, pinValueFlaw } from '../../policy/pin-value.ts';
import { type Checked, complain, complainOf, labelOf } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { AuditFilter, AuditPage } from '../../store/audit-store.ts';
import { isPinCursor } from '../../store/pin-rows.ts';
import type { PinFilter, PinKey, PinPage, PinRecord, ReplacedPin } from '../../store/pin-store.ts';
import { goesOn } from './cursors.ts';
import type { Desk, ImportReport } from './operations.ts';

export type PinChange = PinKey & {
  /** For the audit; null: none was given. */
  readonly reason: string | null;
};

/** Pins the config no longer has are listed too. @throws StoreFault */
export async function listPins({ pins }: Desk, filter: PinFilter): Promise<Checked<PinPage>> {
  const from = goesOn(filter.after, { test: isPinCursor });
  return from.ok ? { ok: true, value: await pins.list(filter) } : from;
}

/** @throws StoreFault */
export async function showPin({ policy, pins }: Desk, key: PinKey): Promise<Checked<PinRecord>> {
  const known = keyOf(policy, key);
  if (!known.ok) return known;
  const record = await pins.read(known.value);
  return record === null ? nothingPinned(key) : { ok: true, value: record };
}

/** Pins a value, whatever is pinned. @throws StoreFault */
export async function setPin(
  desk: Desk,
  { reason, value, ...key }: PinChange & { readonly value: string },
): Promise<Checked<ReplacedPin>> {
  const flaw = pinValueFlaw(value);
  if (flaw !== null) {
    return complainOf('value', `not a value to pin: ${flaw}`, null, 'give the id as clients send it');
  }
  return change(desk, key, value, reason);
}

/** Lets go: the next first use pins anew. @throws StoreFault */
export async function resetPin(desk: Desk, { reason, ...key }: PinChange): Promise<Checked<ReplacedPin>> {
  const changed = await change(desk, key, null, reason);
  return changed.ok && changed.value.before === null ? nothingPinned(key) : changed;
}

async function change(
  { policy, pins, by }: Desk,
  key: PinKey,
  value: string | null,
  reason: string | null,
): Promise<Checked<ReplacedPin>> {
  const known = keyOf(policy, key);
  if (!known.ok) return known;
  if (reason !== null) {
    const words = labelOf(reason);
    if (!words.ok) return complainOf('reason', 'not a reason', null, words.complaint.hint);
  }
  return { ok: true, value: await pins.replace(known.value, value, by, reason) };
}

/** So many are written at once. */
const importedAtOnce = 100;

/**
 * Pins that were kept elsewhere, one JSON row a line: `{"pin","subject","value"}`; blank lines are passed over. What is
 * pinned already stays, and counts as skipped. A bad row is a problem, and the others go in.
 *
 * @throws StoreFault; rows before it are in.
 */
export async function importPins(desk: Desk, lines: AsyncIterable<string>): Promise<ImportReport> {
  const report = { imported: 0, skipped: 0, problems: [] as { line: number; message: string }[] };
  let read: PinRow[] = [];
  /** After the first of them something is pinned there, whatever it was. */
  const seen = new Set<string>();
  const settle = async () => {
    const pinned = await Promise.all(read.map(({ key, value }) => desk.pins.pinFirst(key, value, desk.by)));
    for (const { isFirst } of pinned) report[isFirst ? 'imported' : 'skipped']++;
    read = [];
  };
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    const row = readPinRow(desk.policy, text);
    if (row.ok && isAgain(row.value, seen)) report.skipped++;
    else if (row.ok) read.push(row.value);
    else report.problems.push({ line, message: `${row.complaint.message}; ${row.complaint.hint}` });
    if (read.length === importedAtOnce) await settle();
  }
  await settle();
  return report;
}

type PinRow = { readonly key: PinKey; readonly value: string };

function isAgain({ key: { pin, subject } }: PinRow, seen: Set<string>): boolean {
  const key = `${pin} ${subject}`;
  const isThere = seen.has(key);
  seen.add(key);
  return isThere;
}

function readPinRow(policy: Policy, text: string): Checked<PinRow> {
  const hint = 'write {"pin":"app","subject":"project=prj_a","value":"com.example.app"}';
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return complain('not JSON', null, hint);
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return complain('not a row', null, hint);
  const { pin, subject, value, ...others } = { ...row } as Readonly<Record<string, unknown>>;
  if (typeof pin !== 'string' || typeof subject !== 'string' || typeof value !== 'string') {
    return complain('pin, subject or value is no text', null, hint);
  }
  if (Object.keys(others).length > 0) return complain('a key that no row has', null, hint);
  const flaw = pinValueFlaw(value);
  if (flaw !== null) return complain(`not a value to pin: ${flaw}`, null, hint);
  const key = keyOf(policy, { pin, subject });
  return key.ok ? { ok: true, value: { key: key.value, value } } : key;
}

/** A pin by a name of the config, and whose it can be. */
function keyOf({ bundlePins }: Policy, { pin, subject }: PinKey): Checked<PinKey> {
  const owner = bundlePins.get(pin);
  if (owner === undefined) {
    const hint = suggest(pin, bundlePins.keys(), 'the config has no pin that remembers anything');
    return complainOf('pin', 'no pin of kind bundle_id is called', pin, hint);
  }
  const start = pinSubject(owner, '');
  // PostgreSQL has no text with a NUL, so nothing is called so.
  if (subject.startsWith(start) && subject.length > start.length && !subject.includes('\0'))
    return { ok: true, value: { pin, subject } };
  return complainOf('subject', `pin ${pin} belongs to no`, subject, `write ${start}VALUE`);
}

function nothingPinned({ pin, subject }: PinKey): Checked<never> {
  return complainOf('subject', `nothing is pinned by ${pin} to`, subject, 'see pin list', 'unknown');
}

/** Oldest first, unless the filter says otherwise. @throws StoreFault */
export async function listAudit({ audit }: Desk, filter: AuditFilter): Promise<Checked<AuditPage>> {
  const from = goesOn(filter.after, auditCursor);
  return from.ok ? { ok: true, value: await audit.list(filter) } : from;
}
