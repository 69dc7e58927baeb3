/**
 * The front door: node's server, its limits and timeouts, and the hand-over to Hono. The raw
 * target is judged before any framework sees it.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { Network } from '../policy/types.ts';
import type { Account } from './access-log.ts';
import { writeResponse, writeSocket } from './answer.ts';
import { endConnection, hasEnded, isAnswering, noteConnection } from './connection.ts';
import { exchange } from './exchange.ts';
import type { Gate, Visit } from './gate.ts';
import { expectsMore, fieldValues, type Head, headOf } from './head.ts';
import { type RefusalCode, refusalAnswer } from './refusals.ts';
import { readArrival, wordingHost } from './request.ts';
import { aheadMax, isAhead, takeInTurn } from './turns.ts';
import { admitUpgrade, grantsUpgrade } from './upgrade.ts';

/** What the door has found out about a request, on its way through Hono. */
const judged = Symbol('judged');
type Judged = IncomingMessage & { [judged]?: Visit };

type Bindings = { Bindings: { incoming: Judged; outgoing: ServerResponse } };

/** Long enough for a slow phone, short enough that slow heads do not pile up. */
const headersTimeoutDefaultMs = 10_000;

export type Door = {
  readonly headerBytesMax: number;
  /** Whose word about the caller is believed. */
  readonly trustedProxies: readonly Network[];
  /** How long a head may take to arrive. */
  readonly headersTimeoutMs?: number | undefined;
};

export function createFrontDoor(gate: Gate, door: Door): Server {
  const { headersTimeoutMs = headersTimeoutDefaultMs } = door;
  const listener = getRequestListener(carrier(gate).fetch, {
    overrideGlobalObjects: false,
    autoCleanupIncoming: false,
  });
  const admitHead = (req: Judged, res: ServerResponse, awaitsContinue: boolean): void => {
    if (!isItsTurn(gate, req, res, () => admitHead(req, res, awaitsContinue))) return;
    noteConnection(res, req.socket);
    const head = headOf(req);
    // Reset before we got here: a request without an address is nobody's.
    if (head.peer === '') {
      req.socket.destroy();
      return;
    }
    // Node loses what follows an Upgrade that it does not grant, up to the next read: nobody can say where a
    // next request would begin.
    if (fieldValues(head.rawHeaders, 'upgrade').length > 0) endConnection(res);
    const { requestId, hops, facts } = readArrival(head, door.trustedProxies);
    if (facts.ok) {
      req[judged] = { req, res, head, facts: facts.value, hops, awaitsContinue };
      void listener(req, res);
      return;
    }
    const { code, reason } = facts.denial;
    // A message whose framing is in doubt is the last one on its connection.
    const style = gate.site().policy.styleFor(wordingHost(head));
    const answer = refusalAnswer({ code, requestId, realm: 'postern', denial: facts.denial, style });
    writeResponse(res, answer, true);
    accountDoor(gate, code, answer.status, requestId, head, reason);
  };
  const server = createServer(
    {
      maxHeaderSize: door.headerBytesMax,
      headersTimeout: headersTimeoutMs,
      requestTimeout: 0,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
      requireHostHeader: false,
      insecureHTTPParser: false,
      noDelay: true,
      shouldUpgradeCallback: (req) => grantsUpgrade(req, gate.site().policy),
    },
    (req, res) => admitHead(req, res, false),
  );
  server.maxHeadersCount = 0;
  server.on('checkContinue', (req, res) => {
    // Node comes here too where 100-continue is only one of several expectations.
    if (expectsMore(req.rawHeaders)) refuseAtDoor(gate, 'expectation_failed', req, res);
    else admitHead(req, res, true);
  });
  server.on('checkExpectation', (req, res) => refuseAtDoor(gate, 'expectation_failed', req, res));
  server.on('upgrade', (req, socket, early) => {
    const at = { server, gate, trustedProxies: door.trustedProxies };
    if (admitUpgrade(at, req, socket, early)) return;
    answerSocket(gate, 'request_malformed', socket, {
      reason: 'bytes behind a handshake that was not answered yet',
      host: wordingHost(headOf(req)),
    });
  });
  server.on('connect', (_req, socket) => onClientError(gate, new Error('CONNECT'), socket));
  server.on('clientError', (error, socket) => onClientError(gate, error, socket));
  return server;
}

/** Hono carries every proxied request as one handler, on node's own objects. */
function carrier(gate: Gate): Hono<Bindings> {
  const app = new Hono<Bindings>();
  app.all('*', (c) => {
    const { incoming, outgoing } = c.env;
    const visit = incoming[judged];
    if (visit === undefined) outgoing.destroy();
    else void exchange(visit, gate);
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}

/** false: `take` is called when its turn has come, if it comes. */
function isItsTurn(gate: Gate, req: IncomingMessage, res: ServerResponse, take: () => void): boolean {
  if (hasEnded(req.socket)) return false;
  if (!isAhead(res)) return true;
  if (takeInTurn(req.socket, res, take)) return false;
  const reason = `${aheadMax} requests, or 64 KiB of their heads, wait on this connection already`;
  accountDoor(gate, 'overloaded', 0, randomUUID(), headOf(req), reason);
  return false;
}

function refuseAtDoor(gate: Gate, code: RefusalCode, req: IncomingMessage, res: ServerResponse): void {
  if (!isItsTurn(gate, req, res, () => refuseAtDoor(gate, code, req, res))) return;
  noteConnection(res, req.socket);
  const requestId = randomUUID();
  const head = headOf(req);
  const style = gate.site().policy.styleFor(wordingHost(head));
  const answer = refusalAnswer({ code, requestId, realm: 'postern', style });
  writeResponse(res, answer, true);
  accountDoor(gate, code, answer.status, requestId, head, code);
}

/** What node's parser would not even call a request. */
function onClientError(gate: Gate, error: Error, socket: Duplex): void {
  const code = 'code' in error ? String(error.code) : '';
  if (code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) {
    socket.destroy();
    return;
  }
  if (code === 'HPE_HEADER_OVERFLOW') answerSocket(gate, 'header_too_large', socket);
  else if (code === 'ERR_HTTP_REQUEST_TIMEOUT') answerSocket(gate, 'request_timeout', socket);
  else answerSocket(gate, 'request_malformed', socket);
}

/** `host` null: there is no head to read one from. */
const unread = { reason: 'not parsed as HTTP', host: null };

function answerSocket(
  gate: Gate,
  code: RefusalCode,
  socket: Duplex,
  { reason, host }: { readonly reason: string; readonly host: string | null } = unread,
): void {
  const requestId = randomUUID();
  const style = gate.site().policy.styleFor(host);
  const answer = refusalAnswer({ code, requestId, realm: 'postern', style });
  writeSocket(socket, answer);
  const peer = 'remoteAddress' in socket ? String(socket.remoteAddress) : '';
  const head: Head = { method: '', target: '', httpVersion: '', rawHeaders: [], peer };
  accountDoor(gate, code, answer.status, requestId, head, reason);
}

function accountDoor(
  gate: Gate,
  code: RefusalCode,
  status: number,
  requestId: string,
  head: Head,
  reason: string,
): void {
  const account: Account = {
    requestId,
    method: head.method,
    route: null,
    status,
    code,
    reason,
    tokenId: null,
    tokenType: null,
    address: head.peer,
    durationMs: 0,
    aborted: status === 0,
  };
  gate.account(account, null, undefined);
}
