/** Brings rows to the newest form of their digest, in the background and never in a crowd. Asks nothing, answers nobody. */
import type { Form } from './token-digests.ts';

export type RedigestOptions = {
  /** Durable when it resolves. */
  readonly write: (id: string, form: Form) => Promise<unknown>;
  readonly onFailure: (id: string, cause: unknown) => void;
  /** A monotonic clock in ms. */
  readonly now?: () => number;
};

/** Operators' writes stand in the same queue: a busy hour after a new pepper must leave them room. */
const IN_HAND_MAX = 16;
/** A database that cannot be written is not asked at every use of every token. */
const PAUSE_AFTER_FAILURE_MS = 60_000;

/** What is not taken now is taken at the token's next use: nothing waits, and nothing is remembered. */
export function createRedigest({ write, onFailure, now = () => performance.now() }: RedigestOptions) {
  const inHand = new Set<string>();
  let pausedUntil = 0;
  return (id: string, form: Form): void => {
    if (inHand.has(id) || inHand.size >= IN_HAND_MAX || now() < pausedUntil) return;
    inHand.add(id);
    write(id, form)
      .catch((cause) => {
        pausedUntil = now() + PAUSE_AFTER_FAILURE_MS;
        onFailure(id, cause);
      })
      .finally(() => inHand.delete(id));
  };
}
