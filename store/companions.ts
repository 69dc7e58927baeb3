/** What is kept beside the tokens, in the same database. */
import type { AlertStore } from './alert-store.ts';
import type { AuditStore } from './audit-store.ts';
import type { PinStore } from './pin-store.ts';
import type { ProbeStore } from './probe-store.ts';
import type { RetirementStore } from './retirement-store.ts';
import type { SessionStore } from './session-store.ts';
import type { SightingStore } from './sighting-store.ts';
import type { UsageStore } from './usage-store.ts';

export type Companions = {
  readonly pins: PinStore;
  readonly probes: ProbeStore;
  readonly audit: AuditStore;
  readonly usage: UsageStore;
  readonly retirements: RetirementStore;
  readonly sessions: SessionStore;
  readonly alerts: AlertStore;
  readonly sightings: SightingStore;
};
