/**
 * What must be known of a caller's connection beyond one exchange: whether it has ended, and whether the
 * caller is still there. Asks the socket noted at the door, for a message forgets its own when it is destroyed.
 */
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Kept on node's own objects: a WeakMap of every request under way costs the collector more than all else we do with it.
 */
const connection = Symbol('connection');
const last = Symbol('last');
const ended = Symbol('ended');

type Answering = ServerResponse & { [connection]?: Duplex; [last]?: true };
type Ending = Duplex & { [ended]?: true };

/** The door calls this before anything else of an exchange. */
export function noteConnection(res: Answering, socket: Duplex): void {
  res[connection] = socket;
}

/**
 * Makes this exchange the last on its connection (RFC 9112 §9.6). Node goes on parsing what was sent
 * behind the request; the front door asks `hasEnded` and takes none of it for a request.
 */
export function endConnection(res: Answering): void {
  res[last] = true;
  const socket: Ending | undefined = res[connection];
  if (socket !== undefined) socket[ended] = true;
}

/** Whether this answer must say `Connection: close`. Others on the connection, sent before it, must not. */
export function isLast(res: Answering): boolean {
  return res[last] === true;
}

/** Whether what arrives on this connection now is no request any more. */
export function hasEnded(socket: Ending): boolean {
  return socket[ended] === true;
}

/** Whether nobody is there to hear an answer. */
export function isGone(res: Answering): boolean {
  return res.destroyed || res[connection]?.destroyed !== false;
}

/** A request before this is still being answered: words of ours would be taken for that answer. */
export function isAnswering(socket: Duplex): boolean {
  return '_httpMessage' in socket && socket._httpMessage !== null && socket._httpMessage !== undefined;
}

/** Ends an exchange in a way that no caller takes for a proper end, whatever it speaks by now. */
export function cutConnection(res: Answering): void {
  const socket = res[connection];
  if (socket instanceof Socket) socket.resetAndDestroy();
  res.destroy();
}
