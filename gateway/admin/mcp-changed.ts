/** How tools say what came of a call: done or only proposed, where a secret is, how much there is. */
import * as v from 'valibot';
import { complain } from '../../policy/token-input.ts';
import type { Kept } from './mcp-secret.ts';

/** What every change says beside what it is about. */
export const changed = {
  applied: v.pipe(v.boolean(), v.description('whether it was done; if not, nothing was')),
  command: v.pipe(
    v.nullable(v.string()),
    v.description('the command line that does it, for a person to run; null: it was done, or has none'),
  ),
};

/** Beside the record of what was made. */
export const keptFields = {
  secret_file: v.pipe(
    v.nullable(v.string()),
    v.description('the file that holds the secret, for the operator; null: none was written'),
  ),
  secret_link: v.pipe(
    v.nullable(v.string()),
    v.description('where the operator fetches the secret, once; null: there is none to fetch'),
  ),
  secret: v.pipe(v.nullable(v.string()), v.description('null, unless the operator asked for it to be shown')),
};

/** As long as nothing was made, nobody made a database. */
export const noDatabase = complain('there is no database yet', null, 'start the gateway, or create a token');

export function proposed(what: string, data: Readonly<Record<string, unknown>>) {
  return { ok: true, value: { say: `${what}; nothing was changed`, data } } as const;
}

export function whereKept({ secret_file: file, secret_link: link }: Kept): string {
  if (file !== null) return 'its secret is in the file secret_file';
  if (link === null) return 'its secret is shown this once';
  return 'its secret waits ten minutes at secret_link, for whoever sends a POST with the same admin token';
}

/** `3 tokens, and there are more`. */
export function countOf(count: number, what: string, next: string | null): string {
  const more = next === null ? '' : ', and there are more: give `next` as `after`';
  return `${count === 0 ? 'no' : count} ${what}${count === 1 ? '' : 's'}${more}`;
}
