/** Token types and tokens for the store's tests; loads no test library, so a child process may use it too. */
import type { HashRule, TokenType } from '../../policy/token-types.ts';
import type { ImportedToken, NewToken } from '../../store/token-store.ts';

export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

export function tokenType(name: string, prefix: string, hash: HashRule): TokenType {
  return {
    name,
    prefix,
    prefixes: prefix === '' ? [] : [prefix],
    issue: { length: 32, alphabet: 'base62' },
    hash,
    sources: [{ kind: 'bearer' }],
    scopes: { grantable: ['events:write', 'events:read'] },
    attributes: new Map(),
  };
}

/** Cost 4 is bcrypt's least: what is proved here does not depend on the cost. */
export const bcryptRule = { use: 'bcrypt', cost: 4, lookupChars: 12, thenSha256: false } as const;

export const USER = tokenType('user', 'usr_', { use: 'sha256' });
export const PROJECT = tokenType('project', 'prj_', bcryptRule);
export const UPGRADING = tokenType('upgrading', 'upg_', { ...bcryptRule, thenSha256: true });

/** `<id>|<random>`. */
export const PIPED: TokenType = { ...tokenType('piped', '', { use: 'sha256' }), format: 'id_pipe_random' };
/** Without prefix, so that it could be taken for any other. */
export const BARE = tokenType('bare', '', { use: 'sha256' });
export const PEPPERED = tokenType('peppered', '', { use: 'sha256', pepper: 'always' });
export const MOVING = tokenType('moving', '', { use: 'sha256', pepper: 'or_none' });

export function newToken(type: TokenType, choices: Partial<NewToken> = {}): NewToken {
  return {
    type,
    label: 'build server',
    scopes: ['events:write'],
    attributes: new Map<string, string | readonly string[]>([
      ['project', 'p-1'],
      ['teams', ['a', 'b']],
    ]),
    origins: ['https://app.example'],
    expiresAt: null,
    createdBy: 'test',
    ...choices,
  };
}

export function importedToken(
  type: TokenType,
  hash: ImportedToken['hash'],
  choices: Partial<ImportedToken> = {},
): ImportedToken {
  return {
    type,
    hash,
    externalId: null,
    label: 'from elsewhere',
    scopes: [],
    attributes: new Map(),
    origins: [],
    createdAt: null,
    expiresAt: null,
    createdBy: 'import',
    ...choices,
  };
}
