/**
 * A form that makes a token makes it once, however often it is sent: its key is kept as an Idempotency-Key is. The second
 * of two clicks is the one whose answer the browser shows, so what was made stays at hand here for a minute, for the
 * same form of the same session. Kept in this process alone, and nowhere else.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Checked } from '../../policy/token-input.ts';
import { type OnceDone, type OnceKey, type OnceStore, OnceTaken } from '../../store/once.ts';
import type { Made } from './dash-page.ts';
import { Refused } from './http-problem.ts';

export type Once = {
  readonly store: OnceStore;
  readonly key: OnceKey;
  /** @throws OnceTaken */
  readonly first: () => Promise<Checked<Made>>;
  readonly again: (done: OnceDone) => Promise<Checked<Made>>;
};

const heldMs = 60_000;
const heldMax = 100;

const keyText = /^[A-Za-z0-9_-]{20,64}$/;

/** For the hidden `key` of a form that makes a token. */
export function newFormKey(): string {
  return randomBytes(16).toString('base64url');
}

/** @throws Refused where the form has no key of ours. */
export function formKey(text: string | null, caller: string, request: readonly unknown[]): OnceKey {
  if (text === null || !keyText.test(text)) {
    throw new Refused({ code: 'payload_invalid', detail: 'This form is not whole.', hint: 'open it again' });
  }
  const digest = (said: string) => hash('sha256', said, 'hex');
  return {
    caller,
    keyDigest: digest(`form ${text}`),
    requestDigest: digest(JSON.stringify(request)),
  };
}

/** One for a process. */
export function createFormOnce(): (once: Once) => Promise<Checked<Made>> {
  const held = new Map<string, { requestDigest: string; made: Promise<Checked<Made>> }>();
  return async (once) => {
    const { caller, keyDigest, requestDigest } = once.key;
    const name = `${caller} ${keyDigest}`;
    const before = held.get(name);
    if (before !== undefined) {
      if (before.requestDigest !== requestDigest) throw new Refused({ code: 'idempotency_key_reused' });
      return before.made;
    }
    const [oldest] = held.keys();
    if (held.size >= heldMax && oldest !== undefined) held.delete(oldest);
    const made = doOnce(once);
    const entry = { requestDigest, made };
    held.set(name, entry);
    const forget = () => {
      if (held.get(name) === entry) held.delete(name);
    };
    try {
      const checked = await made;
      if (checked.ok) setTimeout(forget, heldMs).unref();
      else forget();
      return checked;
    } catch (error) {
      forget();
      throw error;
    }
  };
}

async function doOnce({ store, key, first, again }: Once): Promise<Checked<Made>> {
  const before = await store.done(key);
  if (before === null) {
    try {
      return await first();
    } catch (error) {
      if (!(error instanceof OnceTaken)) throw error;
    }
  }
  // Another process was faster.
  const done = before ?? (await store.done(key));
  if (done === null) throw new Refused({ code: 'idempotency_key_in_use', retryAfterMs: 1000 });
  if (done.requestDigest !== key.requestDigest) throw new Refused({ code: 'idempotency_key_reused' });
  return again(done);
}
