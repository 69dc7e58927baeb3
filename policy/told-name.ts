/** What of somebody's words may be said again: what looks like a name, and is too short and plain for a secret. */

const nameLike = /^[a-z]+(?:[_-][a-z]+){0,3}$/;
const nameLengthMax = 20;

export function isToldName(word: string): boolean {
  return nameLike.test(word) && word.length <= nameLengthMax;
}

/** The word in a path: as it is where it may be said again. */
export function toldName(word: string): string {
  return isToldName(word) ? word : '…';
}
