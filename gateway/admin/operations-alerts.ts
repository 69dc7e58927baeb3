/** What operators do with alerts: look at them, and say that they have seen to one. */
import type { AlertRecord } from '../../policy/alert-types.ts';
import { alertCursor } from '../../policy/cursors.ts';
import { type Checked, complainOf } from '../../policy/token-input.ts';
import type { AlertFilter, AlertPage } from '../../store/alert-store.ts';
import { goesOn } from './cursors.ts';
import type { Desk } from './operations.ts';

/** Newest first. @throws StoreFault */
export async function listAlerts({ alerts }: Desk, filter: AlertFilter): Promise<Checked<AlertPage>> {
  const from = goesOn(filter.after, alertCursor);
  return from.ok ? { ok: true, value: await alerts.list(filter) } : from;
}

/** One that was acknowledged before stays as it is. @throws StoreFault */
export async function acknowledgeAlert({ alerts, by }: Desk, id: string): Promise<Checked<AlertRecord>> {
  const record = await alerts.acknowledge(id, by);
  if (record !== null) return { ok: true, value: record };
  const hint = 'find it with alerts; an id starts with alr_';
  return complainOf('id', 'no alert has this id', null, hint, 'unknown');
}
