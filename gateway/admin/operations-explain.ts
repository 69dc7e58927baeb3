/** What a request by one of our own tokens would get, and why: as `explain`, with the token and its pins as they are. */
import type { Checked } from '../../policy/token-input.ts';
import { explain, type Question } from '../explain.ts';
import type { Rehearsal } from '../rehearsal.ts';
import type { TriggerKeys } from '../trigger.ts';
import { type Desk, showToken } from './operations.ts';

export type TokenQuestion = Omit<Question, 'as' | 'attributes' | 'origins' | 'token' | 'pins'> & {
  /** The id of the token that asks. */
  readonly id: string;
  /** Whether what is pinned is read from the store; else nothing is pinned but what the question says. */
  readonly readPins: boolean;
};

/** @param policy the one in force, without operators' own type. @throws StoreFault */
export async function explainWithToken(
  desk: Desk,
  policy: Desk['policy'],
  { id, readPins, ...question }: TokenQuestion,
  triggerKeys?: TriggerKeys,
): Promise<Checked<Rehearsal>> {
  const token = await showToken(desk, id);
  if (!token.ok) return token;
  const asked = { ...question, as: null, attributes: [], token: token.value };
  return explain(policy, { ...asked, pins: readPins ? desk.pins : null }, triggerKeys);
}
