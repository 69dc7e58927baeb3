/** An activation as the outside sees it. */
import type { ActivationRecord } from '../../store/probe-store.ts';

/** Never with a trigger: a record has none. */
export type ActivationView = {
  readonly activation_id: string;
  readonly label_pattern: string;
  readonly service: string;
  readonly environment: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly trigger_expires_at: string;
};

export function activationView(record: ActivationRecord): ActivationView {
  return {
    activation_id: record.id,
    label_pattern: record.labelPattern,
    service: record.service,
    environment: record.environment,
    created_at: new Date(record.createdAt).toISOString(),
    expires_at: new Date(record.expiresAt).toISOString(),
    trigger_expires_at: new Date(record.triggerExpiresAt).toISOString(),
  };
}

/** What one is told who activated it, once: both shapes that clients look for, and the trigger. */
export function activatedView(record: ActivationRecord, trigger: string): Readonly<Record<string, unknown>> {
  const { created_at, ...activation } = activationView(record);
  return { activation, ...activation, created_at, trigger_token: trigger };
}

export function deactivatedView({ id, deactivatedAt }: ActivationRecord) {
  return { activation_id: id, deactivated_at: new Date(deactivatedAt ?? 0).toISOString() };
}
