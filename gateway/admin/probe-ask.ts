/** What operators may leave out about a probe, and how far they may go, whichever face they use. */
import { activeMaxDefault } from '../../policy/probe-input.ts';
import { type Checked, complainOf } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import type { ProbeKey } from '../../store/probe-store.ts';

/** For who says none. */
export const ttlSecondsDefault = 3600;

/** An operator may choose what no row would allow. */
export const operatorCaps = { lifeMsMax: 365 * 86_400_000, triggerLifeMsMax: 365 * 86_400_000 };

/** Refuses where several types are signed, and none is named. */
export function probeKeyOf(
  { annotations }: Policy,
  type: string | undefined,
  subject: string,
): Checked<ProbeKey> {
  const [only, second] = annotations.keys();
  if (type !== undefined) return { ok: true, value: { type, subject } };
  if (only !== undefined && second === undefined) return { ok: true, value: { type: only, subject } };
  const known = [...annotations.keys()].join(', ');
  const hint = known === '' ? 'the config has none' : `add --type, one of ${known}`;
  return complainOf('type', 'not said which token type that is signed', null, hint, 'unsaid');
}

/** As many as the most generous of the rows; operators are not to be told less than callers. */
export function activeMaxOf({ routes }: Policy, type: string): number {
  const allowedByRows = routes.flatMap(({ serve }) =>
    serve?.operation === 'probe.activate' && serve.type.name === type ? [serve.activeMax] : [],
  );
  return allowedByRows.length === 0 ? activeMaxDefault : Math.max(...allowedByRows);
}
