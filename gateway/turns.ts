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
/** And no more of them together: an answer that streams for long would else keep a MiB of heads waiting on each connection. */
const aheadBytesMax = 64 * 1024;

const ahead = Symbol('ahead');
const aheadBytes = Symbol('bytes ahead');
type Crowded = Duplex & { [ahead]?: number; [aheadBytes]?: number };

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
  const bytes = headBytesOf(res);
  const waitingBytes = (socket[aheadBytes] ?? 0) + bytes;
  if (waiting > aheadMax || waitingBytes > aheadBytesMax) {
    // Node parses what came along with it all the same.
    noteConnection(res, socket);
    endConnection(res);
    socket.destroy();
    return false;
  }
  socket[ahead] = waiting;
  socket[aheadBytes] = waitingBytes;
  res.once('socket', () => {
    socket[ahead] = (socket[ahead] ?? 1) - 1;
    socket[aheadBytes] = (socket[aheadBytes] ?? bytes) - bytes;
    take();
  });
  return true;
}

function headBytesOf({ req: { url = '', rawHeaders } }: ServerResponse): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length, url.length);
}
