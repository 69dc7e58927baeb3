/**
 * Who reads the live tail: Server-Sent Events (WHATWG HTML §9.2) for as long as the reader takes them and may be here.
 * Memory is bounded: a slow reader loses decisions and is told how many.
 */
import type { ServerResponse } from 'node:http';
import { StoreFault } from '../../store/fault.ts';
import type { Account } from '../access-log.ts';
import type { Listener, Tail } from '../tail.ts';
import type { Vigil } from '../vigil.ts';
import type { TailFilter } from './tail-filter.ts';

/** By what right somebody reads: a token, or whatever else stands until it says that it does not. */
export type TailRight = { readonly tokenId: string } | { readonly stands: () => Promise<boolean> };

export type TailReaders = {
  /** @returns false: as many read as may. */
  readonly admit: (right: TailRight, filter: TailFilter, res: ServerResponse) => boolean;
  /** Says goodbye to all, and lets nobody in any more. */
  readonly close: () => void;
};

export type TailReadersOptions = {
  readonly tail: Tail;
  /** Cuts readers whose token is revoked, expired or disabled. */
  readonly vigil: Pick<Vigil, 'begin' | 'end' | 'close'>;
  /** For what should never be thrown. */
  readonly bug: (error: unknown) => void;
  /** Ends an answer at once. */
  readonly cut: (res: ServerResponse) => void;
  readonly readersMax?: number;
  /** How long a reader may hear nothing at all. */
  readonly beatMs?: number;
  /** What may wait for a reader. */
  readonly bufferBytesMax?: number;
  /** How long a reader may take nothing of what waits. */
  readonly stallMs?: number;
};

export const tailReadersMax = 8;

export function createTailReaders(options: TailReadersOptions): TailReaders {
  const { tail, vigil, readersMax = tailReadersMax } = options;
  const open = new Set<TailReader>();
  let isClosed = false;
  return {
    admit(right, filter, res) {
      // Whoever has left meanwhile would never be heard leaving, and keep a place for ever.
      if (isClosed || open.size >= readersMax || res.closed || res.destroyed) return false;
      const reader = new TailReader(filter, res, options);
      const endWatch = watched(right, res, options);
      open.add(reader);
      tail.listen(reader);
      res.once('close', () => {
        tail.leave(reader);
        endWatch();
        open.delete(reader);
      });
      return true;
    },
    close() {
      isClosed = true;
      tail.tell();
      for (const reader of open) reader.end();
      vigil.close();
    },
  };
}

/** How often is asked whether a right that is no token stands. */
const standsEveryMs = 500;

/** Cuts the answer when the right is gone. @returns what ends the watch. */
function watched(right: TailRight, res: ServerResponse, { vigil, bug, cut }: TailReadersOptions): () => void {
  if ('tokenId' in right) {
    const watch = vigil.begin(right.tokenId, res);
    return () => vigil.end(watch);
  }
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      if (!(await right.stands())) cut(res);
    } catch (error) {
      // A store that cannot tell lets it go on until it can, as the vigil does.
      if (!(error instanceof StoreFault)) bug(error);
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void ask(), standsEveryMs).unref();
  return () => clearInterval(timer);
}

class TailReader implements Listener {
  readonly wants: (account: Account) => boolean;
  readonly #res: ServerResponse;
  readonly #beatMs: number;
  readonly #bufferBytesMax: number;
  readonly #stallMs: number;
  #lost = 0;
  #wroteMs = performance.now();
  /** Since when it takes nothing; null: it does. */
  #stalledMs: number | null = null;

  constructor(
    filter: TailFilter,
    res: ServerResponse,
    { beatMs = 15_000, bufferBytesMax = 256 * 1024, stallMs = 60_000 }: TailReadersOptions,
  ) {
    this.wants = wantsOf(filter);
    this.#res = res;
    this.#beatMs = beatMs;
    this.#bufferBytesMax = bufferBytesMax;
    this.#stallMs = stallMs;
    res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // For a proxy in front that would wait for more.
      'X-Accel-Buffering': 'no',
    });
    this.#write('retry: 2000\n\n');
  }

  take(texts: readonly string[], lost: number): void {
    const nowMs = performance.now();
    this.#lost += lost;
    if (this.#res.writableLength > this.#bufferBytesMax) {
      this.#lost += texts.length;
      this.#stalledMs ??= nowMs;
      if (nowMs - this.#stalledMs > this.#stallMs) this.#res.destroy();
      return;
    }
    this.#stalledMs = null;
    const gap = this.#lost === 0 ? '' : frame('lost', JSON.stringify({ lost: this.#lost }));
    this.#lost = 0;
    const words = gap + texts.map((text) => frame('decision', text)).join('');
    if (words !== '') this.#write(words);
    else if (nowMs - this.#wroteMs >= this.#beatMs) this.#write(': still here\n\n');
  }

  end(): void {
    this.#res.end(frame('end', JSON.stringify({ reason: 'the gateway stops' })));
  }

  #write(words: string): void {
    this.#wroteMs = performance.now();
    this.#res.write(words);
  }
}

function frame(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}

function wantsOf({ tokenId, row, onlyRefusals, status }: TailFilter): (account: Account) => boolean {
  return (account) =>
    (tokenId === null || account.tokenId === tokenId) &&
    (row === null || account.route === row) &&
    (!onlyRefusals || account.code !== null) &&
    (status === null || (account.status >= status.from && account.status <= status.to));
}
