/**
 * The way back on rows that observe: a 2xx is held whole, our record follows it, and only then does the caller hear of
 * it. Every other answer passes as it comes. A caller who leaves does not stop an answer that was already earned.
 */
import type { Dispatcher } from 'undici';
import { UpstreamFault } from './fault.ts';
import type { Observer } from './observer.ts';
import { type Delivered, hasOtherCoding, interimMax, type Relay, rawText, relayAnswer } from './relay.ts';

/** The longest answer that is read, in bytes. */
export const observedBytesMax = 1024 * 1024;

export function observedAnswer(relay: Relay, observer: Observer): Dispatcher.DispatchHandler {
  return new ObservedRelay(relay, observer);
}

const nothing = new Uint8Array(0);

type Held = {
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly chunks: Buffer[];
  bytes: number;
};

class ObservedRelay implements Dispatcher.DispatchHandler {
  readonly #relay: Relay;
  readonly #observer: Observer;
  /** Carries what may go to the caller. */
  readonly #inner: Dispatcher.DispatchHandler;
  /** `owed`: the upstream has the whole request, or has said yes to it; `over`: nothing is observed any more. */
  #stage: 'sending' | 'owed' | 'over' = 'sending';
  /** The 2xx that is held; null: none is. */
  #held: Held | null = null;
  /** How the caller left while an answer was owed. */
  #left: Delivered | null = null;
  #fault: Error | null = null;
  #interimToNobody = 0;
  /** The held answer on its way to the caller. */
  #replay: Replay | null = null;

  constructor(relay: Relay, observer: Observer) {
    this.#relay = relay;
    this.#observer = observer;
    this.#inner = relayAnswer({
      ...relay,
      resolve: (delivered) => {
        if (this.#stage === 'owed' && delivered.aborted) this.#left = delivered;
        else relay.resolve(delivered);
      },
      reject: (fault) => relay.reject(this.#fault ?? fault),
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#inner.onRequestStart?.(this.#guarded(controller), context);
  }

  onBodySent(chunk: Buffer): void {
    this.#inner.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    if (this.#stage === 'sending') this.#stage = 'owed';
    this.#inner.onRequestSent?.();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[]>,
    message?: string,
  ): void {
    if (status < 200) {
      if (this.#left === null) this.#inner.onResponseStart?.(controller, status, headers, message);
      else if (++this.#interimToNobody > interimMax) throw unreadable('too many interim answers');
      return;
    }
    if (status > 299) {
      this.#stage = 'over';
      if (this.#left === null) this.#inner.onResponseStart?.(controller, status, headers, message);
      else controller.abort(new Error('the caller left'));
      return;
    }
    this.#stage = 'owed';
    const rawHeaders = rawText(controller.rawHeaders);
    this.#held = { status, rawHeaders, chunks: [], bytes: 0 };
    if (hasOtherCoding(rawHeaders)) {
      throw new UpstreamFault('upstream_protocol_error', 'a transfer coding that is not chunked');
    }
    if (this.#observer.readsBody && isEncoded(rawHeaders))
      throw unreadable('the answer to observe has a content coding');
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const held = this.#held;
    if (held === null) {
      if (this.#left === null) this.#inner.onResponseData?.(controller, chunk);
      return;
    }
    held.bytes += chunk.length;
    if (held.bytes > observedBytesMax) {
      throw unreadable(`the answer to observe is longer than ${observedBytesMax} bytes`);
    }
    held.chunks.push(chunk);
  }

  onResponseEnd(
    controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[]>,
  ): void {
    if (this.#held === null) {
      if (this.#left === null) this.#inner.onResponseEnd?.(controller, trailers);
      return;
    }
    const { status, rawHeaders, chunks } = this.#held;
    const body = Buffer.concat(chunks);
    this.#observer.commit({ rawHeaders, body }).then(
      () => {
        this.#stage = 'over';
        if (this.#left !== null) {
          this.#relay.resolve(this.#left);
          return;
        }
        this.#replay = new Replay(this.#inner, controller, { status, body, trailers });
        this.#replay.start();
      },
      // What may still be asked of the upstream's connection is over.
      (error: unknown) => this.#fail(controllerLike(controller, noHands), asError(error), true),
    );
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#held !== null) {
      if (this.#observer.readsBody) this.#fail(controller, error);
      else this.#commitHead(controller, this.#held, error);
      return;
    }
    this.#end(controller, error);
  }

  /** The body that did not come whole was not to be read: the head has said all that there was to hear. */
  #commitHead(controller: Dispatcher.DispatchController, { rawHeaders }: Held, error: Error): void {
    const ended = controllerLike(controller, noHands);
    this.#observer.commit({ rawHeaders, body: nothing }).then(
      () => this.#end(ended, error),
      (fault: unknown) => this.#fail(ended, asError(fault), true),
    );
  }

  #end(controller: Dispatcher.DispatchController, error: Error): void {
    this.#stage = 'over';
    if (this.#left !== null) this.#relay.resolve(this.#left);
    this.#inner.onResponseError?.(controller, error);
  }

  /** The upstream has done it, and our record has not followed: nothing of its answer goes out. */
  #fail(controller: Dispatcher.DispatchController, error: Error, fromCommit = false): void {
    this.#stage = 'over';
    this.#observer.failed(error);
    if (this.#left !== null) {
      this.#relay.resolve(this.#left);
      return;
    }
    // The relay takes what the upstream's client says for a fault of the way; ours is told as it is.
    if (fromCommit) this.#fault = error;
    this.#inner.onResponseError?.(controller, error);
  }

  /** The relay's own hand on the request: it may not call off what is owed. */
  #guarded(controller: Dispatcher.DispatchController): Dispatcher.DispatchController {
    return controllerLike(controller, {
      abort: (reason) => {
        if (this.#replay !== null) this.#replay.abort(reason);
        else if (this.#stage !== 'owed') controller.abort(reason);
      },
      pause: () => controller.pause(),
      resume: () => controller.resume(),
    });
  }
}

type Whole = {
  readonly status: number;
  readonly body: Buffer;
  readonly trailers: Record<string, string | string[]>;
};

/** As much at a time: the relay holds no more of an answer either. */
const partBytes = 64 * 1024;

/** Gives the relay an answer that is here whole as an upstream would that waits for whoever does not read on. */
class Replay {
  readonly #inner: Dispatcher.DispatchHandler;
  readonly #whole: Whole;
  readonly #controller: Dispatcher.DispatchController;
  #at = 0;
  #isPaused = false;
  #isOver = false;

  constructor(inner: Dispatcher.DispatchHandler, controller: Dispatcher.DispatchController, whole: Whole) {
    this.#inner = inner;
    this.#whole = whole;
    this.#controller = controllerLike(controller, {
      abort: (reason) => this.abort(reason),
      pause: () => {
        this.#isPaused = true;
      },
      resume: () => {
        this.#isPaused = false;
        this.#guard(() => this.#goOn());
      },
    });
  }

  start(): void {
    this.#guard(() => {
      this.#inner.onResponseStart?.(this.#controller, this.#whole.status, {});
      this.#goOn();
    });
  }

  abort(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#inner.onResponseError?.(this.#controller, reason);
  }

  #goOn(): void {
    const { body, trailers } = this.#whole;
    while (!this.#isOver && !this.#isPaused && this.#at < body.length) {
      const part = body.subarray(this.#at, this.#at + partBytes);
      this.#at += part.length;
      this.#inner.onResponseData?.(this.#controller, part);
    }
    if (this.#isOver || this.#isPaused) return;
    this.#isOver = true;
    this.#inner.onResponseEnd?.(this.#controller, trailers);
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#isOver = true;
      this.#inner.onResponseError?.(this.#controller, asError(error));
    }
  }
}

type Hands = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>;

/** For an answer that is over: there is nothing left to hold back or to call off. */
const noHands: Hands = { abort: () => {}, pause: () => {}, resume: () => {} };

function controllerLike(
  controller: Dispatcher.DispatchController,
  hands: Hands,
): Dispatcher.DispatchController {
  return {
    ...hands,
    get aborted() {
      return controller.aborted;
    },
    get paused() {
      return controller.paused;
    },
    get reason() {
      return controller.reason;
    },
    get rawHeaders() {
      return controller.rawHeaders ?? null;
    },
    get rawTrailers() {
      return controller.rawTrailers ?? null;
    },
  };
}

function unreadable(reason: string): UpstreamFault {
  return new UpstreamFault('upstream_protocol_error', reason, { answered: true });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('thrown value');
}

function isEncoded(raw: readonly string[]): boolean {
  return raw.some((value, i) => {
    if (i % 2 === 0 || raw[i - 1]?.toLowerCase() !== 'content-encoding') return false;
    return !['', 'identity'].includes(value.trim().toLowerCase());
  });
}
