/** Turns rows into pins and pages of them; it never reads or writes one. */
import type { PinKey, PinPage, PinRecord } from './pin-store.ts';
import type { PinsTable } from './schema.ts';

/** A row with something pinned. */
export type PinRow = Readonly<PinsTable> & { readonly value: string };

export function pinOf({ pin, subject, value, pinned_at, pinned_by, version }: PinRow): PinRecord {
  return { pin, subject, value, pinnedAt: pinned_at, pinnedBy: pinned_by, version };
}

/** @param rows one more than `limit`, where there are more. */
export function pinPageOf(rows: readonly PinRow[], limit: number): PinPage {
  const pins = rows.slice(0, limit).map(pinOf);
  const last = rows.length > limit ? pins.at(-1) : undefined;
  return { pins, next: last === undefined ? null : cursorOf(last) };
}

/** Opaque outside, and fit for a command line. */
function cursorOf({ pin, subject }: PinKey): string {
  return Buffer.from(JSON.stringify([pin, subject])).toString('base64url');
}

/** Whether a list could have given it as its `next`. */
export function isPinCursor(text: string): boolean {
  const [pin, subject] = keyOfCursor(text);
  return pin !== '' && !`${pin}${subject}`.includes('\0') && cursorOf({ pin, subject }) === text;
}

/** What is no cursor of ours starts from the beginning. */
export function keyOfCursor(cursor: string | null): readonly [pin: string, subject: string] {
  try {
    const [pin, subject]: unknown[] = JSON.parse(Buffer.from(cursor ?? '', 'base64url').toString());
    if (typeof pin === 'string' && typeof subject === 'string') return [pin, subject];
  } catch {
    // Falls through to the beginning.
  }
  return ['', ''];
}
