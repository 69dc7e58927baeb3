/**
 * One JSON line per request, from an allow-list of fields: a token's id, never the token; the row,
 * never the path; no header, no query, no error text of a library.
 */
import type { Logger } from 'pino';
import type { DenialCode } from '../policy/types.ts';

export type Account = {
  readonly requestId: string;
  readonly method: string;
  /** Row id; null: none matched. */
  readonly route: string | null;
  readonly status: number;
  /** Inner refusal code; null: passed. */
  readonly code: string | null;
  /** Why, for operators; ours alone. */
  readonly reason: string | null;
  readonly tokenId: string | null;
  readonly tokenType: string | null;
  /** Only the upstream can verify it, so nobody here knows who asked; absent: not so. */
  readonly unverified?: true;
  readonly address: string;
  readonly durationMs: number;
  readonly aborted: boolean;
  /** What `mode: monitor` would have refused; absent: nothing. */
  readonly monitored?: readonly DenialCode[];
  /** The id of the canary that was presented, and refused as an unknown token; absent: none was. */
  readonly canary?: string;
};

/** Passed requests beyond this are counted, not written; refusals, monitored ones too, and failures always are. */
const passedPerSecondMax = 100;

export function createAccessLog(log: Logger, now: () => number): (account: Account) => void {
  let second = 0;
  let written = 0;
  let skipped = 0;
  return (account) => {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      second = current;
      written = 0;
    }
    const passed = account.code === null && account.status < 500 && account.monitored === undefined;
    if (passed && ++written > passedPerSecondMax) {
      skipped++;
      return;
    }
    log.info({ event: 'request', ...fields(account), ...(skipped > 0 ? { skipped } : {}) });
    skipped = 0;
  };
}

type Line = Record<string, string | number | boolean | readonly string[]>;

function fields(account: Account): Line {
  const line: Line = {};
  for (const [name, value] of Object.entries(account)) {
    if (value === null || value === false) continue;
    line[name] = typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
  }
  // A method is the caller's text; only a token of RFC 9110 gets this far, but it may be long.
  line.method = account.method.slice(0, 20);
  return line;
}
