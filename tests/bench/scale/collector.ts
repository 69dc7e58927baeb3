/** Has a Node process collect its garbage, by its inspector: what is left is what it holds. */
import { once } from 'node:events';
import { freePort } from '../machine.ts';
import { pause } from './stand.ts';

export type Collector = {
  /** Resolves when it is done, and what was freed has gone back. */
  readonly collect: () => Promise<void>;
  readonly close: () => void;
};

/** What a process has to be started with, so that its inspector can be opened. */
export async function inspectable() {
  const port = await freePort();
  return { port, env: { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` } };
}

const openWithinMs = 5_000;
const giveBackMs = 500;

/** The inspector takes memory of its own: it is to be opened before anything is compared. */
export async function openCollector(pid: number, port: number): Promise<Collector> {
  process.kill(pid, 'SIGUSR1');
  const socket = new WebSocket(await addressOf(port));
  await once(socket, 'open');
  let id = 0;
  return {
    async collect() {
      const done = once(socket, 'message');
      socket.send(JSON.stringify({ id: ++id, method: 'HeapProfiler.collectGarbage' }));
      await done;
      await pause(giveBackMs);
    },
    close: () => socket.close(),
  };
}

async function addressOf(port: number): Promise<string> {
  for (const untilMs = performance.now() + openWithinMs; ; await pause(50)) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`);
      const targets = (await response.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
      const [target] = targets;
      if (target !== undefined) return target.webSocketDebuggerUrl;
      throw new Error(`nobody can be inspected on port ${port}`);
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
  }
}
