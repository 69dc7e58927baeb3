/** What the dashboard is told of the gateway it belongs to, beside what is in the store. */
import type { Readiness } from '../health.ts';

export type GateWatch = {
  /** As `/readyz` has it. */
  readonly readiness: () => Readiness;
  /** Since when the config in force is so, in Unix ms. */
  readonly configSince: () => number;
  /** Of the last hour, on this gateway, the most frequent first. */
  readonly refusals: () => readonly (readonly [code: string, count: number])[];
};
