/** Idle keep-alive connections: each has had one answer, and is kept open from one of several addresses of this machine. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const addresses = 10;
/** Opened at a time: more would only wait for each other. */
const abreast = 200;

/** How many files a process may have open at most, by the kernel's word. */
export function openFilesMax(): number {
  const said = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim();
  return said === 'unlimited' ? Number.POSITIVE_INFINITY : Number(said);
}

export class IdleConnections {
  readonly #port: number;
  readonly #request: string;
  readonly #sockets: Socket[] = [];
  /** Not closed by us. */
  lost = 0;

  constructor(port: number, token: string, path: string) {
    this.#port = port;
    this.#request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  }

  /** Opens more, or closes the last of them. @throws Error if one is not answered with 200. */
  async setTo(count: number): Promise<void> {
    for (const socket of this.#sockets.splice(count)) end(socket);
    while (this.#sockets.length < count) {
      const from = this.#sockets.length;
      const some = Array.from({ length: Math.min(abreast, count - from) }, (_, n) => this.#dial(from + n));
      this.#sockets.push(...(await Promise.all(some)));
    }
  }

  async #dial(n: number): Promise<Socket> {
    const localAddress = `127.0.0.${2 + (n % addresses)}`;
    const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress });
    socket.setNoDelay(true);
    await once(socket, 'connect');
    socket.write(this.#request);
    const [first] = await once(socket, 'data');
    if (!String(first).startsWith('HTTP/1.1 200')) throw new Error(`answered ${String(first).slice(0, 100)}`);
    socket.resume();
    socket.on('error', () => {});
    socket.once('close', () => this.lost++);
    return socket;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) end(socket);
  }
}

function end(socket: Socket): void {
  socket.removeAllListeners('close');
  socket.destroy();
}
