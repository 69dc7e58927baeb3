/** From `identity.assertion` to its rule. */
import { type Compilation, errorInValue } from './compile-context.ts';
import { hasFixedMeaning } from './config-headers.ts';
import { foldName } from './identity.ts';
import type { AssertionRule } from './types.ts';

/** @param taken folded names that `identity.headers` already has. */
export function compileAssertion(at: Compilation, taken: ReadonlySet<string>): AssertionRule | null {
  const { assertion } = at.config.identity;
  if (assertion === undefined) return null;
  const { header, ttl, audience, issuer, bind } = assertion;
  const path = ['identity', 'assertion', 'header'];
  if (!/^[A-Za-z0-9-]{1,100}$/.test(header)) {
    errorInValue(at, path, `"${header}" cannot be an identity header`, 'use letters, digits and -');
  } else if (hasFixedMeaning(foldName(header))) {
    const hint = 'choose a name of your own: X-Postern-Assertion';
    errorInValue(at, path, `the header ${header} has a meaning of its own`, hint);
  } else if (taken.has(foldName(header))) {
    const hint = 'give the assertion a header of its own: X-Postern-Assertion';
    errorInValue(at, path, `the header ${header} already stands under identity.headers`, hint);
  }
  return {
    header,
    ttlS: ttl / 1000,
    issuer,
    audience,
    bindMethod: bind.includes('method'),
    bindPath: bind.includes('path'),
  };
}
