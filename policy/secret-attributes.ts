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

/**
 * What the audit is told where attributes are set or asked for. The mark beside them says that no value of a secret was written: by the
 * config of a later day nobody could tell.
 */
export function attributesTold(
  attributes: ReadonlyMap<string, AttributeValue>,
  type: TokenType | undefined,
): { readonly attributes: Told; readonly without_secrets: true } {
  return { attributes: attributesShown(attributes, type), without_secrets: true };
}

/**
 * What the audit says of a change, without its mark. Rows from before the mark may hold a secret of a type that the config has no more, or has
 * otherwise, so no value of theirs is shown; of others, none that is a secret of any type by now.
 */
export function detailShown(
  detail: Readonly<Record<string, unknown>>,
  { types }: Policy,
): Readonly<Record<string, unknown>> {
  const { without_secrets: isMarked, ...rest } = detail;
  const { attributes } = rest;
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes)) return detail;
  const isOpen = (name: string) =>
    isMarked === true && ![...types.values()].some((type) => isSecret(type, name));
  const shown = Object.entries(attributes).map(([name, value]) => [name, isOpen(name) ? value : hiddenValue]);
  return { ...rest, attributes: Object.fromEntries(shown) };
}
