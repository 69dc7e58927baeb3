/**
 * Postern's own client for requests without a body, or with a small one that is at hand, over plain TCP: what it does not take for
 * certain is a fault, and its connection is closed. Why not undici alone: docs/decisions/0024-strict-client.md.
 */
import type { Dispatcher } from 'undici';
import { UpstreamFault } from './fault.ts';
import { Roster } from './roster.ts';
import { type Patience, StrictConnection } from './strict-connection.ts';
import { type Question, StrictExchange } from './strict-exchange.ts';

const sweepMs = 1000;

/** What sends no body says so by its method, or by no length where one would stand. */
const withoutBody: ReadonlySet<string> = new Set(['GET', 'DELETE', 'OPTIONS']);
const withBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);
/** A kernel takes so much at once, so that nobody has to wait for an upstream that does not read. */
const bodyBytesMax = 64 * 1024;

/** Whether a request is for this client. HEAD is not, and no body that is still on its way. */
export function carries(method: string, body: unknown): body is Uint8Array | null {
  if (body === null) return withoutBody.has(method);
  return body instanceof Uint8Array && body.length <= bodyBytesMax && withBody.has(method);
}

/**
 * One url. Opens as many connections as there are requests at it; how many that may be is counted before it.
 * Answers through the handlers that undici calls, in the same order.
 */
export class StrictClient {
  readonly #host: string;
  readonly #port: number;
  readonly #patience: Patience;
  readonly #connections = new Roster<StrictConnection>();
  /** Last in, first out: what is not needed grows old. */
  readonly #idle: StrictConnection[] = [];
  /** Their answers ended in this turn of the event loop: what the upstream did behind them has not been read. */
  readonly #fresh: StrictConnection[] = [];
  #waiting: StrictExchange[] = [];
  #isTurning = false;
  #sweep: NodeJS.Timeout | null = null;
  #closed: (() => void)[] | null = null;

  constructor(origin: string, patience: Patience) {
    const { hostname, port } = new URL(origin);
    this.#host = hostname.replace(/^\[|\]$/g, '');
    this.#port = Number(port || 80);
    this.#patience = patience;
  }

  /** @throws Error for a request that must not be written; nothing has been sent then. */
  dispatch(question: Question, handler: Dispatcher.DispatchHandler): void {
    const exchange = new StrictExchange(question, handler);
    exchange.start();
    if (exchange.isOver) return;
    if (this.#closed !== null) {
      exchange.fail(new UpstreamFault('upstream_unreachable', 'this client is closed', { unsent: true }));
      return;
    }
    this.#waiting.push(exchange);
    this.#awaitTurn();
  }

  #awaitTurn(): void {
    if (this.#isTurning) return;
    this.#isTurning = true;
    setImmediate(this.#turn);
  }

  /**
   * Requests wait for the end of this turn of the event loop: by then it is known which idle connections were
   * ended, or spoilt by bytes that nobody asked for (CVE-2026-6733). Those whose answers have just ended are for the
   * next turn, before which they are read once more: many an upstream ends them without having said so.
   */
  readonly #turn = (): void => {
    this.#isTurning = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const exchange of waiting) {
      if (exchange.isOver) continue;
      const connection = this.#takeIdle() ?? this.#open();
      connection.carry(exchange);
    }
    for (const connection of this.#fresh) if (connection.isUsable) this.#idle.push(connection);
    this.#fresh.length = 0;
    this.#settle();
  };

  #takeIdle(): StrictConnection | null {
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop()) {
      if (one.isUsable && one.keepUntil > performance.now()) return one;
      one.destroy();
    }
    return null;
  }

  #open(): StrictConnection {
    const connection = new StrictConnection(this.#host, this.#port, this.#patience, {
      released: (one) => this.#keep(one),
      ended: (one) => this.#forget(one),
    });
    this.#connections.add(connection);
    return connection;
  }

  #keep(connection: StrictConnection): void {
    if (this.#closed !== null) {
      connection.destroy();
      return;
    }
    this.#fresh.push(connection);
    this.#awaitTurn();
    this.#sweep ??= setInterval(this.#dropOld, sweepMs).unref();
  }

  #forget(connection: StrictConnection): void {
    this.#connections.remove(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#settle();
  }

  #settle(): void {
    if (this.#closed === null || this.#connections.size > 0 || this.#waiting.length > 0) return;
    for (const done of this.#closed.splice(0)) done();
  }

  readonly #dropOld = (): void => {
    const now = performance.now();
    for (const connection of this.#idle.filter(({ keepUntil }) => keepUntil <= now)) connection.destroy();
    if (this.#idle.length + this.#fresh.length > 0 || this.#sweep === null) return;
    clearInterval(this.#sweep);
    this.#sweep = null;
  };

  /** Ends idle connections now and the others with their answers. Resolves when all are gone. */
  async close(): Promise<void> {
    this.#closed ??= [];
    const closed = this.#closed;
    for (const connection of [...this.#idle.splice(0), ...this.#fresh.splice(0)]) connection.destroy();
    const gone = new Promise<void>((done) => closed.push(done));
    this.#settle();
    await gone;
  }

  /** Ends everything now. */
  async destroy(): Promise<void> {
    this.#closed ??= [];
    const fault = new UpstreamFault('upstream_protocol_error', 'the client was destroyed');
    for (const exchange of this.#waiting.splice(0)) exchange.fail(fault);
    for (const connection of [...this.#connections.all]) connection.fail(fault);
    await this.close();
  }
}
