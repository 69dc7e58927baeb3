/** Makes the secret of a new token, and what its row keeps of it. */
import type { TokenType } from '../policy/token-types.ts';
import type { BcryptVerifier } from './bcrypt-verifier.ts';
import { StoreFault } from './fault.ts';
import { mintSecret } from './secret.ts';
import type { TokenDigests } from './token-digests.ts';
import type { SecretColumns } from './token-import.ts';
import { CANDIDATES_MAX, type TokenReads } from './token-reads.ts';

export type NewSecret = { readonly plaintext: string; readonly columns: SecretColumns };

export type SecretMakerOptions = {
  readonly reads: TokenReads;
  readonly verifier: BcryptVerifier;
  readonly digests: TokenDigests;
};

const MINT_TRIES = 32;

/** @throws StoreFault if the database cannot be read, or the type's peppers are unknown here. */
export function createSecretMaker({ reads, verifier, digests }: SecretMakerOptions) {
  /** Never adds the row too many to a set of rows that share their first characters. */
  const mint = async (type: TokenType, externalId: string | null): Promise<string> => {
    for (let tries = 0; tries < MINT_TRIES; tries++) {
      const plaintext = mintSecret(type, externalId ?? undefined);
      if (type.hash.use === 'sha256') return plaintext;
      const lookup = plaintext.slice(0, type.hash.lookupChars);
      if ((await reads.candidates(lookup, type.name)).length < CANDIDATES_MAX) return plaintext;
    }
    throw new StoreFault(
      'store_unavailable',
      `too many tokens of type ${type.name} share their first characters: raise its lookup_chars`,
    );
  };

  return async (type: TokenType, externalId: string | null, isCanary: boolean): Promise<NewSecret> => {
    const { hash } = type;
    const plaintext = await mint(type, externalId);
    // A canary must not be told from an unknown token by the time a comparison takes.
    if (hash.use === 'sha256' || isCanary) {
      const digest = digests.ofNew(type, plaintext);
      return { plaintext, columns: { digest, bcrypt: null, lookup: null } };
    }
    const bcrypt = await verifier.hash(plaintext, hash.cost);
    return { plaintext, columns: { digest: null, bcrypt, lookup: plaintext.slice(0, hash.lookupChars) } };
  };
}
