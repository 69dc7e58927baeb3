/** The token that a page is about. */
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Visit } from './dash-page.ts';
import { problemOf, Refused } from './http-problem.ts';
import { showToken } from './operations.ts';

/** @throws Refused where there is none; StoreFault */
export async function found({ desk, params }: Visit): Promise<TokenRecord> {
  const record = await showToken(desk, params.id ?? '');
  if (!record.ok) throw new Refused({ ...problemOf(record.complaint), hint: 'See the list of tokens.' });
  return record.value;
}

export function pathOf({ id }: Pick<TokenRecord, 'id'>, action?: string): string {
  return action === undefined ? `/tokens/${id}` : `/tokens/${id}/${action}`;
}
