/**
 * Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): the same request under the same key is done once in a day.
 * The secret that it made is kept nowhere, so a replay answers without it.
 */
import { hash } from 'node:crypto';
import { type OnceDone, type OnceKey, type OnceStore, OnceTaken } from '../../store/once.ts';
import { fieldsNamed } from './http-guard.ts';
import { type Problem, Refused } from './http-problem.ts';
import type { AdminRoute, View } from './http-route.ts';

export type OnceAnswer = { readonly view: View; readonly isReplayed: boolean };

type Ways = {
  readonly store: OnceStore;
  readonly key: OnceKey;
  /** Does it for the first time. @throws OnceTaken */
  readonly first: () => Promise<View>;
  readonly again: (done: OnceDone) => Promise<View>;
};

const path = 'Idempotency-Key';
const inUse: Problem = { code: 'idempotency_key_in_use', path, retryAfterMs: 1000 };

/** As it stands in the field, or as a structured field's text (RFC 8941 §3.3.3). */
const keyText = /^(?:"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))$/;

/**
 * @param request what must be the same: the route, whom it is about, and what was said.
 * @returns null: there is no key, or the route needs none, for doing it twice does no more than once.
 * @throws Refused
 */
export function readOnceKey(
  rawHeaders: readonly string[],
  { once, status }: AdminRoute,
  caller: string,
  request: unknown,
): OnceKey | null {
  const [field, second] = fieldsNamed(rawHeaders, 'idempotency-key');
  if (field === undefined) return null;
  const [, quoted, bare] = keyText.exec(field) ?? [];
  const text = quoted ?? bare;
  if (text === undefined || second !== undefined) {
    const hint = 'send one, of 1 to 255 printable characters, such as a UUID';
    throw new Refused({ code: 'payload_invalid', detail: 'not an Idempotency-Key', hint, path });
  }
  if (once === null && status === 201) {
    const hint = 'leave it out, and look before trying again';
    throw new Refused({
      code: 'payload_invalid',
      detail: 'an Idempotency-Key has no effect here',
      hint,
      path,
    });
  }
  if (once === null) return null;
  const digest = (said: string) => hash('sha256', said, 'hex');
  return { caller, keyDigest: digest(text), requestDigest: digest(JSON.stringify(request)) };
}

/** One for a process: two requests under one key at once are told so. */
export function createOnceGuard(): (ways: Ways) => Promise<OnceAnswer> {
  const underWay = new Set<string>();
  return async (ways) => {
    const name = `${ways.key.caller} ${ways.key.keyDigest}`;
    if (underWay.has(name)) throw new Refused(inUse);
    underWay.add(name);
    try {
      return await doOnce(ways);
    } finally {
      underWay.delete(name);
    }
  };
}

async function doOnce(ways: Ways): Promise<OnceAnswer> {
  const before = await ways.store.done(ways.key);
  if (before !== null) return replay(ways, before);
  try {
    return { view: await ways.first(), isReplayed: false };
  } catch (error) {
    if (!(error instanceof OnceTaken)) throw error;
  }
  // Another process was faster.
  const now = await ways.store.done(ways.key);
  if (now === null) throw new Refused(inUse);
  return replay(ways, now);
}

async function replay({ key, again }: Ways, done: OnceDone): Promise<OnceAnswer> {
  if (done.requestDigest !== key.requestDigest) throw new Refused({ code: 'idempotency_key_reused', path });
  return { view: await again(done), isReplayed: true };
}
