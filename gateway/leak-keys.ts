/** Whose signatures on leak reports are believed now: given by the config, or fetched where it says, seldom and never from elsewhere. */
import { Agent, request } from 'undici';
import type { LeakKeySource } from './config/leak-settings.ts';
import { UpstreamFault } from './fault.ts';
import { type LeakKeys, readLeakKeys } from './leak-notice.ts';

export interface LeakKeyring {
  /**
   * Keys with the one of this name among them, if it is known anywhere.
   *
   * @throws UpstreamFault `confirm_unavailable`: nobody can tell who signed.
   */
  keysFor(source: LeakKeySource, name: string): Promise<LeakKeys>;
  close(): Promise<void>;
}

export type LeakKeyringOptions = {
  /** A monotonic clock in ms. */
  readonly now?: () => number;
  readonly timeLimitMs?: number;
};

/** One fetch in this time at most, whoever asks for keys that nobody has. */
const pauseMs = 60_000;
/** Older ones are fetched anew before they are believed. */
const freshMs = 3_600_000;
/** Where that fails they are believed for so long: a key that was withdrawn must not be for ever. */
const believedMs = 24 * 3_600_000;
const answerBytesMax = 256 * 1024;

type Fetched = { readonly keys: LeakKeys; readonly atMs: number; readonly etag: string | null };

type Known = {
  readonly url: string;
  /** null: none were had yet. */
  fetched: Fetched | null;
  triedMs: number;
  /** Why the last try failed; null: it did not. */
  trouble: string | null;
  running: Promise<void> | null;
};

export function createLeakKeyring(options: LeakKeyringOptions = {}): LeakKeyring {
  const { now = () => performance.now(), timeLimitMs = 5000 } = options;
  const agent = new Agent({ connect: { timeout: timeLimitMs }, connections: 1, pipelining: 1 });
  let known: Known | null = null;

  const fetchInto = async (one: Known): Promise<void> => {
    one.triedMs = now();
    const answer = await fetchKeys(one.url, one.fetched, agent, timeLimitMs);
    one.trouble = typeof answer === 'string' ? answer : null;
    if (typeof answer !== 'string') one.fetched = { ...answer, atMs: one.triedMs };
  };

  const refresh = (one: Known): Promise<void> => {
    if (one.running === null && now() - one.triedMs < pauseMs) return Promise.resolve();
    one.running ??= fetchInto(one).finally(() => {
      one.running = null;
    });
    return one.running;
  };

  return {
    async keysFor(source, name) {
      if (source.kind === 'given') return source.keys;
      if (known?.url !== source.url) {
        const triedMs = Number.NEGATIVE_INFINITY;
        known = { url: source.url, fetched: null, triedMs, trouble: null, running: null };
      }
      const one = known;
      const isFresh = one.fetched !== null && now() - one.fetched.atMs < freshMs;
      if (!isFresh || one.fetched?.keys.has(name) !== true) await refresh(one);
      const { fetched, trouble } = one;
      if (fetched === null || now() - fetched.atMs >= believedMs) throw unknown(trouble);
      // It may be a new one that we could not be told of.
      if (!fetched.keys.has(name) && trouble !== null) throw unknown(trouble);
      return fetched.keys;
    },
    close: () => agent.destroy(),
  };
}

function unknown(trouble: string | null): UpstreamFault {
  return new UpstreamFault('confirm_unavailable', `the keys of leak reports: ${trouble ?? 'none are known'}`);
}

/** @returns a text where they cannot be had: why, in words of ours. */
async function fetchKeys(
  url: string,
  before: Fetched | null,
  dispatcher: Agent,
  timeLimitMs: number,
): Promise<Omit<Fetched, 'atMs'> | string> {
  const condition = before === null || before.etag === null ? {} : { 'If-None-Match': before.etag };
  try {
    // Redirects are not followed: undici does so only when told to.
    const { statusCode, headers, body } = await request(url, {
      headers: { Accept: 'application/json', 'User-Agent': 'postern', ...condition },
      signal: AbortSignal.timeout(timeLimitMs),
      dispatcher,
    });
    const isRead = statusCode === 200 && headers['content-encoding'] === undefined;
    const text = isRead ? await readBounded(body) : null;
    if (!isRead) body.on('error', () => {}).destroy();
    if (statusCode === 304 && before !== null) return before;
    if (text === null) return `they were answered with ${statusCode}, or are too long`;
    const keys = readLeakKeys(text);
    if (typeof keys === 'string') return `what was answered ${keys}`;
    const etag = headers.etag;
    return { keys, etag: typeof etag === 'string' && etag.length < 200 ? etag : null };
  } catch (error) {
    return reasonOf(error);
  }
}

/** null: it is longer than any key set. */
async function readBounded(body: AsyncIterable<Buffer>): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}

/** Only codes: the words of a library may repeat where it was sent to. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'they could not be fetched';
  if (error.name === 'TimeoutError') return 'they were not answered in time';
  const code = 'code' in error ? String(error.code) : error.name;
  return /^[A-Za-z0-9_]{1,60}$/.test(code)
    ? `they could not be fetched (${code})`
    : 'they could not be fetched';
}
