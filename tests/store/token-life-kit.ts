/** What the suites about a token's life share: types, tokens of a project, and what is left of them. */
import { checkState } from '../../policy/checks/state.ts';
import type { AttributeValue, TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import { mintSecret } from '../../store/secret.ts';
import type { LearnedToken, Regeneration, TokenStore } from '../../store/token-store.ts';
import { newToken, tokenType, USER } from './token-types.ts';

export const OTHER = tokenType('other', 'oth_', { use: 'sha256' });
export const dayMs = 86_400_000;
export const graced = { graceMs: dayMs };

export const of = (project: string): ReadonlyMap<string, AttributeValue> => new Map([['project', project]]);
export const made = (project: string, type: TokenType = USER) => newToken(type, { attributes: of(project) });

export function regeneration(project: string, choices: Partial<Regeneration> = {}): Regeneration {
  const attributes = of(project);
  return { type: USER, attributes, scopes: null, label: 'first', graceMs: 0, by: 'test', ...choices };
}

export const isAlive = (token: TokenRecord, now: number, type = USER) =>
  checkState({ token, type, now }) === null;

export async function alive(store: TokenStore, now: number, project = 'p'): Promise<readonly string[]> {
  const { tokens } = await store.list({ type: USER.name, attributes: of(project), limit: 1000 });
  return tokens.filter((token) => isAlive(token, now)).map(({ id }) => id);
}

/** Each action with its detail, oldest first. */
export async function auditOf(store: TokenStore, subject: string) {
  const { audit } = store as TokenStore & { readonly audit: AuditStore };
  const { entries } = await audit.list({ subject, after: null, limit: 100 });
  return entries.map(({ action, actor, detail }) => ({ action, actor, detail }));
}

export const reason = 'observed, request r-1';

let serial = 0;
const secret = (type: TokenType) =>
  mintSecret(type, type.format === 'id_pipe_random' ? `up-${serial++}` : undefined);

/** A token that an upstream has made, of project `p`. */
export function learning(type: TokenType, choices: Partial<LearnedToken> = {}): LearnedToken {
  return {
    ...newToken(type, { attributes: of('p'), origins: [], createdBy: 'upstream' }),
    plaintext: secret(type),
    insteadOf: null,
    reason,
    ...choices,
  };
}
