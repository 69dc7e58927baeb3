/** One connection of the strict client: carries one request at a time, and is closed at the first doubt. */
import { connect, type Socket } from 'node:net';
import { AnswerParser, type AnswerSink } from './answer-parser.ts';
import { UpstreamFault } from './fault.ts';
import type { Listed } from './roster.ts';
import { noHeaders, type StrictExchange } from './strict-exchange.ts';

/** 0: as long as it takes. */
export type Patience = { readonly connectMs: number; readonly firstByteMs: number; readonly idleMs: number };

/** How long a connection is kept for the next request where the upstream does not say how long it keeps it. */
const keepMsDefault = 4000;
const keepMsMax = 60_000;
/** A connection is given up this long before its upstream said that it would end it. */
const keepReserveMs = 2000;

/** All connections read into this: what is read has been dealt with, or copied, before anything else is read. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

export type Owner = {
  /** Another request may follow. */
  readonly released: (connection: StrictConnection) => void;
  readonly ended: (connection: StrictConnection) => void;
};

/** What a timer takes for more it takes for 1. */
const timerMsMax = 2 ** 31 - 1;

export class StrictConnection implements AnswerSink, Listed {
  at = -1;
  /** Monotonic ms, while idle. */
  keepUntil = 0;
  readonly #socket: Socket;
  readonly #patience: Patience;
  readonly #owner: Owner;
  readonly #parser = new AnswerParser(this);
  #exchange: StrictExchange | null = null;
  #isOpen = false;
  #awaitsHead = false;
  readonly #connecting: NodeJS.Timeout | null;
  /** One for all answers of this connection: to start it anew costs less than to make it. */
  #firstByte: NodeJS.Timeout | null = null;
  #idle: NodeJS.Timeout | null = null;

  constructor(host: string, port: number, patience: Patience, owner: Owner) {
    this.#patience = patience;
    this.#owner = owner;
    const onread = { buffer: scratch, callback: (bytes: number) => this.#read(bytes) };
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      onread,
    });
    this.#socket.once('connect', () => this.#connected());
    this.#socket.on('error', (error) => this.fail(error));
    this.#socket.once('end', () => this.#ended());
    this.#socket.once('close', () => {
      if (this.#exchange !== null)
        this.fail(new UpstreamFault('upstream_protocol_error', 'the connection was lost'));
      owner.ended(this);
    });
    this.#connecting = within(patience.connectMs, () =>
      this.#giveUp('no connection in time', () => !this.#isOpen, true),
    );
  }

  get isUsable(): boolean {
    return this.#socket.writable;
  }

  get isPaused(): boolean {
    return this.#exchange === null || this.#exchange.paused;
  }

  carry(exchange: StrictExchange): void {
    this.#exchange = exchange;
    exchange.connection = this;
    if (exchange.paused) this.pause();
    if (this.#isOpen) this.#send(exchange);
  }

  #connected(): void {
    this.#isOpen = true;
    if (this.#connecting !== null) clearTimeout(this.#connecting);
    if (this.#exchange !== null) this.#send(this.#exchange);
  }

  #send(exchange: StrictExchange): void {
    this.#parser.begin();
    this.#awaitsHead = true;
    if (this.#firstByte === null) this.#firstByte = within(this.#patience.firstByteMs, this.#late);
    else this.#firstByte.refresh();
    this.#socket.write(exchange.text, 'latin1');
    this.#hear(() => exchange.handler.onRequestSent?.());
  }

  readonly #late = (): void => {
    if (this.#awaitsHead) this.#giveUp('no answer in time', () => this.#awaitsHead);
  };

  readonly #silent = (): void => {
    const { bytesRead } = this.#socket;
    this.#giveUp('the answer went silent', () => this.#socket.bytesRead === bytesRead);
  };

  /** Where it was this process that was held up, what has come by now is read first. */
  #giveUp(reason: string, isStillDue: () => boolean, unsent = false): void {
    const exchange = this.#exchange;
    setImmediate(() => {
      if (this.#exchange !== exchange || !isStillDue()) return;
      this.fail(new UpstreamFault('upstream_timeout', reason, { unsent }));
    });
  }

  #read(bytes: number): boolean {
    // Nobody asked, or the one who did has left.
    if (this.#exchange === null || this.#parser.isOver) this.destroy();
    else this.#hear(() => this.#parser.read(scratch.subarray(0, bytes)));
    return true;
  }

  pause(): void {
    this.#socket.pause();
    this.#stopIdle();
  }

  resume(): void {
    this.#hear(() => this.#parser.read());
    // An idle connection is read too: it may end, or be spoilt.
    if (this.#exchange?.paused !== true) this.#socket.resume();
  }

  #ended(): void {
    if (this.#exchange !== null) this.#hear(() => this.#parser.finish());
    this.destroy();
  }

  #hear(read: () => void): void {
    try {
      read();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error('thrown value'));
      return;
    }
    if (this.#parser.isOver) this.#release();
    else if (!this.#awaitsHead && !this.isPaused) this.#restartIdle();
  }

  onHead(status: number, rawHeaders: string[], reason: string): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    exchange.rawHeaders = rawHeaders;
    if (status < 200) this.#firstByte?.refresh();
    else this.#awaitsHead = false;
    exchange.handler.onResponseStart?.(exchange, status, noHeaders, reason);
  }

  onBody(chunk: Buffer): void {
    const exchange = this.#exchange;
    exchange?.handler.onResponseData?.(exchange, chunk);
  }

  onEnd(rawTrailers: string[]): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.end(rawTrailers);
  }

  /** The answer is over: another may follow, where nothing speaks against it. */
  #release(): void {
    this.#stopIdle();
    const { keeps, idleHintMs } = this.#parser;
    const keepMs = idleHintMs === null ? keepMsDefault : Math.min(idleHintMs - keepReserveMs, keepMsMax);
    // Answered before all of the request has left: what it sends next would be read as the rest of that.
    const isSent = this.#socket.writableLength === 0;
    if (!keeps || keepMs <= 0 || !isSent || !this.isUsable) {
      this.destroy();
      return;
    }
    this.keepUntil = performance.now() + keepMs;
    this.#owner.released(this);
  }

  fail(error: Error): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    this.destroy();
    exchange?.fail(error);
  }

  destroy(): void {
    this.#stopIdle();
    if (this.#connecting !== null) clearTimeout(this.#connecting);
    if (this.#firstByte !== null) clearTimeout(this.#firstByte);
    this.#socket.destroy();
  }

  #restartIdle(): void {
    if (this.#idle === null) this.#idle = within(this.#patience.idleMs, this.#silent);
    else this.#idle.refresh();
  }

  #stopIdle(): void {
    if (this.#idle === null) return;
    clearTimeout(this.#idle);
    this.#idle = null;
  }
}

/** null: there is no limit. */
function within(ms: number, late: () => void): NodeJS.Timeout | null {
  return ms === 0 ? null : setTimeout(late, Math.min(ms, timerMsMax)).unref();
}
