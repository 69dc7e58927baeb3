/** From `mode` and `until` to the instant at which a check begins to refuse. */
import { type Compilation, errorInKey, errorInValue, warnInValue } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import { formatUntil } from './monitor.ts';

type MonitorConfig = { readonly mode?: 'monitor' | undefined; readonly until?: number | undefined };

const yearMs = 366 * 86_400_000;

/** As a part of a pin, limit or row; empty where it is enforced. */
export function compileMonitor(
  at: Compilation,
  path: ConfigPath,
  { mode, until }: MonitorConfig,
): { readonly monitorUntil?: number } {
  if (mode === undefined && until === undefined) return {};
  if (mode === undefined) {
    const hint = 'write mode: monitor beside it, or remove it';
    errorInKey(at, [...path, 'until'], 'until is the end of mode: monitor', hint);
    return {};
  }
  if (until === undefined) {
    const hint = 'write until: and the day from which it is enforced: until: 2026-03-01';
    errorInKey(at, [...path, 'mode'], 'mode: monitor has no end', hint);
    return {};
  }
  const end = formatUntil(until);
  if (until <= at.around.now) {
    const hint = 'remove mode and until';
    warnInValue(at, [...path, 'until'], `this is enforced since ${end}`, hint);
  } else if (until - at.around.now > yearMs) {
    const message = `until ${end}, more than a year ahead, nothing is refused by this`;
    warnInValue(at, [...path, 'until'], message, 'choose an earlier day, and look at what is refused');
  }
  return { monitorUntil: until };
}

/** `scopes: { mode: monitor, … }` of a row. */
export function compileScopesMonitor(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
): { readonly scopesMonitorUntil?: number } {
  if (row.scopes === undefined) return {};
  const where = [...path, 'scopes'];
  const cells = row.allow === 'public' ? [] : Object.values(row.allow);
  if (cells.every(({ kind }) => kind === 'any')) {
    const hint = 'remove scopes; only a cell that names scopes can be watched';
    errorInValue(at, where, 'the row asks for no scope, so there is nothing to monitor', hint);
  }
  const { monitorUntil } = compileMonitor(at, where, row.scopes);
  return monitorUntil === undefined ? {} : { scopesMonitorUntil: monitorUntil };
}
