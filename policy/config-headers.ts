/** Header names that are nobody's to configure, as folded names. */

const fixedNames = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'cookie',
  'date',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'max-forwards',
  'origin',
  'range',
  'server',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'www-authenticate',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-real-ip',
  'x-request-id',
  'x-rewrite-url',
]);
const fixedPrefixes = ['access-control-', 'content-', 'proxy-', 'sec-', 'x-forwarded-'];

/** Whether a folded name has a meaning of its own on the wire (RFC 9110, RFC 9112, Fetch, proxies). */
export function hasFixedMeaning(folded: string): boolean {
  return fixedNames.has(folded) || fixedPrefixes.some((prefix) => folded.startsWith(prefix));
}
