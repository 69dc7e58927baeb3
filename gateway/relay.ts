/** The way back: an upstream's answer onto the caller's connection. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Permit } from '../policy/types.ts';
import { endConnection, isLast } from './connection.ts';
import { UpstreamFault } from './fault.ts';
import { type HeaderRules, returnedHeaders } from './headers.ts';
import { BodyTooLarge, RequestStalled } from './request-body.ts';
import { noteStreamed } from './streamed.ts';
import { upstreamFault } from './upstream.ts';

/** How a delivery ended; `aborted`: the caller left, or the answer broke off after its head was sent. */
export type Delivered = { readonly status: number; readonly bytes: number; readonly aborted: boolean };

export type Relay = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly permit: Permit;
  readonly rules: HeaderRules;
  /** How long either end may stand still, ms. */
  readonly idleMs: number;
  readonly close: () => boolean;
  readonly resolve: (delivered: Delivered) => void;
  readonly reject: (fault: Error) => void;
};

/** Nobody waits for the caller to read interim answers, and each starts the wait for the first byte anew. */
export const interimMax = 100;

/** Up to here an answer is held for its body, so that head and body leave in one write. */
const heldBytesMax = 64 * 1024;

export function relayAnswer(relay: Relay): Dispatcher.DispatchHandler {
  return new AnswerRelay(relay);
}

class AnswerRelay implements Dispatcher.DispatchHandler {
  readonly #relay: Relay;
  #controller: Dispatcher.DispatchController | null = null;
  #headers: string[] = [];
  #status = 0;
  #sent = false;
  #gone = false;
  #held: Buffer | null = null;
  #length: number | null = null;
  #bytes = 0;
  #interim = 0;
  #stall: NodeJS.Timeout | null = null;

  constructor(relay: Relay) {
    this.#relay = relay;
    relay.res.once('close', this.#callerLeft);
  }

  /** A caller who leaves takes the upstream request along. */
  readonly #callerLeft = (): void => {
    if (this.#relay.res.writableFinished) return;
    this.#gone = true;
    this.#moved();
    this.#controller?.abort(new Error('the caller left'));
    this.#relay.resolve({ status: this.#status, bytes: this.#bytes, aborted: true });
  };

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#gone) controller.abort(new Error('the caller left'));
    else if (!this.#relay.req.complete) this.#watch();
  }

  /** undici has no timer of its own while a request body is on its way. */
  onBodySent(chunk: Buffer): void {
    noteStreamed(chunk.length);
    if (this.#stall === null) this.#watch();
    else this.#stall.refresh();
  }

  onRequestSent(): void {
    this.#moved();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const raw = rawText(controller.rawHeaders);
    if (status < 200) {
      if (++this.#interim > interimMax) {
        throw new UpstreamFault('upstream_protocol_error', `more than ${interimMax} interim answers`);
      }
      this.#relayInterim(status, raw);
      return;
    }
    if (hasOtherCoding(raw)) {
      throw new UpstreamFault('upstream_protocol_error', 'a transfer coding that is not chunked');
    }
    const { req, res, permit, rules, close } = this.#relay;
    this.#moved();
    this.#status = status;
    this.#headers = returnedHeaders({ raw, permit, rules });
    this.#length = status === 204 ? null : lengthOf(raw);
    if (this.#length !== null) this.#headers.push('Content-Length', String(this.#length));
    // A body we have not read to its end would be taken for the next request.
    if (close() || !req.complete) endConnection(res);
    if (isLast(res)) this.#headers.push('Connection', 'close');
    if (req.method === 'HEAD' || status === 204 || status === 304) return;
    if (this.#length !== null && this.#length <= heldBytesMax) return;
    this.#sendHead();
    res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    noteStreamed(chunk.length);
    if (!this.#sent) {
      if (chunk.length === this.#length) {
        this.#held = chunk;
        return;
      }
      this.#sendHead();
    }
    const { res } = this.#relay;
    if (res.write(chunk)) return;
    controller.pause();
    this.#watch();
    res.once('drain', () => {
      this.#moved();
      controller.resume();
    });
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    const { res } = this.#relay;
    if (this.#gone) return;
    if (!this.#sent) this.#sendHead();
    const trailers = this.#trailers(controller);
    if (trailers.length > 0) res.addTrailers(trailers);
    if (this.#held !== null) res.end(this.#held.toString('latin1'), 'latin1');
    else res.end();
    this.#finish(false);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { res, reject } = this.#relay;
    if (this.#gone) return;
    this.#moved();
    res.off('close', this.#callerLeft);
    if (!this.#sent && !res.headersSent) {
      reject(error instanceof BodyTooLarge || error instanceof RequestStalled ? error : upstreamFault(error));
      return;
    }
    // The head is out: only a broken connection tells the caller that the body is not whole.
    res.destroy();
    this.#finish(true);
  }

  #sendHead(): void {
    this.#relay.res.writeHead(this.#status, this.#headers);
    this.#sent = true;
  }

  /** Starts the clock on whichever end has to move next. */
  #watch(): void {
    this.#stall ??= setTimeout(this.#stalled, this.#relay.idleMs);
  }

  #moved(): void {
    if (this.#stall === null) return;
    clearTimeout(this.#stall);
    this.#stall = null;
  }

  /** Slow ends hold a connection of the upstream; nobody may hold one for ever. */
  readonly #stalled = (): void => {
    const { req } = this.#relay;
    const upstreamReads = req.readableLength === 0;
    this.#controller?.abort(
      upstreamReads ? new RequestStalled() : new UpstreamFault('upstream_timeout', 'the body is not read'),
    );
  };

  #finish(aborted: boolean): void {
    this.#moved();
    this.#relay.res.off('close', this.#callerLeft);
    this.#relay.resolve({ status: this.#status, bytes: this.#bytes, aborted });
  }

  /** RFC 9110 §15.2: interim answers pass; undici reports them like any other start. */
  #relayInterim(status: number, raw: readonly string[]): void {
    const { req, res } = this.#relay;
    if (status !== 103 || req.httpVersion === '1.0') return;
    const links = raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === 'link');
    if (links.length === 0) return;
    try {
      res.writeEarlyHints({ link: links });
    } catch {
      // Node reads fewer spellings of Link than RFC 8288 has; a hint may be left out, the answer may not.
    }
  }

  #trailers(controller: Dispatcher.DispatchController): [string, string][] {
    const raw = rawText(controller.rawTrailers);
    const trailers: [string, string][] = [];
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i] ?? '';
      if (mayTrail(this.#relay.rules, name)) trailers.push([name, raw[i + 1] ?? '']);
    }
    return trailers;
  }
}

/** undici hands over Buffers; latin1 keeps every byte. */
export function rawText(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
}

function lengthOf(raw: readonly string[]): number | null {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.length === 14 && raw[i]?.toLowerCase() === 'content-length') return Number(raw[i + 1]);
  }
  return null;
}

/** Fields that steer a browser or a client are only ours to send, and only in the head. */
function mayTrail(rules: HeaderRules, name: string): boolean {
  const lower = name.toLowerCase();
  if (lower.startsWith('access-control-') || lower.startsWith('ratelimit') || lower === 'vary') return false;
  return rules.mayReturn(name);
}

/** RFC 9112 §6.1: a body in a coding we do not undo cannot be passed on as what it is. */
export function hasOtherCoding(raw: readonly string[]): boolean {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]?.length !== 17 || raw[i]?.toLowerCase() !== 'transfer-encoding') continue;
    if (raw[i + 1]?.trim().toLowerCase() !== 'chunked') return true;
  }
  return false;
}
