/** `unused_for` of a token type: when a token ends that nobody uses. */
import * as v from 'valibot';
import { text } from './config-fields.ts';
import { type Parsed, unreadable } from './config-problem.ts';
import type { TokenType } from './token-types.ts';
import { formatDuration, parseDuration } from './units.ts';
import { unusedLeewayMs } from './unused.ts';

/** Uses are written every few seconds; what is shorter could not be told from none. */
const unusedForMsMin = 3_600_000;

function parseUnusedFor(value: string): Parsed<number> {
  const parsed = parseDuration(value);
  if (!parsed.ok || parsed.value >= unusedForMsMin) return parsed;
  const hint = `write ${formatDuration(unusedForMsMin)} or more: uses are written down some seconds late`;
  return unreadable(`${value} is too short to call a token unused`, hint);
}

export const unusedEntries = {
  unused_for: v.optional(
    text('A token that was not used for so long has expired; left out: it has not.', parseUnusedFor, ['90d']),
  ),
};

/** @param unused_for in ms; undefined: such tokens do not end for that. */
export function compileUnused(unusedForMs: number | undefined): Pick<TokenType, 'unused'> {
  return unusedForMs === undefined ? {} : { unused: { forMs: unusedForMs, leewayMs: unusedLeewayMs } };
}
