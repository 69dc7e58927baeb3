/** Carries an upstream's success over to our pins: reads its JSON answer, then changes what the row says, durably. */
import { observe } from '../policy/observe.ts';
import type { Observation, Permit } from '../policy/types.ts';
import type { AuditStore } from '../store/audit-store.ts';
import type { PinStore } from '../store/pin-store.ts';
import { UpstreamFault } from './fault.ts';

export type Observer = {
  /** Resolves when every change is durable. @throws UpstreamFault for an answer that cannot be read; StoreFault */
  readonly commit: (body: Uint8Array) => Promise<void>;
  /** The upstream said yes, and we could not follow: for the record. Never throws, and nobody waits for it. */
  readonly failed: (fault: Error) => void;
};

export type ObserverRooms = {
  readonly pins: PinStore;
  readonly audit: AuditStore;
  /** Hears of what could not even be put into the audit. */
  readonly onUnrecorded: (requestId: string, subjects: readonly string[]) => void;
};

/** null: an answer to this request changes nothing here. */
export function observerFor(permit: Permit, rooms: ObserverRooms): Observer | null {
  const { observations, token, facts } = permit;
  if (observations.length === 0) return null;
  const by = token?.id ?? 'upstream';
  const reason = `observed, request ${facts.requestId}`;
  return {
    commit: async (body) => {
      // All are read before the first is changed.
      const changes = changesIn(body, observations);
      for (const { pin, subject, value } of changes) {
        await rooms.pins.change({ pin, subject }, value, by, reason);
      }
    },
    failed: (fault) => {
      const rows = observations.map(({ pin, subject }) => {
        const detail = { pin, route: permit.route.id, request: facts.requestId, reason: fault.message };
        return rooms.audit.record({ actor: by, action: 'pin.observe_failed', subject, detail });
      });
      Promise.all(rows).catch(() =>
        rooms.onUnrecorded(
          facts.requestId,
          observations.map(({ subject }) => subject),
        ),
      );
    },
  };
}

type Change = Pick<Observation, 'pin' | 'subject'> & { readonly value: string | null };

function changesIn(body: Uint8Array, observations: readonly Observation[]): readonly Change[] {
  const answer = parseJson(body);
  return observations.flatMap(({ pin, subject, pointer }) => {
    const seen = observe(answer, pointer);
    if (seen.kind === 'unreadable') {
      throw new UpstreamFault('upstream_protocol_error', `no value for pin ${pin}: ${seen.reason}`);
    }
    return seen.kind === 'unchanged' ? [] : [{ pin, subject, value: seen.value }];
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** RFC 8259 §8.1: UTF-8 without a byte order mark. What the answer holds is never repeated. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw new UpstreamFault('upstream_protocol_error', 'the answer to observe is not JSON');
  }
}
