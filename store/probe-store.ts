/** What a probe store promises: activations by type and subject, and never more at a time than whoever activates may have. */

/** `subject` is the text a key was derived for: `prj_a`. Each type has its own. */
export type ProbeKey = { readonly type: string; readonly subject: string };

/** What a probe is switched on for. Texts are kept as they are: policy checks them. */
export type NewActivation = ProbeKey & {
  readonly labelPattern: string;
  readonly service: string;
  readonly environment: string;
  /** From now. */
  readonly lifeMs: number;
  readonly triggerLifeMs: number;
  /** For the record: `token:tok_…`, `cli`. */
  readonly by: string;
};

/** Times are Unix ms. No trigger and no signature: those are made of this and kept nowhere. */
export type ActivationRecord = ProbeKey & {
  /** A UUID (RFC 9562 §5.4). */
  readonly id: string;
  readonly labelPattern: string;
  readonly service: string;
  readonly environment: string;
  readonly createdAt: number;
  readonly createdBy: string;
  /** Until when services are told of it. */
  readonly expiresAt: number;
  /** Until when its trigger is right, deactivated or not. */
  readonly triggerExpiresAt: number;
  /** null: it was not. */
  readonly deactivatedAt: number | null;
};

/** `after` is the `next` of the page before; null: from the beginning. */
export type ActivationFilter = ProbeKey & {
  readonly after: string | null;
  /** 1 to 1000. */
  readonly limit: number;
};

export type ActivationPage = {
  readonly activations: readonly ActivationRecord[];
  readonly next: string | null;
};

export interface ProbeStore {
  /**
   * Adds one, unless `activeMax` of its type and subject are neither deactivated nor past their expiry. Of any number
   * at once, in any number of processes, no more get in. Durable, with an audit row in the same transaction, when it
   * resolves. What ended long ago is forgotten by the way.
   *
   * @returns null: there is no room. @throws StoreFault
   */
  activate(activation: NewActivation, activeMax: number): Promise<ActivationRecord | null>;

  /**
   * Ends one, once: of one that was ended before, the record as it was then, without another audit row. Durable when
   * it resolves.
   *
   * @returns null: this type and subject has none of that id. @throws StoreFault
   */
  deactivate(key: ProbeKey, id: string, by: string): Promise<ActivationRecord | null>;

  /** Oldest first: those not deactivated that services are still told of, or whose trigger is still right. @throws StoreFault */
  list(filter: ActivationFilter): Promise<ActivationPage>;
}
