/** What both ends of a long body have in common, and the end that asks. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export const headEnd = '\r\n\r\n';
/** Sent over and over: nobody here keeps a body. */
export const chunk = Buffer.alloc(64 * 1024, 'x');

/** Writes as fast as it is taken. */
export async function pour(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= chunk.length) {
    if (!socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk)) await once(socket, 'drain');
  }
}

export type Direction = 'up' | 'down';

/** One keep-alive connection to the gateway, with one request at a time. */
export class BodyCaller {
  readonly #socket: Socket;
  readonly #heads: Readonly<Record<Direction, string>>;
  #head = '';
  #left = 0;
  #answered: PromiseWithResolvers<void> | null = null;

  constructor(port: number, token: string) {
    const buffer = Buffer.allocUnsafeSlow(chunk.length);
    const callback = (bytes: number): boolean => {
      this.#read(buffer, bytes);
      return true;
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } });
    const fields = `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`;
    this.#heads = {
      up: `POST /SIZE HTTP/1.1\r\n${fields}Content-Length: SIZE${headEnd}`,
      down: `GET /SIZE HTTP/1.1\r\n${fields}\r\n`,
    };
    this.#socket.on('error', (error) => this.#answered?.reject(error));
    this.#socket.on('close', () => this.#answered?.reject(new Error('the connection was closed')));
  }

  /** Resolves when all of the answer is here. @throws Error if it is not 200, or never comes. */
  async send(direction: Direction, bytes: number): Promise<void> {
    const answered = Promise.withResolvers<void>();
    this.#answered = answered;
    this.#socket.write(this.#heads[direction].replaceAll('SIZE', String(bytes)), 'latin1');
    if (direction === 'up') await Promise.race([pour(this.#socket, bytes), answered.promise]);
    await answered.promise;
    this.#answered = null;
  }

  #read(buffer: Buffer, bytes: number): void {
    let body = bytes;
    if (this.#left === 0) {
      this.#head += buffer.toString('latin1', 0, bytes);
      const end = this.#head.indexOf(headEnd);
      if (end < 0) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))?.[1];
      if (length === undefined || !this.#head.startsWith('HTTP/1.1 200'))
        this.#answered?.reject(new Error(`answered ${this.#head.slice(0, 200)}`));
      body = this.#head.length - end - headEnd.length;
      this.#left = Number(length);
      this.#head = '';
    }
    this.#left -= body;
    if (this.#left === 0) this.#answered?.resolve();
  }

  close(): void {
    this.#answered = null;
    this.#socket.destroy();
  }
}
