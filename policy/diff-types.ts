/** What two configs say of one kind of token. */

import { compareValues, isSame } from './diff-values.ts';
import type { Change } from './diff-verdicts.ts';
import type { CsrfRule, TokenType } from './token-types.ts';

const judged = new Set(['csrf']);

export function compareTypes(was: TokenType, is: TokenType): readonly Change[] {
  const prefix = `type ${is.name} `;
  return [...csrfChange(prefix, was.csrf, is.csrf), ...compareValues(null, prefix, was, is, judged)];
}

function csrfChange(prefix: string, was: CsrfRule | undefined, is: CsrfRule | undefined): readonly Change[] {
  if (isSame(was, is)) return [];
  const verdict = was === undefined ? 'tightened' : is === undefined ? 'loosened' : 'changed';
  return [{ verdict, row: null, what: `${prefix}csrf`, from: csrfText(was), to: csrfText(is) }];
}

function csrfText(rule: CsrfRule | undefined): string {
  return rule === undefined ? 'none' : `${rule.header} is ${rule.attribute}`;
}
