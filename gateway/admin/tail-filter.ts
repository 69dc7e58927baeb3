/** Which decisions a reader of the live tail wants, as it is said. */
import { type Parsed, parsed, unreadable } from '../../policy/config-problem.ts';

/** Every part that is not null must hold. */
export type TailFilter = {
  readonly tokenId: string | null;
  /** Row id. */
  readonly row: string | null;
  readonly onlyRefusals: boolean;
  readonly status: StatusRange | null;
};

/** Both included. */
export type StatusRange = { readonly from: number; readonly to: number };

/** `403`, or `4xx` for a whole class; 0: nothing was answered. */
export function parseStatus(text: string): Parsed<StatusRange> {
  const [, digit, rest] = /^([1-5])(xx|[0-9]{2})$/.exec(text) ?? [];
  if (text === '0') return parsed({ from: 0, to: 0 });
  if (digit === undefined || rest === undefined) {
    return unreadable('not a status', 'write one, such as 403, or a class of them: 4xx');
  }
  const hundred = Number(digit) * 100;
  if (rest === 'xx') return parsed({ from: hundred, to: hundred + 99 });
  return parsed({ from: hundred + Number(rest), to: hundred + Number(rest) });
}
