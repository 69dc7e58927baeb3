/** Carries an upstream's success over to our pins and tokens: reads its answer, then changes what the row says, durably. */
import { isAnothers, readChanges, subjectOf } from '../policy/observe.ts';
import type { Observe, ObservedChange, Observing } from '../policy/observe-types.ts';
import type { Permit, Policy } from '../policy/types.ts';
import type { AuditEvent, AuditStore } from '../store/audit-store.ts';
import type { PinStore } from '../store/pin-store.ts';
import type { TokenStore } from '../store/token-store.ts';
import { couldBe } from './credential.ts';
import { UpstreamFault } from './fault.ts';
import { type HeldAnswer, readAnswer } from './observed-answer.ts';

export type Observer = {
  /** false: nothing is read from the body, so it may be anything. */
  readonly readsBody: boolean;
  /** Resolves when every change is durable. @throws UpstreamFault for an answer that cannot be read; StoreFault */
  readonly commit: (answer: HeldAnswer) => Promise<void>;
  /** The upstream said yes, and we could not follow: for the record. Never throws, and nobody waits for it. */
  readonly failed: (fault: Error) => void;
};

export type ObserverRooms = {
  readonly pins: PinStore;
  readonly tokens: Pick<TokenStore, 'learn' | 'endAll' | 'revoke'>;
  readonly audit: AuditStore;
  /** Unix ms. */
  readonly now: () => number;
  /** Hears of what could not even be put into the audit. */
  readonly onUnrecorded: (requestId: string, subjects: readonly string[]) => void;
};

/** What belongs to this one request. */
export type Observed = {
  readonly policy: Policy;
  /** The fields of the request, names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Called before the first change: it may end the very token that asked, and the answer is to go out all the same. */
  readonly onSettled: () => void;
};

/** null: an answer to this request changes nothing here. */
export function observerFor(permit: Permit, rooms: ObserverRooms, observed: Observed): Observer | null {
  const { observing } = permit;
  if (observing === null) return null;
  const act: Act = { rooms, by: actorOf(permit), reason: `observed, request ${permit.facts.requestId}` };
  return {
    readsBody: observing.rule.query !== null,
    commit: async (answer) => {
      // All are read before the first is changed.
      const changes = changesIn(permit, observing, answer, observed, rooms.now());
      observed.onSettled();
      for (const change of changes) await carryOut(change, act);
    },
    failed: (fault) => {
      const events = observing.rule.entries.map((entry) =>
        failureOf(entry, observing, permit, act.by, fault),
      );
      Promise.all(events.map((event) => rooms.audit.record(event))).catch(() =>
        rooms.onUnrecorded(
          permit.facts.requestId,
          events.map(({ subject }) => subject),
        ),
      );
    },
  };
}

/** The caller's token; `upstream:TYPE` of one that only the upstream knows; `upstream` where nobody is known. */
function actorOf({ token, unverified }: Permit): string {
  if (token !== null) return token.id;
  return unverified === undefined ? 'upstream' : `upstream:${unverified.type}`;
}

function changesIn(
  permit: Permit,
  { rule }: Observing,
  answer: HeldAnswer,
  { policy, rawHeaders }: Observed,
  now: number,
): readonly ObservedChange[] {
  const read = readChanges(policy, permit, readAnswer(rule, answer, rawHeaders, now));
  if (!read.ok) throw unreadable(read.reason);
  for (const change of read.changes) {
    if (change.kind !== 'learn' || couldBe(change.plaintext, change.type, policy)) continue;
    throw unreadable(`what it gives for a token of type ${change.type.name} is none`);
  }
  return read.changes;
}

type Act = { readonly rooms: ObserverRooms; readonly by: string; readonly reason: string };

async function carryOut(change: ObservedChange, { rooms, by, reason }: Act): Promise<void> {
  const { pins, tokens, now } = rooms;
  switch (change.kind) {
    case 'pin': {
      const { pin, subject, value } = change;
      await pins.change({ pin, subject }, value, by, reason);
      return;
    }
    case 'revoke':
      await tokens.revoke(change.id, by, reason);
      return;
    case 'end':
      await tokens.endAll({ type: change.type, attributes: change.attributes, by, reason });
      return;
    case 'learn': {
      const { kind: _, lifeMs, owners: __, ...token } = change;
      const expiresAt = lifeMs === null ? null : now() + lifeMs;
      const learned = await tokens.learn({ ...token, origins: [], expiresAt, createdBy: by, reason });
      const what = `what it gives for a token of type ${token.type.name}`;
      if (learned.kind === 'taken') throw unreadable(`${what} is kept here as another one`);
      if (learned.kind === 'learned' || learned.record.revokedAt !== null) return;
      if (!isAnothers(change, learned.record)) return;
      // To the upstream it is that one's now; to tell it of the one before would be to mistake the two.
      await tokens.revoke(learned.record.id, by, reason);
      throw unreadable(`${what} was kept here as somebody else's, and is ended`);
    }
  }
}

function failureOf(
  entry: Observe,
  observing: Observing,
  { route, facts, token }: Permit,
  actor: string,
  fault: Error,
): AuditEvent {
  const said = { route: route.id, request: facts.requestId, reason: fault.message };
  if (entry.kind === 'pin') {
    const detail = { pin: entry.pin, ...said };
    return { actor, action: 'pin.observe_failed', subject: subjectOf(entry, observing), detail };
  }
  const subject = entry.kind === 'caller' ? (token?.id ?? '') : `type=${entry.type}`;
  const detail = { entry: entry.kind === 'token' ? 'token' : 'end', ...said };
  return { actor, action: 'token.observe_failed', subject, detail };
}

function unreadable(reason: string): UpstreamFault {
  return new UpstreamFault('upstream_protocol_error', reason, { answered: true });
}
