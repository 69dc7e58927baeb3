/** What two configs say of one kind of token. */

import { compareValues, isSame } from './diff-values.ts';
import type { Change } from './diff-verdicts.ts';
import type { CsrfRule, TokenType, UnusedRule } from './token-types.ts';
import { formatDuration } from './units.ts';

const judged = new Set(['csrf', 'unused']);

export function compareTypes(was: TokenType, is: TokenType): readonly Change[] {
  const prefix = `type ${is.name} `;
  return [
    ...csrfChange(prefix, was.csrf, is.csrf),
    ...unusedChange(prefix, was.unused, is.unused),
    ...compareValues(null, prefix, was, is, judged),
  ];
}

function csrfChange(prefix: string, was: CsrfRule | undefined, is: CsrfRule | undefined): readonly Change[] {
  if (isSame(was, is)) return [];
  const verdict = was === undefined ? 'tightened' : is === undefined ? 'loosened' : 'changed';
  return [{ verdict, row: null, what: `${prefix}csrf`, from: csrfText(was), to: csrfText(is) }];
}

function unusedChange(prefix: string, was?: UnusedRule, is?: UnusedRule): readonly Change[] {
  const [before, after] = [was?.forMs ?? Number.POSITIVE_INFINITY, is?.forMs ?? Number.POSITIVE_INFINITY];
  if (before === after) return [];
  const text = (rule?: UnusedRule) => (rule === undefined ? 'none' : formatDuration(rule.forMs));
  const verdict = after < before ? 'tightened' : 'loosened';
  return [{ verdict, row: null, what: `${prefix}unused_for`, from: text(was), to: text(is) }];
}

function csrfText(rule: CsrfRule | undefined): string {
  return rule === undefined ? 'none' : `${rule.header} is ${rule.attribute}`;
}
