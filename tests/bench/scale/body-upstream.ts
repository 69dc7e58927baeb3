/**
 * An upstream of bare sockets that keeps nothing: `GET /N` answers N bytes, `POST /N` takes N bytes and answers none.
 * By itself: PORT. It reads no more of HTTP than that: requests have a Content-Length, and come one after the other.
 */
import { createServer, type Socket } from 'node:net';
import { headEnd, pour } from './body-bytes.ts';

function serve(socket: Socket): void {
  let head = '';
  let toTake = 0;

  const answer = async (length: number): Promise<void> => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    await pour(socket, length);
  };

  socket.on('data', (data: Buffer) => {
    let body = data.length;
    if (toTake === 0) {
      head += data.toString('latin1');
      const end = head.indexOf(headEnd);
      if (end < 0) return;
      const [, method, length] = /^(GET|POST) \/(\d+) /.exec(head) ?? [];
      if (method === undefined || /\r\ntransfer-encoding:/i.test(head.slice(0, end))) throw new Error(head);
      body = head.length - end - headEnd.length;
      head = '';
      if (method === 'GET') {
        void answer(Number(length));
        return;
      }
      toTake = Number(length);
    }
    toTake -= body;
    if (toTake === 0) void answer(0);
  });
  socket.on('error', () => {});
}

createServer({ noDelay: true }, serve).listen(Number(process.argv[2]), '127.0.0.1');
