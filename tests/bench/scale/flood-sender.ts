/** Requests at a fixed rate, whatever is answered, from one or several addresses of this machine, each with a token of its own. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export type Flood = {
  readonly port: number;
  readonly path: string;
  /** What every token of it begins with; the rest is made up. */
  readonly beginning: string;
  /** Characters of a whole token. */
  readonly length: number;
  readonly perSecond: number;
  readonly addresses: number;
};

/** How many were answered with each status; `sent` counts those that were not answered yet, too. */
export type FloodCount = { readonly sent: number; readonly byStatus: Readonly<Record<string, number>> };

const tickMs = 2;

/** Request after request, each on an idle connection of the address whose turn it is, or on a new one. */
export class FloodSender {
  readonly #flood: Flood;
  readonly #idle: readonly Socket[][];
  readonly #open = new Set<Socket>();
  readonly #byStatus: Record<string, number> = {};
  readonly #beganMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(flood: Flood) {
    this.#flood = flood;
    this.#idle = Array.from({ length: flood.addresses }, () => []);
    this.#timer = setInterval(() => this.#sendDue(), tickMs);
  }

  #sendDue(): void {
    const due = ((performance.now() - this.#beganMs) / 1000) * this.#flood.perSecond;
    while (this.#sent < due) this.#send(this.#sent++ % this.#flood.addresses);
  }

  #send(address: number): void {
    const { beginning, length, path } = this.#flood;
    const socket = this.#idle[address]?.pop() ?? this.#dial(address);
    const rest = randomBytes(length)
      .toString('hex')
      .slice(0, length - beginning.length);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${beginning}${rest}\r\n\r\n`,
    );
  }

  #dial(address: number): Socket {
    const socket = connect({
      ...{ host: '127.0.0.1', port: this.#flood.port, localAddress: `127.0.0.${2 + address}` },
      noDelay: true,
    });
    this.#open.add(socket);
    // A refusal is short: it comes in one piece.
    socket.on('data', (data: Buffer) => {
      const status = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'))?.[1] ?? 'other';
      this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1;
      this.#idle[address]?.push(socket);
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#open.delete(socket);
      const idle = this.#idle[address];
      const at = idle?.indexOf(socket) ?? -1;
      if (at >= 0) idle?.splice(at, 1);
    });
    return socket;
  }

  stop(): FloodCount {
    clearInterval(this.#timer);
    for (const socket of this.#open) socket.destroy();
    return { sent: this.#sent, byStatus: this.#byStatus };
  }
}
