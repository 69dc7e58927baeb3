/** One alert to the operator's own receiver: a signed POST, and whether it was taken. Nothing in a failure repeats url or secret. */
import { createHmac } from 'node:crypto';
import { Agent, request } from 'undici';
import type { AlertRecord } from '../policy/alert-types.ts';
import { alertView } from '../policy/alert-view.ts';

export type Webhook = { readonly url: string; readonly secret: string };

/** null: it was taken. Otherwise why not, in words of ours. */
export type Refusal = string | null;

export interface Poster {
  /** Never rejects. Takes ten seconds at most; an alert may arrive twice, under the same id. */
  post(webhook: Webhook, alert: AlertRecord): Promise<Refusal>;
  /** Ends what is under way; it is as if the receiver had not answered. */
  close(): Promise<void>;
}

export const postMsMax = 10_000;

/** @param now Unix ms. */
export function createPoster(now: () => number, timeLimitMs = postMsMax): Poster {
  const agent = new Agent({ connect: { timeout: timeLimitMs }, connections: 4, pipelining: 1 });
  const leaving = new AbortController();
  return {
    async post({ url, secret }, alert) {
      const body = bodyOf(alert, now());
      const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(timeLimitMs)]);
      try {
        const { statusCode, body: answer } = await request(url, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            'User-Agent': 'postern',
            'X-Postern-Delivery': alert.id,
            'X-Postern-Signature': signatureOf(body, secret),
          },
          body,
          signal,
          dispatcher: agent,
        });
        // What it says beside its status is nothing to us.
        answer.on('error', () => {});
        answer.destroy();
        return statusCode >= 200 && statusCode < 300 ? null : `it answered ${statusCode}`;
      } catch (error) {
        return reasonOf(error);
      }
    },
    async close() {
      leaving.abort();
      await agent.destroy();
    },
  };
}

/** `sent_at` is signed with the rest: a receiver refuses what is old. */
function bodyOf(alert: AlertRecord, now: number): string {
  const { attempts: _a, delivered_at: _d, ...shown } = alertView(alert);
  return JSON.stringify({ event: 'alert', sent_at: new Date(now).toISOString(), alert: shown });
}

/** HMAC-SHA256 (RFC 2104) of the body to the byte, in hex. */
export function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

/** Only codes: the words of a library may repeat where it was sent to. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it could not be sent';
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  const code = 'code' in error ? String(error.code) : error.name;
  return /^[A-Za-z0-9_]{1,60}$/.test(code) ? `it could not be sent (${code})` : 'it could not be sent';
}
