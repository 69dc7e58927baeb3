/** Checks an alert that Postern sends: that it is from a Postern that has the secret, whole, and sent a moment ago. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** How old an alert may be when it arrives, clocks that differ included. */
const oldestMs = 5 * 60_000;

export type Alert = {
  /** The same however often it is sent: remember those you have seen for a day. */
  id: string;
  kind: string;
  summary: string;
  /** Callers may have chosen texts in these: show them as text, never as markup. */
  subject: string;
  detail: Record<string, unknown>;
  token_id: string | null;
  at: string;
};

/**
 * @param body as it arrived, to the byte: not parsed and written again.
 * @param signature the field X-Postern-Signature.
 * @throws where it is forged, changed or old. Then answer 401; else 2xx within ten seconds, and do the work after.
 */
export function verify(body: Buffer, signature: string | undefined, secret: string, now = Date.now()): Alert {
  const right = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(signature ?? '');
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw new Error('not signed by us');
  const { sent_at, alert } = JSON.parse(body.toString());
  if (!(Math.abs(now - Date.parse(sent_at)) <= oldestMs)) throw new Error('sent too long ago');
  return alert;
}
