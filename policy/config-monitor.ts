/** The keys of `mode: monitor`: a check that only watches, and the day it begins to refuse. */
import * as v from 'valibot';
import { oneOf, text } from './config-fields.ts';
import { type Parsed, parsed, unreadable } from './config-problem.ts';

const dateTime =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3}))?([Zz]|[+-]\d{2}:\d{2}))?$/;

/**
 * `2026-03-01`, which is its first moment in UTC, or a time of RFC 3339 §5.6; in Unix ms. No leap
 * seconds, and no day that the calendar does not have.
 */
export function parseUntil(value: string): Parsed<number> {
  const parts = dateTime.exec(value);
  const flaw = unreadable(
    `"${value}" is not a date`,
    'write a day, 2026-03-01 (it begins in UTC), or a time with its zone: 2026-03-01T09:00:00+01:00',
  );
  if (parts === null) return flaw;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const days = month >= 1 && month <= 12 ? new Date(Date.UTC(year, month, 0)).getUTCDate() : 0;
  if (year < 1970 || day < 1 || day > days || hour > 23 || minute > 59 || second > 59) return flaw;
  const zone = zoneMs(parts[8] ?? 'Z');
  if (zone === null) return flaw;
  const millisecond = Number((parts[7] ?? '').padEnd(3, '0'));
  return parsed(Date.UTC(year, month - 1, day, hour, minute, second, millisecond) - zone);
}

/** How far a zone is ahead of UTC; null: none is. */
function zoneMs(zone: string): number | null {
  if (/^z$/i.test(zone)) return 0;
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const mode = oneOf('monitor: what it would refuse is logged and counted, and goes on.', ['monitor']);
const until = text('From when on it is enforced: a day, or a time of RFC 3339.', parseUntil, ['2026-03-01']);

/** For what is enforced unless it says otherwise; that both stand together is compile-monitor.ts. */
export const monitorEntries = { mode: v.optional(mode), until: v.optional(until) };

/** For what has no other key: both must be written. */
export const monitorSchemaEntries = { mode, until };
