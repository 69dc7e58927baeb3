/** Where the pages of one pin are. */
import type { PinKey } from '../../store/pin-store.ts';

export function pinPath({ pin, subject }: PinKey, action?: string): string {
  const path = `/pins/${encodeURIComponent(pin)}/${encodeURIComponent(subject)}`;
  return action === undefined ? path : `${path}/${action}`;
}
