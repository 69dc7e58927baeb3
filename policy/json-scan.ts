/**
 * Reads a JSON body (RFC 8259) once, for what stands at a few pointers, and refuses whatever two readers
 * could understand differently. One pass without recursion; nothing but the asked values is kept.
 *
 * It accepts what `JSON.parse` accepts of UTF-8 text, except: a byte order mark, bad UTF-8, more than 64
 * levels, and on the way to an asked value or to a member that is cut out a key that stands twice (also escaped)
 * or in another case, a lone surrogate or a NUL in a key or in the asked value, and an array on the way to a cut.
 */
import type { JsonQuery, PointerNode } from './json-pointer.ts';
import { foldKey } from './json-pointer.ts';
import { decode, escapeLength, isDigit, utf8Length } from './json-text.ts';

/** What stands at a pointer. */
export type JsonFound =
  /** null: written in more than `valueBytesMax` bytes, which nobody asks to know. */
  | { readonly kind: 'string'; readonly value: string | null }
  | { readonly kind: 'array'; readonly items: number }
  | { readonly kind: 'object' | 'number' | 'boolean' | 'null' };

/** A member that is to go, with one comma where it has a neighbour: the bytes from `from` up to before `to`. */
export type JsonCut = { readonly pointer: string; readonly from: number; readonly to: number };

export type JsonScan =
  /** `found` by pointer; one that is not in it points at nothing. `cuts` in order, none touching another's bytes. */
  | { readonly ok: true; readonly found: ReadonlyMap<string, JsonFound>; readonly cuts: readonly JsonCut[] }
  /** `at`: the byte it was noticed at. `reason` holds nothing of the body. */
  | { readonly ok: false; readonly reason: string; readonly at: number };

export const depthMax = 64;
export const valueBytesMax = 8192;

export function scanJson(bytes: Uint8Array, query: JsonQuery): JsonScan {
  const scan = new JsonScanner(bytes, query);
  let result: JsonScan | null = null;
  while (result === null) result = scan.step(bytes.length);
  return result;
}

/** An open array or object. `node` null: no pointer leads into it. */
type Level = {
  isArray: boolean;
  node: PointerNode | null;
  items: number;
  /** Folded keys that have stood here, of those a pointer passes. */
  seen: Set<string> | null;
};

/** 1: a byte that ends the fast way through a string. */
const special = new Uint8Array(256).fill(1, 0, 0x20).fill(1, 0x80);
special[0x22] = 1;
special[0x5c] = 1;

const literals: readonly (readonly [text: string, kind: 'boolean' | 'null'])[] = [
  ['true', 'boolean'],
  ['false', 'boolean'],
  ['null', 'null'],
];

/** A scan in steps, for bodies so long that others must have their turn in between. */
export class JsonScanner {
  readonly #bytes: Uint8Array;
  readonly #found = new Map<string, JsonFound>();
  readonly #levels: Level[] = [];
  /** The place of the next value in the tree; null: no pointer leads to it. */
  #node: PointerNode | null;
  #at = 0;
  #afterComma = false;
  /** Whether the string just read holds a `\`. */
  #escaped = false;
  /** Members that are cut out, with the place of the object they stand in: no two objects have the same. */
  #cuts: (JsonCut & { readonly parent: PointerNode })[] = [];
  /** The member that is being cut out. */
  #cutting: { readonly from: number; readonly parent: PointerNode; readonly isFirst: boolean } | null = null;

  constructor(bytes: Uint8Array, query: JsonQuery) {
    this.#bytes = bytes;
    this.#node = query.root;
  }

  /** Reads on for about so many bytes, more where one string is longer; null: there is more to read. */
  step(bytes: number): JsonScan | null {
    const until = this.#at + bytes;
    let flaw = this.#at === 0 && this.#bytes[0] === 0xef ? 'no JSON value, or a byte order mark' : null;
    while (flaw === null) {
      flaw = this.#value(this.#node);
      if (flaw !== null) break;
      const next = this.#next();
      if (next === done) return this.#end();
      if (typeof next === 'string') flaw = next;
      else this.#node = next === nowhere ? null : next;
      if (flaw === null && this.#at > until) return null;
    }
    return { ok: false, reason: flaw ?? '', at: Math.min(this.#at, this.#bytes.length) };
  }

  #end(): JsonScan {
    this.#space();
    if (this.#at === this.#bytes.length) {
      return { ok: true, found: this.#found, cuts: this.#cuts.map(({ parent: _, ...cut }) => cut) };
    }
    return { ok: false, reason: 'more after the value', at: this.#at };
  }

  /** Reads a value whole, or opens the array or object it is. */
  #value(node: PointerNode | null): string | null {
    this.#space();
    const byte = this.#bytes[this.#at];
    switch (byte) {
      case undefined:
        return this.#bytes.length === 0 ? 'nothing' : 'it ends too early';
      case 0x7b:
        return this.#open(node, false);
      case 0x5b:
        // A reader who takes each item by itself would find in it what was to be cut.
        return node?.leadsToCut === true ? 'an array on the way to what is cut out' : this.#open(node, true);
      case 0x22:
        return this.#stringValue(node);
      default:
        return byte === 0x2d || isDigit(byte) ? this.#number(node) : this.#literal(node);
    }
  }

  #open(node: PointerNode | null, isArray: boolean): string | null {
    if (this.#levels.length === depthMax) return `deeper than ${depthMax} levels`;
    this.#at++;
    this.#levels.push({ isArray, node, items: 0, seen: null });
    return null;
  }

  /** Up to the next value: its place in the tree, `nowhere`, `done`, or what is wrong. */
  #next(): PointerNode | Elsewhere | string {
    for (;;) {
      const level = this.#levels.at(-1);
      if (level === undefined) return done;
      this.#space();
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return 'it ends too early';
      if (byte === (level.isArray ? 0x5d : 0x7d) && !this.#afterComma) {
        this.#at++;
        this.#close(level);
        continue;
      }
      if (level.items > 0 && !this.#afterComma) {
        if (byte !== 0x2c) return 'neither a comma nor the end';
        this.#at++;
        this.#afterComma = true;
        continue;
      }
      this.#afterComma = false;
      level.items++;
      if (!level.isArray) return this.#key(level);
      if (level.node === null || level.node.children.size === 0) return nowhere;
      return level.node.children.get(String(level.items - 1)) ?? nowhere;
    }
  }

  #close({ isArray, node, items }: Level): void {
    this.#levels.pop();
    this.#find(node, isArray ? { kind: 'array', items } : { kind: 'object' });
  }

  /** Reads `"key" :` of an object. */
  #key(level: Level): PointerNode | Elsewhere | string {
    if (this.#bytes[this.#at] !== 0x22) return 'a key that is not a string';
    const start = this.#at + 1;
    const { node } = level;
    const watched = node !== null && node.children.size > 0;
    const flaw = this.#string(watched);
    if (flaw !== null) return flaw;
    const end = this.#at - 1;
    const escaped = this.#escaped;
    this.#space();
    if (this.#bytes[this.#at] !== 0x3a) return 'a key without a colon';
    this.#at++;
    if (!watched || end - start > node.keyBytesMax) return nowhere;
    const key = decode(this.#bytes, start, end, escaped);
    const folded = foldKey(key);
    if (!node.folded.has(folded)) return nowhere;
    level.seen ??= new Set();
    if (level.seen.has(folded)) return 'a key that is asked for stands twice';
    level.seen.add(folded);
    const child = node.children.get(key);
    if (child === undefined) return 'a key that is asked for stands in another case';
    if (child.cut !== null) this.#beginCut(node, level.items, start - 1);
    return child;
  }

  /** With the comma before it, if anything before it stays. @param keyAt where the key's first quote is. */
  #beginCut(parent: PointerNode, nth: number, keyAt: number): void {
    const gone = this.#cuts.filter((cut) => cut.parent === parent).length;
    const isFirst = nth - 1 === gone;
    let from = keyAt;
    if (!isFirst) while (this.#bytes[from] !== 0x2c) from--;
    this.#cutting = { from, parent, isFirst };
  }

  /** With the comma behind it, if nothing before it stays. */
  #endCut(pointer: string): void {
    if (this.#cutting === null) throw new Error('a cut that was not begun');
    const { from, parent, isFirst } = this.#cutting;
    let to = this.#at;
    if (isFirst) {
      while (isSpace(this.#bytes[to])) to++;
      to = this.#bytes[to] === 0x2c ? to + 1 : this.#at;
    }
    this.#cuts.push({ pointer, from, to, parent });
    this.#cutting = null;
  }

  #stringValue(node: PointerNode | null): string | null {
    const start = this.#at + 1;
    const asked = node !== null && node.pointer !== null;
    const flaw = this.#string(asked);
    if (flaw !== null || node === null) return flaw;
    const end = this.#at - 1;
    const value =
      !asked || end - start > valueBytesMax ? null : decode(this.#bytes, start, end, this.#escaped);
    this.#find(node, { kind: 'string', value });
    return null;
  }

  /** Reads a string from its first quote past its last. `strict`: no lone surrogate, no NUL. */
  #string(strict: boolean): string | null {
    const bytes = this.#bytes;
    let at = this.#at;
    at++;
    this.#escaped = false;
    for (;;) {
      while (special[bytes[at] ?? 0] === 0) at++;
      this.#at = at;
      const byte = bytes[at];
      if (byte === undefined) return 'it ends inside a string';
      if (byte === 0x22) {
        this.#at = at + 1;
        return null;
      }
      if (byte === 0x5c) {
        this.#escaped = true;
        const length = escapeLength(bytes, at, strict);
        if (length === 0) return strict ? 'a bad escape, or a lone surrogate or NUL' : 'a bad escape';
        at += length;
      } else if (byte < 0x20) {
        return 'a control character in a string';
      } else {
        const length = utf8Length(bytes, at);
        if (length === 0) return 'bad UTF-8';
        at += length;
      }
    }
  }

  /** RFC 8259 §6. */
  #number(node: PointerNode | null): string | null {
    const bytes = this.#bytes;
    let at = this.#at;
    if (bytes[at] === 0x2d) at++;
    if (bytes[at] === 0x30) at++;
    else if (isDigit(bytes[at])) while (isDigit(bytes[at])) at++;
    else return 'a bad number';
    if (bytes[at] === 0x2e) {
      at++;
      if (!isDigit(bytes[at])) return 'a bad number';
      while (isDigit(bytes[at])) at++;
    }
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      if (!isDigit(bytes[at])) return 'a bad number';
      while (isDigit(bytes[at])) at++;
    }
    this.#at = at;
    this.#find(node, { kind: 'number' });
    return null;
  }

  #literal(node: PointerNode | null): string | null {
    for (const [text, kind] of literals) {
      let length = 0;
      while (length < text.length && this.#bytes[this.#at + length] === text.charCodeAt(length)) length++;
      if (length < text.length) continue;
      this.#at += length;
      this.#find(node, { kind });
      return null;
    }
    return 'no JSON value';
  }

  #find(node: PointerNode | null, found: JsonFound): void {
    if (node === null) return;
    if (node.pointer !== null) this.#found.set(node.pointer, found);
    if (node.cut !== null) this.#endCut(node.cut);
  }

  #space(): void {
    const bytes = this.#bytes;
    let byte = bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.#at];
  }
}

/** RFC 8259 §2. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** A value that no pointer leads to; and the end of the outermost value. */
const nowhere = Symbol('nowhere');
const done = Symbol('done');
type Elsewhere = typeof nowhere | typeof done;
