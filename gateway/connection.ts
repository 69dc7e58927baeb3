/**
 * What must be known of a caller's connection beyond one exchange: whether it has ended, and whether the
 * caller is still there. Asks the socket noted at the door, for a message forgets its own when it is destroyed.
 */
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const sockets = new WeakMap<ServerResponse, Duplex>();
const last = new WeakSet<ServerResponse>();
const ended = new WeakSet<Duplex>();

/** The door calls this before anything else of an exchange. */
export function noteConnection(res: ServerResponse, socket: Duplex): void {
  sockets.set(res, socket);
}

/**
 * Makes this exchange the last on its connection (RFC 9112 §9.6). Node goes on parsing what was sent
 * behind the request; the front door asks `hasEnded` and takes none of it for a request.
 */
export function endConnection(res: ServerResponse): void {
  last.add(res);
  const socket = sockets.get(res);
  if (socket !== undefined) ended.add(socket);
}

/** Whether this answer must say `Connection: close`. Others on the connection, sent before it, must not. */
export function isLast(res: ServerResponse): boolean {
  return last.has(res);
}

/** Whether what arrives on this connection now is no request any more. */
export function hasEnded(socket: Duplex): boolean {
  return ended.has(socket);
}

/** Whether nobody is there to hear an answer. */
export function isGone(res: ServerResponse): boolean {
  return res.destroyed || sockets.get(res)?.destroyed !== false;
}

/** A request before this is still being answered: words of ours would be taken for that answer. */
export function isAnswering(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage !== null && socket._httpMessage !== undefined;
}

/** Ends an exchange in a way that no caller takes for a proper end, whatever it speaks by now. */
export function cutConnection(res: ServerResponse): void {
  const socket = sockets.get(res);
  if (socket instanceof Socket) socket.resetAndDestroy();
  res.destroy();
}
