/** What a token's text shows by itself: its checksum, its id. Pure; verifies nothing, remembers nothing. */
import { crc32 } from 'node:zlib';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 62⁶ is more than 2³²: six characters hold any CRC32. */
const CHECKSUM_CHARS = 6;
const ID_PIPE_RANDOM = /^([A-Za-z0-9_-]{1,64})\|(.+)$/s;

/** The CRC32 (IEEE 802.3, as zlib has it) of a token's beginning, as six base62 characters, padded with 0. */
export function checksumOf(beginning: string): string {
  let rest = crc32(beginning);
  let text = '';
  for (let place = 0; place < CHECKSUM_CHARS; place++) {
    text = BASE62.charAt(rest % BASE62.length) + text;
    rest = Math.floor(rest / BASE62.length);
  }
  return text;
}

/** Whether a token ends in the checksum of all that stands before it: `checksum: required`. */
export function endsInChecksum(plaintext: string): boolean {
  const end = plaintext.length - CHECKSUM_CHARS;
  return end > 0 && plaintext.slice(end) === checksumOf(plaintext.slice(0, end));
}

/** `<id>|<random>`, parted at the first `|`; null: not of that format. */
export function splitIdPipe(plaintext: string): { readonly id: string; readonly random: string } | null {
  const [, id, random] = ID_PIPE_RANDOM.exec(plaintext) ?? [];
  return id === undefined || random === undefined ? null : { id, random };
}

/** What may stand before the `|`. */
export function isPipeId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}
