/** Makes the row of a new token and its secret; writes nothing. */
import type { createSecretMaker } from './new-secret.ts';
import type { TokensTable } from './schema.ts';
import { previewOf } from './secret.ts';
import { rowOf } from './token-rows.ts';
import type { NewToken } from './token-store.ts';

/** A row that is in no table yet, and the one copy of its secret. */
export type MadeToken = { readonly row: TokensTable; readonly plaintext: string };

export type TokenMakerOptions = {
  readonly nextId: () => string;
  readonly newSecret: ReturnType<typeof createSecretMaker>;
  /** Unix ms. */
  readonly now: () => number;
};

export function createTokenMaker({ nextId, newSecret, now }: TokenMakerOptions) {
  return async (token: NewToken): Promise<MadeToken> => {
    const { type } = token;
    const id = nextId();
    const externalId = type.format === 'id_pipe_random' ? id.slice(id.indexOf('_') + 1) : null;
    const { plaintext, columns } = await newSecret(type, externalId, token.canary === true);
    const row = rowOf({
      ...token,
      id,
      type: type.name,
      preview: previewOf(type, plaintext),
      secret: columns,
      externalId,
      createdAt: now(),
    });
    return { row, plaintext };
  };
}
