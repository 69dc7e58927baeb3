/** Header names that are nobody's to configure, as folded names. */

const fixedNames = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'cookie',
  'date',
  'expect',
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
]);

/** Fields that would make an upstream act on another path, method or client than was judged. */
export const overridingNames: ReadonlySet<string> = new Set([
  'x-original-url',
  'x-original-uri',
  'x-original-method',
  'x-original-host',
  'x-rewrite-url',
  'x-override-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-host',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'client-ip',
  'x-originating-ip',
  'x-remote-ip',
  'x-remote-addr',
  'cf-connecting-ip',
  'fastly-client-ip',
  'x-envoy-external-address',
  'x-envoy-original-path',
  'x-cluster-client-ip',
  'forwarded',
  'x-request-id',
]);

const fixedPrefixes = ['access-control-', 'content-', 'proxy-', 'sec-', 'x-forwarded-'];

/** Whether a folded name has a meaning of its own on the wire (RFC 9110, RFC 9112, Fetch, proxies). */
export function hasFixedMeaning(folded: string): boolean {
  return (
    fixedNames.has(folded) ||
    overridingNames.has(folded) ||
    fixedPrefixes.some((prefix) => folded.startsWith(prefix))
  );
}
