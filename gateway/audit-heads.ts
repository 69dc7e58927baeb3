/** Tells the log where the audit's chain ends: what was told there, nobody who writes the database can take back. */
import type { Logger } from 'pino';
import type { AuditStore } from '../store/audit-store.ts';
import { faultOf } from './fault.ts';

export interface AuditHeads {
  /** Stops the timer, and tells once more. Never throws. */
  close(): Promise<void>;
}

const everyMsDefault = 3_600_000;

/** At once, then every hour. Where nothing is sealed, nothing is told. */
export function tellAuditHeads(
  audit: Pick<AuditStore, 'head'>,
  log: Logger,
  everyMs = everyMsDefault,
): AuditHeads {
  const tell = async (): Promise<void> => {
    try {
      const head = await audit.head();
      if (head !== null) log.info({ event: 'audit_head', ...head });
    } catch (error) {
      log.warn({ event: 'audit_head_not_read', reason: faultOf(error).reason });
    }
  };
  let telling = tell();
  const timer = setInterval(() => {
    telling = telling.then(tell);
  }, everyMs).unref();
  return {
    async close() {
      clearInterval(timer);
      await telling;
      await tell();
    },
  };
}
