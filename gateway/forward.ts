/**
 * Delivery: takes a `Permit`, streams the request to its upstream and the answer back, with
 * back-pressure and aborts both ways. Builds no web streams; changes no body byte.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import type { Permit, Policy } from '../policy/types.ts';
import { cappedBody } from './body-cap.ts';
import type { Cut } from './credential.ts';
import type { Framing } from './head.ts';
import { type HeaderRules, outgoingHeaders } from './headers.ts';
import { type Delivered, relayAnswer } from './relay.ts';
import type { Upstream } from './upstream.ts';

export type Delivery = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly permit: Permit;
  readonly cut: Cut;
  readonly framing: Framing;
  readonly policy: Policy;
  readonly rules: HeaderRules;
  readonly upstream: Upstream;
  /** Whether this connection must end with this answer. */
  readonly close: () => boolean;
};

/**
 * Resolves when the answer is out or cut.
 *
 * @throws UpstreamFault while nothing has been sent; BodyTooLarge if a chunked body outgrew its cap.
 */
export function deliver(delivery: Delivery): Promise<Delivered> {
  const { req, permit, cut, framing, upstream, policy, rules } = delivery;
  const { facts } = permit;
  const path = upstream.settings.basePath + facts.path + (cut.query === null ? '' : `?${cut.query}`);
  const headers = outgoingHeaders({
    rawHeaders: req.rawHeaders,
    httpVersion: req.httpVersion,
    permit,
    cut,
    policy,
    rules,
    host: upstream.host,
    contentLength: framing.hasBody ? framing.bytes : null,
  });
  return new Promise((resolve, reject) => {
    const body = framing.hasBody ? bodyOf(delivery) : null;
    const handler = relayAnswer({
      res: delivery.res,
      req,
      permit,
      rules,
      close: delivery.close,
      resolve,
      reject,
    });
    upstream.pool.dispatch({ method: facts.method as 'GET', path, headers, body }, handler);
  });
}

/** A body of known length is bounded by its framing; a chunked one is counted as it passes. */
function bodyOf({ req, permit, framing }: Delivery): Readable {
  const max = permit.route.bodyBytesMax;
  if (framing.bytes !== null || max === null) return req;
  const counted = cappedBody(max);
  pipeline(req, counted, () => {});
  return counted;
}
