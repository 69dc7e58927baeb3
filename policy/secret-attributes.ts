/**
 * Attributes that are secrets: a request with a cookie is believed for one that `csrf` of its type names, so it is as good as
 * the token. Whoever made the token made it up; nobody needs it told again.
 */
import type { AttributeValue, TokenType } from './token-types.ts';
import type { Policy } from './types.ts';

/** What stands in place of a value, and is none itself. */
export const hiddenValue = '(hidden)';

type Told = Readonly<Record<string, AttributeValue>>;

export function isSecret(type: Pick<TokenType, 'csrf'>, attribute: string): boolean {
  return type.csrf?.attribute === attribute;
}

/** @param type undefined: the config has it no more, so nobody can tell which of them is a secret, and none is told. */
export function attributesShown(
  attributes: ReadonlyMap<string, AttributeValue>,
  type: TokenType | undefined,
): Told {
  const shown = [...attributes].map(([name, value]) => [
    name,
    type === undefined || isSecret(type, name) ? hiddenValue : value,
  ]);
  return Object.fromEntries(shown);
}

/** What the audit says of a change, without such attributes of any type: rows may be older than this rule. */
export function detailShown(
  detail: Readonly<Record<string, unknown>>,
  { types }: Policy,
): Readonly<Record<string, unknown>> {
  const { attributes } = detail;
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes)) return detail;
  const isOfAny = (name: string) => [...types.values()].some((type) => isSecret(type, name));
  const shown = Object.entries(attributes).map(([name, value]) => [
    name,
    isOfAny(name) ? hiddenValue : value,
  ]);
  return { ...detail, attributes: Object.fromEntries(shown) };
}
