/** The inside of a JSON string (RFC 8259 §7, RFC 3629), byte by byte: how long each part is, and what it says. */

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

const shortEscapes: ReadonlyMap<number, string> = new Map([
  [0x22, '"'],
  [0x5c, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

/** Bytes of the escape at `at`, both halves of a surrogate pair together if `strict`; 0: it is bad. */
export function escapeLength(bytes: Uint8Array, at: number, strict: boolean): number {
  const letter = bytes[at + 1];
  if (letter !== 0x75) return letter !== undefined && shortEscapes.has(letter) ? 2 : 0;
  const unit = hexUnit(bytes, at + 2);
  if (unit === -1) return 0;
  if (!strict) return 6;
  if (unit === 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return 0;
  if (unit < 0xd800 || unit > 0xdbff) return 6;
  const low = bytes[at + 6] === 0x5c && bytes[at + 7] === 0x75 ? hexUnit(bytes, at + 8) : -1;
  return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/** The four hex digits at `at` as a number; -1: they are none. */
function hexUnit(bytes: Uint8Array, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] ?? 0;
    const lower = byte | 0x20;
    if (isDigit(byte)) unit = unit * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
    else return -1;
  }
  return unit;
}

/** Bytes of the character at `at` (RFC 3629 §4, table of well-formed sequences); 0: it is none. */
export function utf8Length(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  if (first >= 0xc2 && first <= 0xdf) return isTail(second) ? 2 : 0;
  if (!isTail(bytes[at + 2])) return 0;
  if (first >= 0xe0 && first <= 0xef) {
    const from = first === 0xe0 ? 0xa0 : 0x80;
    const to = first === 0xed ? 0x9f : 0xbf;
    return second >= from && second <= to ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4 || !isTail(bytes[at + 3])) return 0;
  const from = first === 0xf0 ? 0x90 : 0x80;
  const to = first === 0xf4 ? 0x8f : 0xbf;
  return second >= from && second <= to ? 4 : 0;
}

function isTail(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The text of a string that has been found well-formed, and is short. */
export function decode(bytes: Uint8Array, start: number, end: number, escaped: boolean): string {
  const units: number[] = [];
  for (let at = start; at < end; ) {
    const byte = bytes[at] ?? 0;
    if (byte === 0x5c && escaped) {
      const letter = bytes[at + 1] ?? 0;
      units.push(letter === 0x75 ? hexUnit(bytes, at + 2) : (shortEscapes.get(letter) ?? '').charCodeAt(0));
      at += letter === 0x75 ? 6 : 2;
    } else if (byte < 0x80) {
      units.push(byte);
      at++;
    } else {
      const length = utf8Length(bytes, at);
      const point = codePoint(bytes, at, length);
      if (point > 0xffff) units.push(0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
      else units.push(point);
      at += length;
    }
  }
  return String.fromCharCode(...units);
}

function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let point = (bytes[at] ?? 0) & (0xff >> (length + 1));
  for (let i = at + 1; i < at + length; i++) point = (point << 6) | ((bytes[i] ?? 0) & 0x3f);
  return point;
}
