/** Durations, sizes and rates as an operator writes them. Never guesses a unit. */
import { type Parsed, parsed, unreadable } from './config-problem.ts';

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** The window of a rate must lie between these. */
export const windowMsMin = 1000;
export const windowMsMax = 86_400_000;
export const quotaMax = 1_000_000_000;

export type Rate = { readonly quota: number; readonly windowMs: number };

/** `10s` to milliseconds. Units: ms, s, m, h, d; one number, one unit, no fractions. */
export function parseDuration(text: string): Parsed<number> {
  const hint = 'write a number and a unit: 500ms, 10s, 5m, 24h or 7d';
  const value = amount(text, durationUnits);
  return value === null ? unreadable(`"${text}" is not a duration`, hint) : parsed(value);
}

/** `16KiB` to bytes. Units: B, KB, MB, GB (thousands), KiB, MiB, GiB (1024s). */
export function parseSize(text: string): Parsed<number> {
  const value = amount(text, sizeUnits);
  if (value !== null) return parsed(value);
  return unreadable(`"${text}" is not a size`, 'write a number and a unit: 512B, 16KiB or 10MiB');
}

/** `600/1m`: never more than 600 in any trailing minute. Window 1s to 24h. */
export function parseRate(text: string): Parsed<Rate> {
  const parts = /^([0-9]{1,10})\/([0-9]+[a-z]+)$/.exec(text);
  const windowMs = amount(parts?.[2] ?? '', durationUnits);
  if (parts === null || windowMs === null) {
    return unreadable(`"${text}" is not a rate`, 'write COUNT/WINDOW: 600/1m, 5/10s or 1000/24h');
  }
  const quota = Number(parts[1]);
  if (quota < 1 || quota > quotaMax) {
    return unreadable(`a rate of ${quota} cannot be kept`, `write a count from 1 to ${quotaMax}`);
  }
  if (windowMs < windowMsMin || windowMs > windowMsMax) {
    return unreadable(`a window of ${parts[2]} cannot be kept`, 'write a window from 1s to 24h');
  }
  return parsed({ quota, windowMs });
}

/** Milliseconds as an operator would write them. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = durationUnits[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** Bytes as an operator would write them. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB', 'GB', 'MB', 'KB']) {
    const size = sizeUnits[unit] ?? 1;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

function amount(text: string, units: Readonly<Record<string, number>>): number | null {
  const parts = /^([0-9]{1,12})([A-Za-z]+)$/.exec(text);
  const unit = parts?.[2];
  if (unit === undefined || !Object.hasOwn(units, unit)) return null;
  const value = Number(parts?.[1]) * (units[unit] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : null;
}
