/** Reads a text as it comes, in pieces of any size, and finds the candidates in it with their line and column. */
import { type Candidate, charsAfter, charsBefore, type FindCandidates } from './scan-candidates.ts';

/** A candidate in a text. */
export type Place = Candidate & {
  /** From 1; a line ends in LF. */
  readonly line: number;
  /** From 1, in bytes; in UTF-16 in code units. */
  readonly column: number;
};

const sniffedBytes = 8192;
const newline = '\n';

/** `null`: not yet known. Text that is no UTF-16 is read byte by byte: tokens are ASCII in every other encoding. */
type Encoding = 'bytes' | 'utf16le' | 'utf16be' | 'binary' | null;

/** Holds no more than what it was handed last, and a little of what came before. */
export class TextScan {
  readonly #find: FindCandidates;
  #encoding: Encoding = null;
  /** What came before it was known what it is; then a byte without its other half. */
  #held: Buffer = Buffer.alloc(0);
  /** The end of what was read, not yet all searched. */
  #text = '';
  #from = 0;
  #line = 1;
  /** Where the counting of lines has come to in `#text`, and where its line begins there: before it, below 0. */
  #countedTo = 0;
  #lineStart = 0;

  constructor(find: FindCandidates) {
    this.#find = find;
  }

  /** A NUL among its first 8 KiB, and no byte order mark of UTF-16: nothing in it is looked at. */
  get isBinary(): boolean {
    return this.#encoding === 'binary';
  }

  push(piece: Buffer): readonly Place[] {
    if (this.#encoding === null) {
      this.#held = Buffer.concat([this.#held, piece]);
      if (this.#held.length < sniffedBytes) return [];
      return this.#sniffed(false);
    }
    return this.#read(piece, false);
  }

  end(): readonly Place[] {
    return this.#encoding === null ? this.#sniffed(true) : this.#read(Buffer.alloc(0), true);
  }

  #sniffed(isLast: boolean): readonly Place[] {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.#encoding = encodingOf(held.subarray(0, sniffedBytes));
    return this.#read(held, isLast);
  }

  #read(piece: Buffer, isLast: boolean): readonly Place[] {
    if (this.#encoding === 'binary') return [];
    this.#text += this.#encoding === 'bytes' ? piece.toString('latin1') : this.#wide(piece);
    const to = isLast ? this.#text.length : this.#text.length - charsAfter;
    if (to <= this.#from && !isLast) return [];
    const places = this.#find(this.#text, this.#from, to).map((candidate) => this.#placed(candidate));
    this.#forget(Math.max(0, to - charsBefore), to);
    return places;
  }

  #placed(candidate: Candidate): Place {
    const { start } = candidate;
    // One that begins before the last did (an id, seen by its `|`) shares its line: no token spans lines.
    if (start > this.#countedTo) this.#countLines(start);
    return { ...candidate, line: this.#line, column: start - this.#lineStart + 1 };
  }

  #countLines(to: number): void {
    let at = this.#text.indexOf(newline, this.#countedTo);
    while (at !== -1 && at < to) {
      this.#line++;
      this.#lineStart = at + 1;
      at = this.#text.indexOf(newline, at + 1);
    }
    this.#countedTo = to;
  }

  #forget(before: number, searchedTo: number): void {
    this.#countLines(Math.max(before, this.#countedTo));
    this.#text = this.#text.slice(before);
    this.#from = searchedTo - before;
    this.#countedTo -= before;
    this.#lineStart -= before;
  }

  #wide(piece: Buffer): string {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const even = bytes.length - (bytes.length % 2);
    this.#held = Buffer.from(bytes.subarray(even));
    const units = bytes.subarray(0, even);
    return this.#encoding === 'utf16be'
      ? Buffer.from(units).swap16().toString('utf16le')
      : units.toString('utf16le');
  }
}

function encodingOf(beginning: Buffer): Encoding {
  if (beginning[0] === 0xff && beginning[1] === 0xfe) return 'utf16le';
  if (beginning[0] === 0xfe && beginning[1] === 0xff) return 'utf16be';
  return beginning.includes(0) ? 'binary' : 'bytes';
}
