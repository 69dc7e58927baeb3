/** What an alert store promises: each alert once in its time, in the audit, kept until somebody has seen and taken it. */
import type { AlertKind, AlertRecord } from '../policy/alert-types.ts';

export type NewAlert = {
  readonly kind: AlertKind;
  /** What it is about; its first 200 characters are kept. Alerts of one kind and subject are the same thing told again. */
  readonly subject: string;
  readonly tokenId: string | null;
  /** Becomes JSON. Never a secret. */
  readonly detail: Readonly<Record<string, unknown>>;
  /** No second one of this kind and subject within this time; 0: always. */
  readonly quietMs: number;
};

/** Newest first; `after` is the `next` of the page before. */
export type AlertFilter = {
  /** Only those that nobody has acknowledged. */
  readonly open: boolean;
  readonly after: string | null;
  /** 1 to 1000. */
  readonly limit: number;
};

export type AlertPage = { readonly alerts: readonly AlertRecord[]; readonly next: string | null };

/** One that is to be sent. `nextTryAt`: when, in Unix ms. */
export type DueAlert = { readonly alert: AlertRecord; readonly nextTryAt: number };

export interface AlertStore {
  /**
   * Keeps it, with an audit row in the same transaction; durable when it resolves. Of any number of the same at once,
   * in any number of processes, one gets in.
   *
   * @returns null: the same was raised within its quiet time. @throws StoreFault
   */
  raise(alert: NewAlert): Promise<AlertRecord | null>;

  /** @throws StoreFault */
  list(filter: AlertFilter): Promise<AlertPage>;

  /**
   * Once: one that was acknowledged before stays as it is, without another audit row. Durable when it resolves.
   *
   * @returns null: there is none of this id. @throws StoreFault
   */
  acknowledge(id: string, by: string): Promise<AlertRecord | null>;

  /** Those to be sent now, the longest due first. @throws StoreFault */
  due(limit: number): Promise<readonly DueAlert[]>;

  /**
   * Takes one to send it, and counts the attempt; nobody else gets it before `untilMs` (Unix ms), when it is due again
   * should its sender be gone by then.
   *
   * @returns false: another process was faster. @throws StoreFault
   */
  claim(due: DueAlert, untilMs: number): Promise<boolean>;

  /** It was taken. @throws StoreFault */
  delivered(id: string): Promise<void>;

  /** It was not. @param nextTryAt Unix ms; null: it is not sent again. @throws StoreFault */
  failed(id: string, nextTryAt: number | null): Promise<void>;

  /** Forgets those of more than 400 days ago. @throws StoreFault */
  forgetOld(): Promise<void>;
}
