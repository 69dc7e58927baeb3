/** What a store of retirements promises: which tokens are to end before their overlap does, once they are quiet. */

/** Of a token that was rotated, and that is asked for no more once nobody needs it. */
export type Retirement = { readonly tokenId: string; readonly successor: string };

export type AskedRetirement = Retirement & {
  /** Unix ms. */
  readonly askedAt: number;
  readonly askedBy: string;
};

export type Quiet = Retirement & {
  /** The last use that was known when it was judged, in Unix ms; 0: none. */
  readonly lastUsedAt: number;
  readonly by: string;
  readonly reason: string;
};

export interface RetirementStore {
  /** Those that have not ended yet, in order of id, at most 500. @throws StoreFault */
  pending(afterId: string): Promise<readonly Retirement[]>;

  /** Of these tokens those of which it was asked, in no order, without those that have ended. @throws StoreFault */
  asked(tokenIds: readonly string[]): Promise<readonly AskedRetirement[]>;

  /**
   * Ends the token's overlap now, unless it was used later than `lastUsedAt`, has ended or has another successor: in one
   * transaction, with its audit row, whoever else does it at the same time. @returns whether it did. @throws StoreFault
   */
  retire(quiet: Quiet): Promise<boolean>;

  /** Forgets those that have ended otherwise. @throws StoreFault */
  forgetEnded(): Promise<void>;
}
