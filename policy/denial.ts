/** How a refusal is written down inside: code, private reason, and what the answer may need. */
import type { Denial, DenialCode } from './types.ts';

type Details = Omit<Denial, 'code' | 'reason'>;

/** Whether nothing may tell it from a path that does not exist: it looks like `route_not_found` in every byte. */
export function isHidden({ code, status }: Pick<Denial, 'status'> & { readonly code: string }): boolean {
  return code === 'bind_mismatch' && status === 404;
}

export function denial(code: DenialCode, reason: string, details: Details = {}): Denial {
  return { code, reason, ...details };
}

/** A refusal as an `Outcome`. `reason` is for logs and `explain`; it never holds a token. */
export function denied(
  code: DenialCode,
  reason: string,
  details: Details = {},
): { readonly ok: false; readonly denial: Denial } {
  return { ok: false, denial: { code, reason, ...details } };
}
