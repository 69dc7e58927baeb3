/**
 * Upgrades at the door: which are granted at all, and how a connection that node has let go of becomes a visit
 * like any other. An upgrade that is not granted stays an ordinary request.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { chooseRow, rowSet } from '../policy/rows.ts';
import type { Network, Policy } from '../policy/types.ts';
import { endConnection, hasEnded, isAnswering, noteConnection } from './connection.ts';
import { exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import { isHandshake } from './handshake.ts';
import { type Head, headOf } from './head.ts';
import { readArrival, readFacts } from './request.ts';

/** Connections that node's server does not count as its own any more. */
const upgraded = new WeakMap<Server, Set<Duplex>>();

/** Whether a request with Upgrade is a WebSocket handshake on a row that grants one. Decides nothing else. */
export function grantsUpgrade(req: IncomingMessage, policy: Policy): boolean {
  // Behind an answer that is still going out, or behind the last request of its connection.
  if (isAnswering(req.socket) || hasEnded(req.socket)) return false;
  const head = headOf(req);
  return isHandshake(head) && leadsToSocketRow(head, policy);
}

function leadsToSocketRow(head: Head, policy: Policy): boolean {
  const facts = readFacts(head, '');
  if (!facts.ok) return false;
  const rows = rowSet(policy, facts.value);
  if (!rows.ok) return false;
  const match = chooseRow(rows.value, facts.value);
  return match.ok && match.value.route.websocket;
}

/** Where an upgrade came in. */
export type DoorWay = {
  readonly server: Server;
  readonly gate: Gate;
  readonly trustedProxies: readonly Network[];
};

/**
 * Takes a granted upgrade through the same exchange as every request. Until the upstream's own 101 the caller
 * is spoken to as in HTTP, and its connection ends with whatever else it is answered.
 *
 * @returns false: the caller did not wait for the answer, and nothing was done.
 */
export function admitUpgrade(
  { server, gate, trustedProxies }: DoorWay,
  req: IncomingMessage,
  socket: Duplex,
  early: Buffer,
): boolean {
  // Node takes its own listener off before it hands over a socket; a reset must not end the process.
  socket.on('error', () => socket.destroy());
  track(server, socket);
  if (early.length > 0) return false;
  const head = headOf(req);
  const { hops, facts } = readArrival(head, trustedProxies);
  // Reset before we got here, or not what was granted a moment ago.
  if (head.peer === '' || !facts.ok) {
    socket.destroy();
    return true;
  }
  const res = new ServerResponse(req);
  const connection = req.socket;
  res.assignSocket(connection);
  // Node tells an answer no longer that its socket has room again.
  connection.on('drain', () => res.emit('drain'));
  res.once('finish', () => {
    res.detachSocket(connection);
    connection.destroySoon();
  });
  noteConnection(res, socket);
  endConnection(res);
  void exchange({ req, res, head, facts: facts.value, hops, awaitsContinue: false, upgrade: true }, gate);
  return true;
}

function track(server: Server, socket: Duplex): void {
  const sockets = upgraded.get(server) ?? new Set();
  upgraded.set(server, sockets);
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** What `closeAllConnections` leaves open. */
export function closeUpgraded(server: Server): void {
  for (const socket of upgraded.get(server) ?? []) socket.destroy();
}
