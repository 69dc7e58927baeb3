/** Attributes as they are sent: a map, or `name=value` words as a terminal has them. */

import { isSecret } from '../../policy/secret-attributes.ts';
import { attributesOfPairs, type Checked, complain, ofField, typeNamed } from '../../policy/token-input.ts';
import type { AttributeValue, TokenType } from '../../policy/token-types.ts';
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
  return known.ok ? ofField('attribute', attributesSought(known.value, words)) : known;
}

/** By which tokens are looked for: not by a secret, which whoever guesses would be told so by what is found. */
export function attributesSought(type: TokenType, words: readonly string[]): Checked<Attributes> {
  const read = attributesOfPairs(type, words);
  if (!read.ok || ![...read.value.keys()].some((name) => isSecret(type, name))) return read;
  return complain('no token is found by what is a secret', null, 'name another attribute');
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
