/**
 * Reads the bytes of an upstream's answer (RFC 9112). Strict: what two readers could take for different things is
 * a flaw, and whatever came on that connection is then nobody's. Knows no sockets.
 */
import { UpstreamFault } from './fault.ts';

/** Hears what an answer is made of, in order. */
export type AnswerSink = {
  /** Whether it wants to hear nothing more for now. */
  readonly isPaused: boolean;
  /** An interim answer (1xx), or the answer's own head. Names and values in turn, latin1. */
  onHead(status: number, rawHeaders: string[], reason: string): void;
  /** A copy: the bytes given to `read` may be used again. */
  onBody(chunk: Buffer): void;
  onEnd(rawTrailers: string[]): void;
};

/** `whole`: everything has come, and the sink has yet to hear so. */
type State =
  | 'head'
  | 'length'
  | 'chunk size'
  | 'chunk'
  | 'chunk end'
  | 'trailers'
  | 'until end'
  | 'whole'
  | 'over';

const headBytesMax = 64 * 1024;
const chunkLineBytesMax = 1024;
const nothing = Buffer.alloc(0);
const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const outsideOfValues = /[^\t\x20-\x7e\x80-\xff]/;
const lengthValue = /^[0-9]{1,15}$/;
/** RFC 9112 §7.1.1: extensions say nothing about where a chunk ends. */
const chunkLine =
  /^([0-9a-f]{1,12})(?:;[!#$%&'*+.^_`|~0-9a-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9a-z-]+|"[\t\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*$/i;

/** One answer after another on one connection: `begin`, then `read` whatever comes until `isOver`. */
export class AnswerParser {
  readonly #sink: AnswerSink;
  #state: State = 'over';
  /** What could not be understood without what follows, or was not wanted yet. */
  #rest: Buffer = nothing;
  /** Of the body or the chunk, in bytes. */
  #left = 0;
  #keeps = false;
  #idleHintMs: number | null = null;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether another request may follow on this connection, once the answer is over. */
  get keeps(): boolean {
    return this.#keeps;
  }

  /** How long the upstream says that it keeps an idle connection; null: it does not say. */
  get idleHintMs(): number | null {
    return this.#idleHintMs;
  }

  begin(): void {
    this.#state = 'head';
    this.#rest = nothing;
    this.#keeps = true;
    this.#idleHintMs = null;
  }

  /** Reads on, or goes on with what was not wanted before. @throws UpstreamFault: this is no answer; whatever the sink throws. */
  read(bytes: Buffer = nothing): void {
    const input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = nothing;
    let at = 0;
    while (at < input.length && this.#state !== 'over' && !this.#sink.isPaused) {
      const next = this.#step(input, at);
      if (next === at) break;
      at = next;
    }
    if (this.#state === 'whole' && !this.#sink.isPaused) this.#end([], at);
    if (at === input.length) return;
    // Nobody asked for what stands behind an answer.
    if (this.#state === 'over') this.#keeps = false;
    else this.#rest = Buffer.from(input.subarray(at));
  }

  /** The connection has ended as it should. @throws UpstreamFault: in the middle of an answer. */
  finish(): void {
    if (this.#state !== 'until end' || this.#rest.length > 0)
      throw flaw('the connection ended before the answer did');
    this.#end([], 0);
  }

  /** @returns where to go on; `at` itself: more is needed for the next step. */
  #step(input: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(input, at);
      case 'length':
        return this.#body(input, at, 'whole');
      case 'chunk size':
        return this.#chunkSize(input, at);
      case 'chunk':
        return this.#body(input, at, 'chunk end');
      case 'chunk end':
        return this.#chunkEnd(input, at);
      case 'trailers':
        return this.#trailers(input, at);
      case 'until end':
        this.#sink.onBody(Buffer.from(input.subarray(at)));
        return input.length;
      case 'whole':
        return this.#end([], at);
      case 'over':
        return at;
    }
  }

  #head(input: Buffer, at: number): number {
    const end = input.indexOf(headEnd, at);
    if ((end === -1 ? input.length : end) - at > headBytesMax) throw flaw('a head of more than 64 KiB');
    if (end === -1) return at;
    const text = input.toString('latin1', at, end);
    const lineTo = text.indexOf('\r\n');
    const line = statusLine.exec(lineTo === -1 ? text : text.slice(0, lineTo));
    if (line === null) throw flaw('not a status line of HTTP/1.1');
    const rawHeaders = lineTo === -1 ? [] : fieldsOf(text, lineTo + 2);
    this.#frame(Number(line[2]), line[1] === '0', rawHeaders);
    this.#sink.onHead(Number(line[2]), rawHeaders, line[3] ?? '');
    if (this.#state === 'length' && this.#left === 0) this.#state = 'whole';
    return end + headEnd.length;
  }

  /** RFC 9112 §6.3: where this answer ends, and whether the connection outlives it. */
  #frame(status: number, isOld: boolean, rawHeaders: readonly string[]): void {
    const { length, isChunked, closes, idleHintMs } = framingOf(rawHeaders);
    if (isChunked && isOld) throw flaw('Transfer-Encoding in HTTP/1.0');
    if (status < 200) {
      if (isOld) throw flaw('an interim answer in HTTP/1.0');
      if (status < 102) throw flaw(`status ${status}, which nobody asked for`);
      if (length !== null || isChunked) throw flaw(`a body with status ${status}`);
      return;
    }
    this.#idleHintMs = idleHintMs;
    if (closes || isOld) this.#keeps = false;
    if (status === 204 || status === 304) {
      // Some send the body all the same, and perhaps later.
      if (isChunked || (status === 204 && length !== null && length > 0)) this.#keeps = false;
      this.#state = 'length';
      this.#left = 0;
    } else if (isChunked) {
      this.#state = 'chunk size';
    } else if (length !== null) {
      this.#state = 'length';
      this.#left = length;
    } else {
      this.#state = 'until end';
      this.#keeps = false;
    }
  }

  #body(input: Buffer, at: number, then: State): number {
    const to = Math.min(input.length, at + this.#left);
    this.#left -= to - at;
    this.#sink.onBody(Buffer.from(input.subarray(at, to)));
    if (this.#left === 0) this.#state = then;
    return to;
  }

  #chunkSize(input: Buffer, at: number): number {
    const end = input.indexOf(lineEnd, at);
    if ((end === -1 ? input.length : end) - at > chunkLineBytesMax) throw flaw('a chunk size without an end');
    if (end === -1) return at;
    const size = chunkLine.exec(input.toString('latin1', at, end))?.[1];
    if (size === undefined) throw flaw('a chunk size that is none');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    return end + lineEnd.length;
  }

  #chunkEnd(input: Buffer, at: number): number {
    if (input.length - at < lineEnd.length) return at;
    if (!isLineEnd(input, at)) throw flaw('a chunk longer than its size');
    this.#state = 'chunk size';
    return at + lineEnd.length;
  }

  #trailers(input: Buffer, at: number): number {
    if (input.length - at < lineEnd.length) return at;
    if (isLineEnd(input, at)) return this.#end([], at + lineEnd.length);
    const end = input.indexOf(headEnd, at);
    if ((end === -1 ? input.length : end) - at > headBytesMax) throw flaw('trailers of more than 64 KiB');
    if (end === -1) return at;
    return this.#end(fieldsOf(input.toString('latin1', at, end), 0), end + headEnd.length);
  }

  #end(rawTrailers: string[], next: number): number {
    this.#state = 'over';
    this.#sink.onEnd(rawTrailers);
    return next;
  }
}

function isLineEnd(input: Buffer, at: number): boolean {
  return input[at] === 0x0d && input[at + 1] === 0x0a;
}

/** RFC 9112 §5: `name: value` lines; no folding, no space before the colon, no bare CR or LF. @throws UpstreamFault */
function fieldsOf(text: string, from: number): string[] {
  const raw: string[] = [];
  for (let at = from; at <= text.length; ) {
    const next = text.indexOf('\r\n', at);
    const end = next === -1 ? text.length : next;
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw flaw('a header line without a name');
    // Node's parser does not take `chunked` with a tab behind it for chunked.
    if (text.charCodeAt(end - 1) === 0x09) throw flaw('a header that ends with a tab');
    const name = text.slice(at, colon);
    const value = trimmed(text, colon + 1, end);
    if (!fieldName.test(name)) throw flaw('a header name that is none');
    if (outsideOfValues.test(value)) throw flaw('a control character in a header');
    raw.push(name, value);
    at = end + 2;
  }
  return raw;
}

/** RFC 9110 §5.5: spaces and tabs around a value are not part of it. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

type AnswerFraming = {
  /** null: Content-Length is not there. */
  length: number | null;
  isChunked: boolean;
  closes: boolean;
  idleHintMs: number | null;
};

/** @throws UpstreamFault: two could place the end of this answer differently. */
function framingOf(rawHeaders: readonly string[]): AnswerFraming {
  const framing: AnswerFraming = { length: null, isChunked: false, closes: false, idleHintMs: null };
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    // By length first: most fields are none of these.
    if (name.length === 14 || name.length === 17 || name.length === 10) {
      noteField(framing, name.toLowerCase(), rawHeaders[i + 1] ?? '');
    }
  }
  if (framing.isChunked && framing.length !== null) throw flaw('both Content-Length and Transfer-Encoding');
  return framing;
}

function noteField(framing: AnswerFraming, name: string, value: string): void {
  if (name === 'content-length') {
    if (framing.length !== null) throw flaw('more than one Content-Length');
    if (!lengthValue.test(value)) throw flaw('Content-Length is not a number');
    framing.length = Number(value);
  } else if (name === 'transfer-encoding') {
    if (framing.isChunked || value.toLowerCase() !== 'chunked') {
      throw flaw('a transfer coding that is not chunked');
    }
    framing.isChunked = true;
  } else if (name === 'connection') {
    if (value !== 'keep-alive' && value.split(',').some((token) => token.trim().toLowerCase() === 'close')) {
      framing.closes = true;
    }
  } else if (name === 'keep-alive') {
    const seconds = /(?:^|[^a-z])timeout\s*=\s*"?([0-9]+)/i.exec(value)?.[1];
    if (seconds !== undefined) framing.idleHintMs = Number(seconds) * 1000;
  }
}

function flaw(what: string): UpstreamFault {
  return new UpstreamFault('upstream_protocol_error', what);
}
