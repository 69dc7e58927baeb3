/**
 * Delivery: takes a `Permit`, streams the request to its upstream and the answer back, with
 * back-pressure and aborts both ways. Builds no web streams; changes no body byte.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Permit, Policy } from '../policy/types.ts';
import type { Field } from './answer.ts';
import { isGone } from './connection.ts';
import type { Cut } from './credential.ts';
import { UpstreamFault } from './fault.ts';
import type { Hops } from './forwarded.ts';
import type { Framing } from './head.ts';
import { type HeaderRules, outgoingHeaders } from './headers.ts';
import { observedAnswer } from './observed-relay.ts';
import type { Observer } from './observer.ts';
import { type Delivered, type Relay, relayAnswer } from './relay.ts';
import { cappedBody } from './request-body.ts';
import { carries } from './strict-client.ts';
import type { Target } from './targets.ts';
import { type CallTrace, type RequestTrace, tracedDelivery } from './tracing.ts';
import type { Upstream } from './upstream.ts';

export type Delivery = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly permit: Permit;
  readonly cut: Cut;
  readonly hops: Hops | null;
  readonly framing: Framing;
  /** The whole body, where it was read before; null: it streams, if there is one. */
  readonly body: Uint8Array | null;
  readonly policy: Policy;
  /** The signed statement of who calls; null: none is asked for, or nobody is known. */
  readonly assertion: Field | null;
  readonly rules: HeaderRules;
  readonly upstream: Upstream;
  /** Whom a 2xx concerns before the caller hears of it; null: nobody. */
  readonly observer: Observer | null;
  /** Whether this connection must end with this answer. */
  readonly close: () => boolean;
  /** undefined: it is not traced. */
  readonly trace: RequestTrace | undefined;
};

/**
 * Resolves when the answer is out or cut.
 *
 * @throws UpstreamFault while nothing has been sent; BodyTooLarge or RequestStalled, the caller's doing in mid-stream.
 */
export function deliver(delivery: Delivery): Promise<Delivered> {
  const { targets } = delivery.upstream;
  const first = targets.choose();
  if (first === null) throw new UpstreamFault('upstream_unreachable', 'the upstream has no url');
  return targets.all.length === 1 ? attempt(delivery, first) : tryEach(delivery, first, attempt);
}

type Attempt = (delivery: Delivery, target: Target) => Promise<Delivered>;

/** Goes on to the next url only where the last one cannot have seen the request, and a repeat would do no harm. */
export async function tryEach(delivery: Delivery, first: Target, attempt: Attempt): Promise<Delivered> {
  const { targets } = delivery.upstream;
  const tried = [first];
  for (let target = first; ; tried.push(target)) {
    try {
      const delivered = await counted(delivery, target, attempt);
      if (!delivered.aborted) targets.succeeded(target);
      return delivered;
    } catch (error) {
      if (!(error instanceof UpstreamFault)) throw error;
      if (error.answered) targets.succeeded(target);
      else targets.failed(target, error.message);
      const next =
        error.unsent && isRepeatable(delivery) && !isGone(delivery.res) ? targets.choose(tried) : null;
      if (next === null) throw error;
      target = next;
    }
  }
}

function counted(delivery: Delivery, target: Target, attempt: Attempt): Promise<Delivered> {
  target.outstanding++;
  return attempt(delivery, target).finally(() => {
    target.outstanding--;
  });
}

/** RFC 9110 §9.2.2: methods that may be sent again; and a body could be sent only once. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

function isRepeatable({ permit, framing }: Delivery): boolean {
  return !framing.hasBody && idempotent.has(permit.facts.method);
}

function attempt(delivery: Delivery, target: Target): Promise<Delivered> {
  const { req, res, permit, framing, upstream, rules, observer } = delivery;
  const call = delivery.trace?.call(upstream.settings.name, target);
  const request = outgoingOf(delivery, target, call);
  const delivering = new Promise<Delivered>((resolve, reject) => {
    const body = delivery.body ?? (framing.hasBody ? bodyOf(delivery) : null);
    const relay: Relay = {
      res,
      req,
      permit,
      rules,
      idleMs: upstream.settings.idleMs,
      close: delivery.close,
      resolve,
      reject,
    };
    const handler = observer === null ? relayAnswer(relay) : observedAnswer(relay, observer);
    const { strict, pool } = target;
    if (strict !== null && carries(request.method, body)) strict.dispatch({ ...request, body }, handler);
    else pool.dispatch({ ...request, body }, handler);
  });
  return call === undefined ? delivering : tracedDelivery(delivering, call);
}

/** RFC 9110 §12.5.3: an answer that we are to read should come without a content coding. */
function askPlain(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i]?.toLowerCase() === 'accept-encoding') headers.splice(i, 2);
  }
  headers.push('Accept-Encoding', 'identity');
}

/** The request as this url of the upstream gets it, without its body. */
export function outgoingOf(delivery: Delivery, target: Target, call: CallTrace | undefined) {
  const { req, permit, cut, hops, framing, upstream, policy, rules, observer } = delivery;
  const { facts } = permit;
  const path = target.basePath + facts.path + (cut.query === null ? '' : `?${cut.query}`);
  const headers = outgoingHeaders({
    rawHeaders: req.rawHeaders,
    httpVersion: req.httpVersion,
    permit,
    cut,
    hops,
    policy,
    assertion: delivery.assertion,
    rules,
    host: upstream.settings.preserveHost ? null : target.host,
    contentLength: delivery.body !== null ? delivery.body.length : framing.hasBody ? framing.bytes : null,
  });
  if (observer?.readsBody === true) askPlain(headers);
  if (call !== undefined) call.stamp(headers);
  // Whose certificate is asked for never depends on a request: undici would read it from Host.
  return { method: facts.method as 'GET', path, headers, servername: target.host };
}

/**
 * A body of known length is bounded by its framing; a chunked one is counted as it passes. undici leaves the
 * connection of a request it destroys alone, `pipeline` would not: and a 413 has to go out on it.
 */
function bodyOf({ req, permit, framing }: Delivery): Readable {
  const max = permit.route.bodyBytesMax;
  return framing.bytes !== null || max === null ? req : req.pipe(cappedBody(max));
}
