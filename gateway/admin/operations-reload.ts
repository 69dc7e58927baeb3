/** The gateway takes its config anew: whole, or not at all. Who had it do so is in the audit before it is done. */
import type { NotTaken, Reloaded, ReloadManner, Taken } from '../reload.ts';
import type { Desk } from './operations.ts';

/** Of the gateway that runs; on a dry run `note` is not told. @throws what `note` rejects with; then nothing was changed. */
export type Reload = (asked: Pick<ReloadManner, 'ifVersion' | 'note'>) => Promise<Reloaded>;

/**
 * A refused one is in the audit too; one that was left alone, because the file had changed, is not.
 *
 * @param ifVersion the file that whoever asks has seen, as of `ReloadManner`.
 * @throws StoreFault: what cannot be kept in the audit is not done.
 */
export function reloadConfig(
  { audit, by }: Pick<Desk, 'audit' | 'by'>,
  reload: Reload,
  ifVersion: string | null,
): Promise<Reloaded> {
  return reload({
    ifVersion,
    note: (outcome) =>
      audit.record({ actor: by, action: 'config.reload', subject: 'config', detail: detailOf(outcome) }),
  });
}

function detailOf(outcome: Taken | NotTaken): Readonly<Record<string, unknown>> {
  const { before } = outcome;
  if (outcome.kind === 'refused') {
    return { outcome: 'refused', kept: before, problems: outcome.problems.length };
  }
  return { outcome: 'taken', version: outcome.version, before };
}
