/** A request as it is written, its answer on the way, and the hand that steers it. */
import type { Dispatcher } from 'undici';
import type { StrictConnection } from './strict-connection.ts';

export type Question = {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn, Host among them. */
  readonly headers: readonly string[];
  /** All of it, and Content-Length says how much that is; null: there is none, and no length either. */
  readonly body: Uint8Array | null;
};

/** Nothing reads these: what came stands in the raw ones. */
export const noHeaders = {};

export class StrictExchange implements Dispatcher.DispatchController {
  /** Every byte of it, as latin1. */
  readonly text: string;
  readonly handler: Dispatcher.DispatchHandler;
  connection: StrictConnection | null = null;
  isOver = false;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: string[] | null = null;
  rawTrailers: string[] | null = null;

  /** @throws Error for a request that must not be written. */
  constructor(question: Question, handler: Dispatcher.DispatchHandler) {
    this.text = textOf(question);
    this.handler = handler;
  }

  start(): void {
    this.handler.onRequestStart?.(this, undefined);
  }

  abort(reason: Error): void {
    if (this.isOver) return;
    this.aborted = true;
    this.reason = reason;
    if (this.connection === null) this.fail(reason);
    else this.connection.fail(reason);
  }

  pause(): void {
    if (this.isOver || this.paused) return;
    this.paused = true;
    this.connection?.pause();
  }

  resume(): void {
    if (this.isOver || !this.paused) return;
    this.paused = false;
    this.connection?.resume();
  }

  /** Over before its handler hears so: nothing that it does then reaches the connection. */
  end(rawTrailers: string[]): void {
    this.isOver = true;
    this.rawTrailers = rawTrailers;
    try {
      this.handler.onResponseEnd?.(this, noHeaders);
    } catch (error) {
      this.handler.onResponseError?.(this, error instanceof Error ? error : new Error('thrown value'));
    }
  }

  fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.onResponseError?.(this, error);
  }
}

const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const outsideOfValues = /[^\t\x20-\x7e\x80-\xff]/;
const outsideOfPaths = /[^\x21-\x7e\x80-\xff]/;

/**
 * RFC 9112 §3. In one piece: two cost another write.
 *
 * @throws Error: what would be read as more than one line, or more than one request.
 */
function textOf({ method, path, headers, body }: Question): string {
  if (!fieldName.test(method) || !path.startsWith('/') || outsideOfPaths.test(path)) {
    throw new Error('not a request line');
  }
  let text = `${method} ${path} HTTP/1.1\r\n`;
  let length: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (!fieldName.test(name) || outsideOfValues.test(value)) throw new Error('not a header line');
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== null) throw new Error('two lengths');
      length = value;
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding')
      throw new Error('a transfer coding');
    text += `${name}: ${value}\r\n`;
  }
  if (length !== (body === null ? null : String(body.length))) throw new Error('not the length of the body');
  return body === null ? `${text}\r\n` : `${text}\r\n${bytesOf(body).toString('latin1')}`;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
