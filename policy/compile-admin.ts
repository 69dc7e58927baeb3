/** Keeps the config's token types apart from the admin type, so that no request can carry a token of both. */
import { adminPrefix, adminTypeName, overlapsAdminPrefix } from './admin-type.ts';
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';

export function checkAdminApart(at: Compilation): void {
  for (const [name, { prefix, aliases }] of Object.entries(at.config.token_types)) {
    const path = ['token_types', name];
    if (name === adminTypeName) {
      const hint = 'choose another name; tokens of the admin listener are of this type';
      errorInKey(at, path, `the token type ${adminTypeName} is Postern's own`, hint);
    }
    for (const [text, where] of [
      [prefix, [...path, 'prefix']] as const,
      ...aliases.map((alias, index) => [alias, [...path, 'aliases', index]] as const),
    ]) {
      if (text === '' || !overlapsAdminPrefix(text)) continue;
      const message = `prefix "${text}" could begin an admin token, which begins with ${adminPrefix}`;
      errorInValue(at, where, message, 'choose a prefix that neither begins the other');
    }
  }
}
