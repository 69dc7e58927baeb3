/** What every peer is given, and what each must be able to do. */
import type { Launched } from '../machine.ts';

export type LimitClass = 'none' | 'local' | 'redis';

export type Caller = { readonly token: string; readonly subject: string };

export type Stage = {
  /** The run's own; removed at its end. */
  readonly folder: string;
  readonly upstreamPort: number;
  readonly callers: readonly Caller[];
  /** One token a line. */
  readonly tokenFile: string;
  /** One `TOKEN SUBJECT` a line. */
  readonly callerFile: string;
  /** Null: there is none on this machine. */
  readonly redisUrl: string | null;
  readonly postgresUrl: string | null;
};

export type Started = {
  readonly port: number;
  /** Whose CPU counts, with that of their children. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
};

export type Target = {
  readonly name: string;
  readonly limit: LimitClass;
  /** Programs it needs, each with Debian's package. */
  readonly needs: readonly string[];
  /** Whether it knows tokens: then a wrong one must be 401, and the upstream must see whose a right one is. */
  readonly guards: boolean;
  readonly method: 'GET' | 'POST';
  readonly body: string;
  /** Whether a part of it has to be compiled while it runs. */
  readonly runs: 'native' | 'node';
  /** Whether its latency at a fixed rate is measured too. */
  readonly paced: boolean;
  start(stage: Stage): Promise<Started>;
};

/** Far more than the run sends: limits are counted and refuse nobody. */
export const quota = 1_000_000;
export const windowSeconds = 60;

export const plain = {
  needs: [],
  guards: true,
  method: 'GET',
  body: '',
  runs: 'node',
  paced: false,
} as const satisfies Partial<Target>;

/** Several processes as one target, listening where the last one does. */
export function together(port: number, parts: readonly Launched[]): Started {
  return {
    port,
    pids: parts.map(({ pid }) => pid),
    stop: async () => {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}
