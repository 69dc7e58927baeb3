/** What a request by one of our own tokens would get, and why: as `explain`, with the token and its pins as they are. */
import { attributesShown } from '../../policy/secret-attributes.ts';
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

/**
 * Its secrets are hidden before anything is asked: none is told in a step, and no guess at one is answered. The csrf header that is right is then `(hidden)`.
 *
 * @param policy the one in force, without operators' own type.
 * @throws StoreFault
 */
export async function explainWithToken(
  desk: Desk,
  policy: Desk['policy'],
  { id, readPins, ...question }: TokenQuestion,
  triggerKeys?: TriggerKeys,
): Promise<Checked<Rehearsal>> {
  const found = await showToken(desk, id);
  if (!found.ok) return found;
  const { type, attributes } = found.value;
  const shown = attributesShown(attributes, policy.types.get(type));
  const token = { ...found.value, attributes: new Map(Object.entries(shown)) };
  const asked = { ...question, as: null, attributes: [], token };
  return explain(policy, { ...asked, pins: readPins ? desk.pins : null }, triggerKeys);
}
