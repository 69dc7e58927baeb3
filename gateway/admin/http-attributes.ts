/** Attributes as they are sent: a map, or `name=value` words as a terminal has them. */
import { attributesOfPairs, type Checked, ofField, typeNamed } from '../../policy/token-input.ts';
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

/** Those of a query: the parameter `attribute`, as often as there are words. */
export function attributesAsked(policy: Policy, type: string, words: readonly string[]): Checked<Attributes> {
  const known = typeNamed(policy, type);
  return known.ok ? ofField('attribute', attributesOfPairs(known.value, words)) : known;
}

/** As `attributesOf`, by the type of a token that is there. @throws StoreFault */
export async function attributesOfToken(desk: Desk, id: string, said: Said): Promise<Checked<Attributes>> {
  if (!isWords(said)) return attributesOf(desk.policy, '', said);
  const record = await desk.tokens.byId(id);
  if (record === null) return unknownToken();
  const type = ofField('id', typeNamed(desk.policy, record.type));
  return type.ok ? attributesOfPairs(type.value, said) : type;
}

function isWords(said: Said): said is readonly string[] {
  return Array.isArray(said);
}
