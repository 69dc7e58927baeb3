/** Usage as the outside sees it: snake_case, times in RFC 3339 UTC. */
import type { LastUse, UsageKey, UsageRow } from '../../store/usage-store.ts';
import type { Usage } from './operations-usage.ts';

type Counted = { readonly passed: number; readonly refused: number; readonly failed: number };

export type UsageView = {
  readonly since: string;
  readonly bucket: 'minute' | 'hour';
  readonly rows: readonly (Counted &
    Readonly<Partial<Record<'start' | 'route' | 'token_id', string | null>>>)[];
  readonly last_use: LastUseView | null;
  readonly rotation: {
    readonly successor: string;
    readonly old_last_use: LastUseView | null;
    readonly new_last_use: LastUseView | null;
    readonly safe_to_retire: boolean;
    readonly because: string;
  } | null;
};

export type LastUseView = { readonly at: string; readonly address: string; readonly route: string };

export function usageView({ rows, sinceMs, bucket, lastUse, rotation }: Usage, by: UsageKey): UsageView {
  return {
    since: new Date(sinceMs).toISOString(),
    bucket,
    rows: rows.map((row) => rowView(row, by)),
    last_use: useView(lastUse),
    rotation:
      rotation === null
        ? null
        : {
            successor: rotation.successor.id,
            old_last_use: useView(rotation.oldUse),
            new_last_use: useView(rotation.newUse),
            safe_to_retire: rotation.verdict.safe,
            because: rotation.verdict.because,
          },
  };
}

/** null: a row that no request reached, or a token that nobody had. */
function rowView({ key, passed, refused, failed }: UsageRow, by: UsageKey): UsageView['rows'][number] {
  const counted = { passed, refused, failed };
  if (by === 'time') return { start: new Date(Number(key)).toISOString(), ...counted };
  return { [by === 'route' ? 'route' : 'token_id']: key === '' ? null : key, ...counted };
}

function useView(use: LastUse | null): LastUseView | null {
  return use && { at: new Date(use.at).toISOString(), address: use.address, route: use.route };
}
