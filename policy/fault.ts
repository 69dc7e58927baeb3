/** "Cannot tell", where policy must say so itself. */

/** A limit that may not be passed uncounted was not counted. Must come out as 503, never 429. */
export class LimiterUncounted extends Error {
  readonly code = 'limiter_unavailable';

  constructor(limit: string) {
    super(`limit ${limit} could not be counted`);
    this.name = 'LimiterUncounted';
  }
}
