/** What people do about sessions of the dashboard: their own, or everybody's. */
import { type Checked, complainOf } from '../../policy/token-input.ts';
import type { SessionRecord, SessionStore } from '../../store/session-store.ts';

export type SessionDesk = {
  readonly sessions: SessionStore;
  /** The one that asks. */
  readonly own: SessionRecord;
  /** For the audit. */
  readonly by: string;
  /** The scopes of whoever asks. */
  readonly holds: readonly string[];
};

/** Own ones; with `sessions:write` all. Newest first. @throws StoreFault */
export async function listSessions({ sessions, own, holds }: SessionDesk): Promise<readonly SessionRecord[]> {
  return sessions.list(holds.includes('sessions:write') ? null : own.holder);
}

/** One of others takes `sessions:write`; without it they are not told apart from none. @throws StoreFault */
export async function endSession(
  { sessions, own, by, holds }: SessionDesk,
  id: string,
): Promise<Checked<SessionRecord>> {
  const record = await sessions.byId(id);
  const isOwn = record?.holder.kind === own.holder.kind && record.holder.name === own.holder.name;
  if (record === null || !(isOwn || holds.includes('sessions:write'))) {
    return complainOf('id', 'no session has this id', null, 'it may be over already', 'unknown');
  }
  await sessions.end(id, by);
  return { ok: true, value: record };
}
