/**
 * Requests that a caller sends ahead, before the answer to the one before: each is looked at when its turn has come.
 * Side by side they could overtake one another at the upstream, which RFC 9112 §9.3.2 allows for safe methods only, and one
 * connection would be as many visits as it has room for heads.
 */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { endConnection, noteConnection } from './connection.ts';

/** So many heads are kept for a connection; clients that send ahead at all send a handful. */
export const aheadMax = 64;

const ahead = Symbol('ahead');
type Crowded = Duplex & { [ahead]?: number };

/** Whether an answer that goes out before this one is not over. To be asked as the request comes in. */
export function isAhead(res: ServerResponse): boolean {
  // Node gives an answer the connection when all before it are out.
  return res.socket === null;
}

/**
 * Calls `take` when all before it is answered; never, if the connection ends before.
 *
 * @returns false: too many wait already, and the connection is ended.
 */
export function takeInTurn(socket: Crowded, res: ServerResponse, take: () => void): boolean {
  const waiting = (socket[ahead] ?? 0) + 1;
  if (waiting > aheadMax) {
    // Node parses what came along with it all the same.
    noteConnection(res, socket);
    endConnection(res);
    socket.destroy();
    return false;
  }
  socket[ahead] = waiting;
  res.once('socket', () => {
    socket[ahead] = (socket[ahead] ?? 1) - 1;
    take();
  });
  return true;
}
