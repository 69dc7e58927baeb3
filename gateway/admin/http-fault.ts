/** Whatever was thrown on the admin listener, as the no that is told. */
import { StoreFault } from '../../store/fault.ts';
import { type Problem, Refused } from './http-problem.ts';

export type FaultTellers = {
  /** Told why the store could not answer, for the log. */
  readonly fault: (fault: StoreFault, requestId: string) => void;
  /** Told of what nobody expected, for the log. */
  readonly bug: (error: unknown, requestId: string) => void;
};

export function problemFrom(error: unknown, requestId: string, { fault, bug }: FaultTellers): Problem {
  if (error instanceof Refused) return error.problem;
  if (error instanceof StoreFault) {
    const { retryAfterMs } = error;
    fault(error, requestId);
    return { code: 'store_unavailable', ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  }
  bug(error, requestId);
  return { code: 'internal_error' };
}
