/**
 * One request from socket to account: asks the walk, then delivers, answers or refuses. Catches
 * every fault itself, for nothing above it would answer the caller.
 */

import type { IncomingMessage } from 'node:http';
import { isHidden } from '../policy/denial.ts';
import { styleOf } from '../policy/host-style.ts';
import type { Denial, LimitState, Permit, Policy, RequestFacts, Route, RowSet } from '../policy/types.ts';
import type { Account } from './access-log.ts';
import { type Answer, type Field, writeResponse } from './answer.ts';
import { BodyBuffer, CallerLeft } from './body-buffer.ts';
import { isGone } from './connection.ts';
import { corsFields, preflightAnswer } from './cors.ts';
import { withoutCuts, withoutDigests } from './cut-body.ts';
import { type Fault, faultOf, UpstreamFault } from './fault.ts';
import { deliver } from './forward.ts';
import type { Gate, Visit } from './gate.ts';
import { framingOf, type Head } from './head.ts';
import { readHeld } from './held-body.ts';
import { observerFor } from './observer.ts';
import { rateLimitFields } from './ratelimit-fields.ts';
import { type RefusalCode, refusalAnswer } from './refusals.ts';
import type { Delivered } from './relay.ts';
import { BodyTooLarge, EarlyBytes, RequestStalled } from './request-body.ts';
import { servedIdleMs, serveRow } from './serve.ts';
import type { Site } from './site.ts';
import { deliverUpgrade } from './tunnel.ts';
import type { Upstream } from './upstream.ts';
import type { Watch } from './vigil.ts';
import { type Footing, type Rooms, type Ruling, walk } from './walk.ts';

/** Bodies up to this are read to their end behind a refusal, so that the connection can live on. */
const readOnBytesMax = 64 * 1024;
const readOnMs = 10_000;

type Ending = {
  readonly status: number;
  readonly code?: RefusalCode;
  readonly reason?: string;
  readonly aborted?: boolean;
};

/** Whom an answer is for, and by whose rules it is worded. */
type Scene = { readonly visit: Visit; readonly gate: Gate; readonly policy: Policy };

/** What a walk has read of a body; it is let go when the exchange is over. */
type Hold = { buffer: BodyBuffer | null };

/** Never rejects. */
export async function exchange(arrived: Visit, gate: Gate): Promise<void> {
  const trace = gate.tracing === null ? null : gate.tracing.begin(arrived);
  const visit = trace === null ? arrived : { ...arrived, trace };
  const { facts } = visit;
  const { life } = gate;
  const startedMs = performance.now();
  const footing: Footing = { route: null, token: null };
  const hold: Hold = { buffer: null };
  const site = gate.site();
  let ruling: Ruling | null = null;
  let ending: Ending;
  const scene = { visit, gate, policy: site.policy };
  life.begin();
  site.visits.begin();
  try {
    if (life.phase === 'closing') {
      ending = refuse(
        scene,
        { code: 'draining', reason: 'closed to new requests', retryAfterMs: null },
        null,
      );
    } else {
      ruling = await walk(visit.head, facts, roomsOf(site, gate, visit, hold, footing), undefined, footing);
      ending = await carryOut(ruling, scene, site);
    }
  } catch (error) {
    ending = answerFault(error, ruling, footing.route, scene);
  } finally {
    hold.buffer?.release();
    site.visits.end();
    life.end();
  }
  const { token, unverified, monitored, canary } = footing;
  const account: Account = {
    requestId: facts.requestId,
    method: facts.method,
    route: (routeOf(ruling) ?? footing.route)?.id ?? null,
    status: ending.status,
    code: ending.code ?? null,
    reason: ending.reason ?? null,
    tokenId: token?.id ?? null,
    tokenType: token?.type ?? unverified ?? null,
    address: facts.address,
    durationMs: performance.now() - startedMs,
    aborted: ending.aborted ?? false,
    ...(unverified !== undefined && { unverified: true }),
    ...(monitored && { monitored }),
    ...(canary && { canary: canary.id }),
  };
  gate.account(account, facts.origin, footing.bundle);
  if (trace !== null) trace.end(account);
}

function roomsOf(site: Site, gate: Gate, visit: Visit, hold: Hold, footing: Footing): Rooms {
  const { tokens, limiter, pins, now } = gate;
  const readByThen = visit.req.socket.bytesRead;
  const body: Rooms['body'] = (route, { bytesMax }) => {
    const idleMs = route.serve === null ? upstreamOf(route, site).settings.idleMs : servedIdleMs;
    hold.buffer = new BodyBuffer(gate.bodies);
    return readHeld(hold.buffer, visit, footing.token, { bytesMax, idleMs, readByThen }, gate);
  };
  const { triggerKeys } = site.config;
  return { policy: site.policy, tokens, limiter, failures: site.failures, body, pins, triggerKeys, now };
}

function carryOut(ruling: Ruling, scene: Scene, site: Site): Ending | Promise<Ending> {
  const { visit, gate } = scene;
  switch (ruling.kind) {
    case 'preflight':
      return write(visit, gate, preflightAnswer(ruling.preflight, visit.facts.requestId));
    case 'own':
      if (ruling.endpoint === 'leaks') return takeLeaks(scene, site);
      if (site.signer === null) throw new Error('no keys to publish');
      return write(visit, gate, site.signer.jwks(visit.facts.requestId));
    case 'refuse':
      return refuse(scene, ruling.denial, ruling.route, ruling.states, ruling.rows);
    case 'forward':
      return forward(ruling, visit, site, gate);
    case 'serve':
      return serve(ruling, scene, site);
  }
}

async function takeLeaks(scene: Scene, site: Site): Promise<Ending> {
  const { visit, gate } = scene;
  const taken = await gate.leaks.take(visit, site);
  return taken.ok ? write(visit, gate, taken.value) : refuse(scene, taken.denial, null);
}

async function serve(ruling: Extract<Ruling, { kind: 'serve' }>, scene: Scene, site: Site): Promise<Ending> {
  const { visit, gate } = scene;
  const { route, states } = ruling.permit;
  const served = await serveRow(ruling, visit, site, gate);
  if (served === null) return { status: 0, aborted: true };
  if (!served.ok) return refuse(scene, served.denial, route, states);
  const { fields, ...answer } = served.value;
  return write(visit, gate, { ...answer, fields: [...fields, ...rowFields(route, visit.facts, states)] });
}

function upstreamOf(route: Route, site: Site): Upstream {
  const upstream = site.upstreams.get(route.upstream);
  if (upstream === undefined) throw new UpstreamFault('upstream_unreachable', 'no such upstream');
  return upstream;
}

async function forward(
  { permit, cut, body, bodyCuts }: Extract<Ruling, { kind: 'forward' }>,
  { req, res, head, hops, awaitsContinue, upgrade, trace }: Visit,
  site: Site,
  gate: Gate,
): Promise<Ending> {
  const upstream = upstreamOf(permit.route, site);
  // Left while we looked a token up or counted: nobody would hear the end of it.
  if (isGone(res)) return { status: 0, aborted: true };
  // Before anything is sent: what cannot be signed must not arrive unsigned.
  const assertion = site.signer === null ? null : site.signer.fieldFor(permit);
  const place = upstream.places.take(permit);
  if (permit.token !== null) gate.tokens.touch(permit.token.id, gate.now());
  if (awaitsContinue && body === null) res.writeContinue();
  const isCut = body !== null && bodyCuts.length > 0;
  const startedMs = performance.now();
  const watch = permit.token === null ? null : gate.vigil.begin(permit.token.id, res);
  let delivered: Delivered;
  try {
    delivered = await (upgrade === true ? deliverUpgrade : deliver)({
      req,
      res,
      permit,
      cut: isCut ? withoutDigests(cut) : cut,
      hops,
      framing: framingOf(head.rawHeaders),
      body: isCut ? withoutCuts(body, bodyCuts) : body,
      policy: site.policy,
      assertion,
      rules: site.rules,
      upstream,
      observer: permit.observing === null ? null : observe(permit, head, site, gate, watch),
      close: () => gate.life.phase !== 'serving',
      trace,
    });
  } finally {
    upstream.places.leave(place);
    if (watch !== null) gate.vigil.end(watch);
  }
  gate.upstreamSeconds(permit.route.upstream, (performance.now() - startedMs) / 1000);
  const lost = watch?.cut ?? null;
  if (lost !== null) return { status: delivered.status, aborted: true, code: lost.code, reason: lost.reason };
  return { status: delivered.status, aborted: delivered.aborted };
}

/** The row's upstream may end the very token that asks: its own answer is not cut for that. */
function observe(permit: Permit, { rawHeaders }: Head, { policy }: Site, gate: Gate, watch: Watch | null) {
  const onSettled = () => watch !== null && gate.vigil.end(watch);
  return observerFor(permit, gate.observing, { policy, rawHeaders, onSettled });
}

function answerFault(error: unknown, ruling: Ruling | null, route: Route | null, scene: Scene): Ending {
  const { visit, gate } = scene;
  if (error instanceof CallerLeft) {
    const { lost } = error;
    return { status: 0, aborted: true, ...(lost && { code: lost.code, reason: lost.reason }) };
  }
  const states = ruling !== null && 'permit' in ruling ? ruling.permit.states : [];
  try {
    if (error instanceof BodyTooLarge || error instanceof RequestStalled || error instanceof EarlyBytes) {
      return refuse(scene, { code: error.code, reason: error.message }, route, states);
    }
    const fault = faultOf(error);
    if (fault.code === 'internal_error') gate.bug(error, visit.facts.requestId);
    return refuse(scene, fault, route, states);
  } catch (second) {
    // Not even a refusal could be written: the connection is all that is left to end.
    gate.bug(second, visit.facts.requestId);
    visit.res.destroy();
    return { status: 0, code: 'internal_error', aborted: true };
  }
}

/** Words a denial or a fault for this caller; both end here. */
function refuse(
  { visit, gate, policy }: Scene,
  no: Denial | Fault,
  route: Route | null,
  states: readonly LimitState[] = [],
  rows: RowSet = [],
): Ending {
  const { facts } = visit;
  // A bind that hides behind 404 shows nothing of its row.
  const shown = isHidden(no) ? null : route;
  const answer = refusalAnswer({
    code: no.code,
    requestId: facts.requestId,
    realm: shown?.api ?? 'postern',
    denial: no,
    style: styleOf(policy, facts.host, no, route, rows),
    fields: rowFields(shown, facts, isHidden(no) ? [] : states),
  });
  return { ...write(visit, gate, answer), code: no.code, reason: no.reason };
}

function write({ req, res, head, awaitsContinue }: Visit, { life }: Gate, answer: Answer): Ending {
  const held = awaitsContinue && !(req.complete && req.readableDidRead);
  const close = life.phase !== 'serving' || held || !readsOn(req, head);
  writeResponse(res, answer, close);
  if (!close && !req.complete) readOn(req);
  return { status: answer.status };
}

/** Whether the rest of the body is small and certain to come, so that node may read past it. */
function readsOn(req: IncomingMessage, head: Head): boolean {
  if (req.complete) return true;
  // Begun to be forwarded: what is left of it belongs to no one.
  if (req.readableDidRead || req.destroyed) return false;
  const { hasBody, bytes } = framingOf(head.rawHeaders);
  return !hasBody || (bytes !== null && bytes <= readOnBytesMax);
}

/** Reads past the rest of a body, so that the next request can be seen; a caller who dawdles loses the connection. */
function readOn(req: IncomingMessage): void {
  const { socket } = req;
  const timer = setTimeout(() => socket?.destroy(), readOnMs).unref();
  req.once('close', () => clearTimeout(timer));
  req.resume();
}

/** What a row adds to answers of ours, so that browsers and clients can read them. */
function rowFields(
  route: Route | null,
  facts: RequestFacts,
  states: readonly LimitState[],
): readonly Field[] {
  const fields: Field[] = [...rateLimitFields(states)];
  if (route !== null && route.cors !== null) {
    fields.push(...corsFields(route.cors, facts.origin), ['Vary', 'Origin']);
  }
  return fields;
}

function routeOf(ruling: Ruling | null): Route | null {
  if (ruling?.kind === 'forward' || ruling?.kind === 'serve') return ruling.permit.route;
  return ruling?.kind === 'refuse' ? ruling.route : null;
}
