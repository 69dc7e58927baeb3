/**
 * Delivery of a WebSocket: the handshake goes to the upstream, its 101 comes back, and from then on bytes pass
 * both ways as they are, with back-pressure. Anything but a proper 101 is relayed, or refused, as in HTTP.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import { isGone } from './connection.ts';
import { UpstreamFault } from './fault.ts';
import { type Delivery, outgoingOf, tryEach } from './forward.ts';
import { flawInAccept } from './handshake.ts';
import { fieldValues } from './head.ts';
import { returnedHeaders } from './headers.ts';
import { type Delivered, type Relay, rawText, relayAnswer } from './relay.ts';
import { EarlyBytes } from './request-body.ts';
import { noteStreamed } from './streamed.ts';
import type { Target } from './targets.ts';
import { tracedDelivery } from './tracing.ts';

/** How soon a peer that has gone without a word is noticed; nothing else ends a WebSocket that is silent. */
const probeAfterMs = 30_000;

/** What one end may still send after the other has said that it is done. */
const lingerMs = 10_000;

/**
 * Resolves when the connection is over, or what was answered instead is out.
 *
 * @throws UpstreamFault while nothing has been sent; EarlyBytes, the caller's doing.
 */
export function deliverUpgrade(delivery: Delivery): Promise<Delivered> {
  const { permit, upstream } = delivery;
  if (!permit.route.websocket) throw new Error('an upgrade on a row that grants none');
  const first = upstream.targets.choose();
  if (first === null) throw new UpstreamFault('upstream_unreachable', 'the upstream has no url');
  return upstream.targets.all.length === 1 ? handshake(delivery, first) : tryEach(delivery, first, handshake);
}

function handshake(delivery: Delivery, target: Target): Promise<Delivered> {
  const { req, res, permit, rules, upstream } = delivery;
  const call = delivery.trace?.call(upstream.settings.name, target);
  const request = outgoingOf(delivery, target, call);
  const delivering = new Promise<Delivered>((resolve, reject) => {
    const { idleMs } = upstream.settings;
    const relay: Relay = { res, req, permit, rules, idleMs, close: () => true, resolve, reject };
    // Said at once: the end of a WebSocket tells nothing of its url.
    const switched = () => upstream.targets.succeeded(target);
    target.pool.dispatch(
      { ...request, body: null, upgrade: 'websocket' },
      new HandshakeRelay(relay, switched),
    );
  });
  return call === undefined ? delivering : tracedDelivery(delivering, call);
}

/** Hands everything but the 101 to the relay of ordinary answers. */
class HandshakeRelay implements Dispatcher.DispatchHandler {
  readonly #relay: Relay;
  readonly #switched: () => void;
  readonly #caller: Socket;
  readonly #answer: Dispatcher.DispatchHandler;
  #controller: Dispatcher.DispatchController | null = null;
  #spoilt: Error | null = null;

  constructor(relay: Relay, switched: () => void) {
    this.#relay = relay;
    this.#switched = switched;
    this.#caller = relay.req.socket;
    this.#answer = relayAnswer(relay);
    this.#caller.on('data', this.#early);
    this.#caller.once('end', this.#left);
  }

  /** RFC 6455 §4.1: the client waits for the answer. Bytes it did not hold back must reach nobody (RFC 9931). */
  readonly #early = (): void => {
    if (this.#spoilt !== null || this.#relay.res.headersSent) return;
    this.#spoilt = new EarlyBytes();
    this.#controller?.abort(this.#spoilt);
    this.#relay.reject(this.#spoilt);
  };

  readonly #left = (): void => {
    if (!this.#relay.res.headersSent) this.#caller.destroy();
  };

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#controller = controller;
    if (this.#spoilt === null) this.#answer.onRequestStart?.(controller, context);
    else controller.abort(this.#spoilt);
  }

  onRequestSent(): void {
    this.#answer.onRequestSent?.();
  }

  onResponseStart(...start: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#answer.onResponseStart?.(...start);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#answer.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...end: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#answer.onResponseEnd?.(...end);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#spoilt === null) this.#answer.onResponseError?.(controller, error);
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _status: number,
    _headers: unknown,
    upstream: Duplex,
  ): void {
    // undici takes its own listeners off before it hands over a socket.
    upstream.on('error', () => upstream.destroy());
    const { res, req, permit, rules, resolve, reject } = this.#relay;
    if (this.#spoilt !== null || isGone(res)) {
      upstream.destroy();
      return;
    }
    const raw = rawText(controller.rawHeaders);
    const flaw = flawInAccept(raw, fieldValues(req.rawHeaders, 'sec-websocket-key')[0] ?? '');
    if (flaw !== null) {
      upstream.destroy();
      reject(new UpstreamFault('upstream_protocol_error', flaw));
      return;
    }
    this.#switched();
    const headers = returnedHeaders({ raw, permit, rules });
    headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
    const caller = this.#caller;
    res.writeHead(101, headers);
    res.flushHeaders();
    res.detachSocket(caller);
    // From here on its end is the end of the tunnel, not of an answer.
    res.removeAllListeners('close');
    caller.off('data', this.#early);
    caller.off('end', this.#left);
    join(caller, upstream as Socket, (broken) => resolve({ status: 101, bytes: 0, aborted: broken }));
  }
}

/** Pipes both ways until both ends are closed. `done` hears whether one broke off before it said that it was done. */
function join(caller: Socket, upstream: Socket, done: (broken: boolean) => void): void {
  let open = 2;
  let broken = false;
  let linger: NodeJS.Timeout | undefined;
  const pass = (from: Socket, to: Socket): void => {
    // The end of one direction is not the end of the other.
    from.allowHalfOpen = true;
    from.setTimeout(0);
    from.setNoDelay(true);
    from.setKeepAlive(true, probeAfterMs);
    from.on('data', (chunk: Buffer) => noteStreamed(chunk.length));
    from.once('end', () => {
      linger ??= setTimeout(() => {
        from.destroy();
        to.destroy();
      }, lingerMs);
    });
    from.once('close', () => {
      if (!from.readableEnded || !from.writableFinished) {
        broken = true;
        to.destroy();
      }
      if (--open > 0) return;
      clearTimeout(linger);
      done(broken);
    });
    from.pipe(to);
  };
  pass(caller, upstream);
  pass(upstream, caller);
}
