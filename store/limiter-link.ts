/**
 * One connection to Redis and the breaker around it. A connection that failed once, in any way, is
 * never used again: a late answer cannot be taken for another. New ones are tried in the background.
 */
import { Redis } from 'ioredis';
import {
  decodeAnswer,
  encodeCall,
  type Group,
  type ScriptAnswer,
  slidingWindowScript,
} from './limiter-script.ts';

export type LinkOptions = {
  readonly url: string;
  /** How long one call may take. */
  readonly timeoutMs: number;
  /** How long one attempt to connect may take. */
  readonly connectTimeoutMs: number;
  /** Called once per change, never per request. `reason` is null when all is well. */
  readonly onStateChange: (ok: boolean, reason: string | null) => void;
};

/** `connecting` only before the first verdict; then `up` or `down` until `closed`. */
export type LinkState = 'connecting' | 'up' | 'down' | 'closed';

export interface Link {
  state(): LinkState;
  /** Why it is not up, for operators; null: it is. */
  reason(): string | null;
  /** One round trip. Only while `up`. @throws Error if Redis did not answer well in time; the link is down then. */
  call(groups: readonly Group[]): Promise<ScriptAnswer>;
  close(): void;
}

/** What `defineCommand` adds; ioredis sends EVALSHA and, where the script is unknown, EVAL. */
type Client = Redis & {
  consumeLimits(...call: readonly (string | number)[]): Promise<unknown>;
  lastError?: Error;
};

const RETRY_MS_FIRST = 50;
const RETRY_MS_MAX = 2000;
/** A connection must hold this long before the next failure is treated as a first one: flapping is damped. */
const STABLE_MS = 10_000;

/** A probe is a real charge on a key of its own: a replica or a full server does not pass for well. */
const PROBE: readonly Group[] = [
  [
    {
      limit: { name: '', quota: 1e9, windowMs: 1000, steps: 1, per: [], onRedisDown: 'open' },
      key: '',
      cost: 1,
    },
  ],
];

/** Starts connecting at once. A Redis that is not there is no error. @throws Error for a url that cannot be read. */
export function openLink(options: LinkOptions): Link {
  return new RedisLink(options);
}

class RedisLink implements Link {
  readonly #options: LinkOptions;
  #state: LinkState = 'connecting';
  #reason: string | null = 'connecting to Redis';
  #active: Client | null = null;
  #attempt: Client | null = null;
  #attempts = 0;
  #upSince = 0;
  #retry: NodeJS.Timeout | undefined;
  readonly #patience: NodeJS.Timeout;
  /** A handful at most. An array: the tables a Set outgrows keep what was in them from the collector. */
  readonly #inFlight: ((error: Error) => void)[] = [];

  constructor(options: LinkOptions) {
    this.#options = options;
    void this.#connect(this.#createClient());
    // The first requests may wait for the first connection, but no longer than for an answer.
    this.#patience = setTimeout(() => {
      if (this.#state === 'connecting') this.#settle('down', `no connection within ${options.timeoutMs} ms`);
    }, options.timeoutMs).unref();
  }

  state(): LinkState {
    return this.#state;
  }

  reason(): string | null {
    return this.#reason;
  }

  call(groups: readonly Group[]): Promise<ScriptAnswer> {
    const client = this.#active;
    if (client === null) return Promise.reject(new Error(this.#reason ?? 'no connection to Redis'));
    return new Promise((resolve, reject) => {
      const abandon = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      const isAbandoned = (): boolean => {
        clearTimeout(timer);
        const at = this.#inFlight.indexOf(abandon);
        if (at !== -1) this.#inFlight.splice(at, 1);
        return at === -1;
      };
      const giveUp = (error: unknown): void => {
        reject(error);
        this.#fail(client, messageOf(error));
      };
      // After a stall of the event loop timers fire before sockets are read: the answer may lie there.
      const expire = (): void => {
        if (this.#inFlight.includes(abandon)) this.#fail(client, noAnswerWithin(this.#options.timeoutMs));
      };
      const timer = setTimeout(() => setImmediate(expire), this.#options.timeoutMs);
      this.#inFlight.push(abandon);
      client.consumeLimits(...encodeCall(groups)).then(
        (reply) => {
          if (isAbandoned()) return;
          try {
            resolve(decodeAnswer(reply, groups));
          } catch (error) {
            giveUp(error);
          }
        },
        (error: unknown) => {
          if (!isAbandoned()) giveUp(error);
        },
      );
    });
  }

  close(): void {
    this.#state = 'closed';
    this.#reason = 'closed';
    clearTimeout(this.#retry);
    clearTimeout(this.#patience);
    for (const client of [this.#active, this.#attempt]) if (client !== null) drop(client);
    this.#active = null;
    this.#attempt = null;
    this.#abandonAll('closed');
  }

  #createClient(): Client {
    return createClient(this.#options, (client, why) => this.#fail(client, why));
  }

  #settle(next: 'up' | 'down', why: string | null): void {
    const changed = this.#state !== next;
    this.#state = next;
    this.#reason = why;
    if (changed) this.#options.onStateChange(next === 'up', why);
  }

  async #connect(client: Client): Promise<void> {
    this.#attempt = client;
    try {
      await within(this.#options.connectTimeoutMs, greet(client));
      if (this.#attempt !== client) return;
      this.#attempt = null;
      this.#active = client;
      this.#upSince = performance.now();
      this.#settle('up', null);
    } catch (error) {
      drop(client);
      if (this.#attempt !== client) return;
      this.#attempt = null;
      if (this.#state !== 'up') this.#settle('down', messageOf(error));
      this.#connectLater();
    }
  }

  #connectLater(): void {
    const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** this.#attempts);
    this.#attempts += 1;
    // Half of the wait is chance, so that many gateways do not come back in one blow.
    const waitMs = ceilingMs * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => this.#connect(this.#createClient()), waitMs).unref();
  }

  #fail(client: Client, why: string): void {
    if (client !== this.#active) return;
    this.#active = null;
    drop(client);
    if (performance.now() - this.#upSince > STABLE_MS) this.#attempts = 0;
    this.#settle('down', why);
    this.#abandonAll(why);
    this.#connectLater();
  }

  #abandonAll(why: string): void {
    for (const reject of this.#inFlight.splice(0)) reject(new Error(why));
  }
}

/** One life: it neither reconnects, nor queues, nor sends anything twice. */
function createClient(options: LinkOptions, onClose: (client: Client, why: string) => void): Client {
  const client = new Redis(options.url, {
    lazyConnect: true,
    connectTimeout: options.connectTimeoutMs,
    connectionName: 'postern',
    disableClientInfo: true,
    protocol: 2,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    autoResendUnfulfilledCommands: false,
  }) as Client;
  client.defineCommand('consumeLimits', { lua: slidingWindowScript });
  client.on('error', (error: Error) => {
    client.lastError = error;
  });
  client.on('close', () => onClose(client, messageOf(client.lastError ?? 'Redis closed the connection')));
  return client;
}

/** Connects and counts once, which also brings the script to Redis. */
async function greet(client: Client): Promise<void> {
  try {
    await client.connect();
    decodeAnswer(await client.consumeLimits(...encodeCall(PROBE)), PROBE);
  } catch (error) {
    // ioredis says "closed" to the caller and why to the listener.
    throw client.lastError ?? error;
  }
}

/** A hung server would keep a half-closed socket: destroyed, it is gone. */
function drop(client: Client): void {
  client.disconnect();
  client.stream?.destroy();
}

function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(noAnswerWithin(limitMs))), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function noAnswerWithin(limitMs: number): string {
  return `no answer within ${limitMs} ms`;
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
