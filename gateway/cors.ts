/** CORS fields (Fetch standard). Rows with `cors` own every Access-Control-* field. */
import { allowedOrigin, type Preflight } from '../policy/cors.ts';
import type { Cors } from '../policy/types.ts';
import type { Answer, Field } from './answer.ts';

const preflightVary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

export function preflightAnswer({ cors, origin }: Preflight, requestId: string): Answer {
  const fields: Field[] = [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Allow-Methods', cors.methods.join(', ')],
    ['Access-Control-Max-Age', String(cors.maxAgeS)],
    ['Vary', preflightVary],
    ['X-Request-Id', requestId],
  ];
  if (cors.headers.length > 0) fields.push(['Access-Control-Allow-Headers', cors.headers.join(', ')]);
  if (cors.credentials) fields.push(['Access-Control-Allow-Credentials', 'true']);
  return { status: 204, fields, body: '' };
}

/** Fields for any other answer of a row with `cors`, refusals too: a browser hides what lacks them. */
export function corsFields(cors: Cors | null, origin: string | null): readonly Field[] {
  if (cors === null) return [];
  const echo = origin === null ? null : allowedOrigin(cors, origin);
  const fields: Field[] = [];
  if (echo !== null) {
    fields.push(['Access-Control-Allow-Origin', echo]);
    if (cors.credentials) fields.push(['Access-Control-Allow-Credentials', 'true']);
    if (cors.expose.length > 0) fields.push(['Access-Control-Expose-Headers', cors.expose.join(', ')]);
  }
  return fields;
}

/** `Origin` first, then what the upstream's answer varies by; nothing the client sent. */
export function mergedVary(upstream: readonly string[]): string {
  const names = upstream.flatMap((value) => value.split(',')).map((name) => name.trim());
  return ['Origin', ...names.filter((name) => name !== '' && name.toLowerCase() !== 'origin')].join(', ');
}
