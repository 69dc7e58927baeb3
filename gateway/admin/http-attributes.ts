/** Attributes as they are sent: a map, or `name=value` words as a terminal has them. */
import { attributesOfPairs, type Checked, typeNamed } from '../../policy/token-input.ts';
import type { AttributeValue } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { type Desk, unknownToken } from './operations.ts';

type Said = readonly string[] | Readonly<Record<string, AttributeValue>>;
type Attributes = ReadonlyMap<string, AttributeValue>;

/** Which of them is a list, where they are words, is for the type to say. */
export function attributesOf(policy: Policy, type: string, said: Said): Checked<Attributes> {
  if (!isWords(said)) return { ok: true, value: new Map(Object.entries(said)) };
  const known = typeNamed(policy, type);
  return known.ok ? attributesOfPairs(known.value, said) : known;
}

/** As `attributesOf`, by the type of a token that is there. @throws StoreFault */
export async function attributesOfToken(desk: Desk, id: string, said: Said): Promise<Checked<Attributes>> {
  if (!isWords(said)) return attributesOf(desk.policy, '', said);
  const record = await desk.tokens.byId(id);
  return record === null ? unknownToken() : attributesOf(desk.policy, record.type, said);
}

function isWords(said: Said): said is readonly string[] {
  return Array.isArray(said);
}
