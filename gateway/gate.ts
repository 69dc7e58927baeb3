/** What an exchange leans on, and what it is about. Types only: nothing here runs. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestFacts } from '../policy/types.ts';
import type { Limiter } from '../store/limiter.ts';
import type { TokenStore } from '../store/token-store.ts';
import type { Account } from './access-log.ts';
import type { BodyBudget } from './body-buffer.ts';
import type { Hops } from './forwarded.ts';
import type { Head } from './head.ts';
import type { LeakDoor } from './leak-door.ts';
import type { Life } from './life.ts';
import type { ObserverRooms } from './observer.ts';
import type { Operate } from './serve.ts';
import type { Site } from './site.ts';
import type { RequestTrace, Tracing } from './tracing.ts';
import type { Vigil } from './vigil.ts';
import type { Rooms } from './walk.ts';

/** What every exchange leans on; made once, in main. */
export type Gate = {
  readonly site: () => Site;
  readonly tokens: TokenStore;
  readonly limiter: Limiter;
  readonly observing: ObserverRooms;
  readonly pins: Rooms['pins'];
  /** What rows that are answered here do. */
  readonly operate: Operate;
  /** Where reports of leaked tokens come in. */
  readonly leaks: LeakDoor;
  readonly bodies: BodyBudget;
  readonly life: Life;
  readonly vigil: Vigil;
  readonly now: () => number;
  /** `origin` and `bundle` as they were sent, for counting, never for the log; undefined: nobody looked. */
  readonly account: (account: Account, origin: string | null, bundle: string | null | undefined) => void;
  readonly upstreamSeconds: (upstream: string, seconds: number) => void;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
  readonly bug: (error: unknown, requestId: string | null) => void;
};

/** One request as it stands: its two ends, what the door read, and the site it is judged by. */
export type Visit = {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly head: Head;
  readonly facts: RequestFacts;
  /** What trusted proxies said; null: the peer is the caller. */
  readonly hops: Hops | null;
  /** RFC 9110 §10.1.1: the caller holds its body back until we say go on. */
  readonly awaitsContinue: boolean;
  /** A WebSocket handshake on a row that grants it; its connection is nobody's but ours. */
  readonly upgrade?: true;
  /** Absent: it is not traced. */
  readonly trace?: RequestTrace;
};
