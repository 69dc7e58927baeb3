/** `csrf` of token types that are presented by cookie: there, whole, or switched off in so many words. */

import { isSafe } from './checks/csrf.ts';
import { type Compilation, errorInKey, errorInValue, warnInKey } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import { parseRowKey } from './config-rows.ts';
import type { TokenTypeConfig } from './config-schema.ts';
import { isReserved } from './identity.ts';
import type { CsrfRule } from './token-types.ts';
import type { IdentityRule } from './types.ts';

/** As a part of the type; empty: nothing is asked. */
export function compileCsrf(
  at: Compilation,
  name: string,
  type: TokenTypeConfig,
  identity: IdentityRule,
): { readonly csrf?: CsrfRule } {
  const path = ['token_types', name];
  const { csrf } = type;
  const byCookie = type.sources.some(({ kind }) => kind === 'cookie');
  if (!byCookie) {
    if (csrf === undefined) return {};
    const hint = 'remove csrf, or add cookie:NAME to sources';
    errorInKey(at, [...path, 'csrf'], 'csrf is for tokens that are sent as a cookie', hint);
    return {};
  }
  if (csrf === undefined || csrf === 'off') {
    checkUnguarded(at, path, name, csrf === 'off');
    return {};
  }
  checkAttribute(at, path, type, csrf.equals);
  checkHeader(at, path, csrf.header, identity);
  return { csrf: { header: csrf.header, attribute: csrf.equals } };
}

/** A type whose cookie could be used by any site that a visitor looks at. */
function checkUnguarded(at: Compilation, path: ConfigPath, name: string, isOff: boolean): void {
  const row = unsafeRowOf(at, name);
  if (row === null) return;
  if (isOff) {
    const message = `csrf is off: any site can make a visitor's browser ask for ${row}`;
    warnInKey(at, [...path, 'csrf'], message, 'write csrf: { header: …, equals: token.attribute.NAME }');
    return;
  }
  const hint =
    'write csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }, or csrf: off where the upstream checks';
  errorInKey(at, path, `its cookie alone would open ${row} to any site a visitor looks at`, hint);
}

/** The first row that a token of this type can change something by. */
function unsafeRowOf(at: Compilation, type: string): string | null {
  for (const { routes } of Object.values(at.config.apis)) {
    for (const [key, { allow }] of Object.entries(routes)) {
      if (allow === 'public' || !Object.hasOwn(allow, type)) continue;
      const row = parseRowKey(key);
      if (row.ok && !isSafe(row.value.method)) return key;
    }
  }
  return null;
}

/** One that is not written is `required` by being named here. */
function checkAttribute(at: Compilation, path: ConfigPath, type: TokenTypeConfig, attribute: string): void {
  const where = [...path, 'csrf', 'equals'];
  const kind = Object.hasOwn(type.attributes, attribute) ? type.attributes[attribute] : undefined;
  if (kind === undefined || kind === 'required') return;
  const message = `"${attribute}" is not an attribute that every token of the type has, once`;
  errorInValue(at, where, message, `write ${attribute}: required under attributes of the type`);
}

function checkHeader(at: Compilation, path: ConfigPath, header: string, identity: IdentityRule): void {
  const where = [...path, 'csrf', 'header'];
  if (isReserved(identity, header)) {
    const message = `the header ${header} is an identity header, which no caller can send`;
    errorInValue(at, where, message, 'choose another name: X-CSRF-Token');
  }
  for (const [name, { sources }] of Object.entries(at.config.token_types)) {
    if (!sources.some((source) => source.kind === 'header' && source.name === header)) continue;
    const message = `the header ${header} is where tokens of type "${name}" stand`;
    errorInValue(at, where, message, 'choose another name: X-CSRF-Token');
  }
}
