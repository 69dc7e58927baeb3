/** A request to the strict client, with everything that its handler was told, in order. */
import type { Dispatcher } from 'undici';
import { StrictClient } from '../../gateway/strict-client.ts';
import type { Patience } from '../../gateway/strict-connection.ts';

export type Moment = 'start' | 'sent' | 'head' | 'body' | 'end' | 'error';
export type Hand = Dispatcher.DispatchController;
/** What the handler does when it is told. */
export type Reactions = Partial<Record<Moment, (hand: Hand) => void>>;

export type Asked = {
  /** `start`, `sent`, `head 200`, `body …`, `end`, `error …`; bodies in a row as one. */
  readonly told: string[];
  readonly chunks: Buffer[];
  readonly hand: () => Hand;
  readonly error: () => Error | null;
  /** Resolves when it is first told of an end or an error. */
  readonly over: Promise<void>;
};

const usual: Patience = { connectMs: 5000, firstByteMs: 5000, idleMs: 5000 };

export function clientOf(url: string, patience: Partial<Patience> = {}): StrictClient {
  return new StrictClient(url, { ...usual, ...patience });
}

/** @param body sent by POST; null: GET. */
export function ask(
  client: StrictClient,
  path = '/',
  reactions: Reactions = {},
  body: Buffer | null = null,
): Asked {
  const told: string[] = [];
  const chunks: Buffer[] = [];
  const over = Promise.withResolvers<void>();
  let hand: Hand | null = null;
  let fault: Error | null = null;
  const theHand = (): Hand => {
    if (hand === null) throw new Error('not started');
    return hand;
  };
  const tell = (moment: Moment, words: string = moment) => {
    told.push(words);
    reactions[moment]?.(theHand());
  };
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: (controller) => {
      hand = controller;
      tell('start');
    },
    onRequestSent: () => tell('sent'),
    onResponseStart: (_hand, status) => tell('head', `head ${status}`),
    onResponseData: (_hand, chunk) => {
      const first = told.at(-1)?.startsWith('body ') !== true;
      chunks.push(chunk);
      const text = chunk.toString('latin1');
      const words = first ? `body ${text}` : `${told.pop()}${text}`;
      tell('body', words);
    },
    onResponseEnd: () => {
      over.resolve();
      tell('end');
    },
    onResponseError: (_hand, error) => {
      fault = error;
      over.resolve();
      tell('error', `error ${error.message}`);
    },
  };
  const headers = ['Host', 'app', ...(body === null ? [] : ['Content-Length', String(body.length)])];
  client.dispatch({ method: body === null ? 'GET' : 'POST', path, headers, body }, handler);
  return { told, chunks, hand: theHand, error: () => fault, over: over.promise };
}

/** Everything it was told up to the end. */
export async function told(asked: Asked): Promise<readonly string[]> {
  await asked.over;
  return asked.told;
}

/** Nothing else runs meanwhile: what comes waits in the kernel. */
export function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
