/** How the operations that `serve` rows do end: with an answer, or with a mistake of ours. */
import type { Checked } from '../../policy/token-input.ts';
import type { Outcome } from '../../policy/types.ts';
import type { Operated } from '../serve.ts';

/** The config was checked so that this cannot be refused. @throws Error where it is: a mistake of ours */
export function expected<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value;
  throw new Error(`an operation that was checked is refused: ${checked.complaint.message}`);
}

export function done(status: Operated['status'], body: Operated['body']): Outcome<Operated> {
  return { ok: true, value: { status, body } };
}
