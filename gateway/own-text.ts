/** Texts of callers that are kept for longer than their request. */

const unitsMax = 200;

/** Whether it may be kept whole. */
export function isShort(text: string): boolean {
  return text.length <= unitsMax;
}

/** Its first 200 characters, in memory of their own: a part of a text keeps the whole of it, which may be a head of 16 KiB. */
export function ownText(text: string): string {
  return Buffer.from(text.slice(0, unitsMax), 'utf16le').toString('utf16le');
}
