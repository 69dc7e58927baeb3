/** What a store promises about tokens that are made once under a key, whoever tries how often. */
import type { TokenWrites } from './token-writing.ts';

/** A key is its caller's own. Digests are SHA-256 in hex. */
export type OnceKey = {
  readonly caller: string;
  readonly keyDigest: string;
  readonly requestDigest: string;
};

/** Which request was done under a key, the token it made, and the ids of those that it replaced. */
export type OnceDone = {
  readonly requestDigest: string;
  readonly id: string;
  readonly replaced: readonly string[];
};

/** Somebody was faster under this key; nothing was done. */
export class OnceTaken extends Error {
  constructor() {
    super('this was done already under its key');
    this.name = 'OnceTaken';
  }
}

export interface OnceStore {
  /** As the changes themselves, but at most once under the key in 24 hours. @throws OnceTaken */
  writes(key: OnceKey): Pick<TokenWrites, 'create' | 'rotate' | 'regenerate'>;

  /** What was done under the key in the last 24 hours; null: nothing. @throws StoreFault */
  done(key: OnceKey): Promise<OnceDone | null>;
}
