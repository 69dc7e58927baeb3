/** Bytes that two parsers could read as different messages. Each must end its connection, unforwarded. */

export type Attack = readonly [name: string, bytes: string];

/** What an attacker hides behind the message; a public row, so only the framing can stop it. */
const inner = 'GET /open?inner HTTP/1.1\r\nHost: gate\r\n\r\n';

const chunkedInner = `0\r\n\r\n${inner}`;

function post(lines: readonly string[], body: string): string {
  return ['POST /open HTTP/1.1', 'Host: gate', ...lines, '', body].join('\r\n');
}

/** RFC 9112 §6.1 and every way it has been misread. */
const codings: readonly string[] = [
  'Transfer-Encoding: chunked',
  'transfer-encoding: chunked',
  'TRANSFER-ENCODING: CHUNKED',
  'Transfer-Encoding: Chunked',
  'Transfer-Encoding:chunked',
  'Transfer-Encoding:  chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked ',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\x0b',
  'Transfer-Encoding: \x0cchunked',
  'Transfer-Encoding: chunked\x00',
  'Transfer-Encoding: \xa0chunked',
  'Transfer-Encoding: chunked\xff',
  'Transfer-Encoding: "chunked"',
  "Transfer-Encoding: 'chunked'",
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: chunked; x',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: , chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunkedx',
  'Transfer-Encoding: chunke',
  'Transfer-Encoding: cow',
  'Transfer-Encoding: 1',
  'Transfer-Encoding:',
  'Transfer-Encoding: ',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding:\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding:\n chunked',
  'Transfer-Encoding\r\n: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding\t: chunked',
  ' Transfer-Encoding: chunked',
  '\tTransfer-Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\nX: y',
  'Transfer-Encoding\x00: chunked',
  'Transfer-Encoding=chunked',
];

/** A length and a coding together, the length first, last, and with bodies that fit either. */
export const bothFramings: readonly Attack[] = codings.flatMap((coding): Attack[] => [
  [`CL then ${coding}`, post([`Content-Length: ${chunkedInner.length}`, coding], chunkedInner)],
  [`${coding} then CL`, post([coding, `Content-Length: ${chunkedInner.length}`], chunkedInner)],
  [`short CL and ${coding}`, post(['Content-Length: 5', coding], chunkedInner)],
]);

/** Codings other than exactly one `chunked`, without any length. */
export const oddCodings: readonly Attack[] = [
  ['chunked in HTTP/1.0', post(['Transfer-Encoding: chunked'], chunkedInner).replace('HTTP/1.1', 'HTTP/1.0')],
  ...codings
    .filter((coding) => !/^transfer-encoding:[ \t]*chunked[ \t]*$/i.test(coding))
    .map((coding): Attack => [coding, post([coding], chunkedInner)]),
];

const lengths: readonly string[] = [
  'Content-Length:',
  'Content-Length: ',
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: -0',
  'Content-Length: 5 5',
  'Content-Length: 5,5',
  'Content-Length: 5, 5',
  'Content-Length: 5, 6',
  'Content-Length: 0x5',
  'Content-Length: 5e0',
  'Content-Length: 5.0',
  'Content-Length: 5_0',
  'Content-Length: 5;',
  'Content-Length: "5"',
  'Content-Length: five',
  'Content-Length: \x0b5',
  'Content-Length: 5\x0b',
  'Content-Length: 5\x00',
  'Content-Length: \xa05',
  'Content-Length: \xb2',
  'Content-Length: 1000000000000000',
  'Content-Length: 18446744073709551621',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 0\r\nContent-Length: 5',
  'Content-Length: 5\r\nContent-Length:',
  'Content-Length:\r\nContent-Length: 5',
  'Content-Length: 5\r\nCONTENT-LENGTH: 5',
  'Content-Length:\r\n 5',
  'Content-Length : 5',
  'Content-Length\t: 5',
  ' Content-Length: 5',
  'Content-Length\x00: 5',
  'X: y\nContent-Length: 5',
  'X: y\rContent-Length: 5',
];

export const oddLengths: readonly Attack[] = lengths.map(
  (line): Attack => [line, post([line], `hello${inner}`)],
);

/** RFC 9112 §7.1: what stands where a chunk's size, its end or the last chunk should be. */
const chunks: readonly string[] = [
  '0x5\r\nhello\r\n0\r\n\r\n',
  '+5\r\nhello\r\n0\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  ' 5\r\nhello\r\n0\r\n\r\n',
  '\t5\r\nhello\r\n0\r\n\r\n',
  '5 5\r\nhello\r\n0\r\n\r\n',
  '5_0\r\nhello\r\n0\r\n\r\n',
  '5.\r\nhello\r\n0\r\n\r\n',
  'g\r\nhello\r\n0\r\n\r\n',
  '\r\nhello\r\n0\r\n\r\n',
  '5\nhello\r\n0\r\n\r\n',
  '5\rhello\r\n0\r\n\r\n',
  '5\r\nhello\n0\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhelloX\r\n0\r\n\r\n',
  '5\r\nhello\r0\r\n\r\n',
  '5\r\nhell\r\n0\r\n\r\n',
  '10000000000000000\r\nhello\r\n0\r\n\r\n',
  'fffffffffffffffff\r\nhello\r\n0\r\n\r\n',
  '5\x00\r\nhello\r\n0\r\n\r\n',
  '5;\x00\r\nhello\r\n0\r\n\r\n',
  '5;a\nb\r\nhello\r\n0\r\n\r\n',
  '5;a\rb\r\nhello\r\n0\r\n\r\n',
  `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`,
  '5\r\nhello\r\n0\n\r\n',
  '5\r\nhello\r\n0\r\n\n',
  '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
  '5\r\nhello\r\n0\r\nX\x00: y\r\n\r\n',
  '5\r\nhello\r\n0\r\n folded\r\n\r\n',
  '5\r\nhello\r\n0\r\nX: y\nZ: w\r\n\r\n',
];

export const oddChunks: readonly Attack[] = chunks.map(
  (body): Attack => [
    JSON.stringify(body.slice(0, 40)),
    post(['Transfer-Encoding: chunked'], `${body}${inner}`),
  ],
);

/** Lines that end, begin or hold what they must not (RFC 9112 §2.2, §5). */
export const oddLines: readonly Attack[] = [
  ['bare LF after the request line', 'GET /open HTTP/1.1\nHost: gate\r\n\r\n'],
  ['bare LF everywhere', 'GET /open HTTP/1.1\nHost: gate\n\n'],
  ['bare LF after a field', 'GET /open HTTP/1.1\r\nHost: gate\nX: y\r\n\r\n'],
  ['bare LF at the end', 'GET /open HTTP/1.1\r\nHost: gate\r\n\n'],
  ['bare CR in a value', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\rb\r\n\r\n'],
  ['bare CR after a field', 'GET /open HTTP/1.1\r\nHost: gate\rX: y\r\n\r\n'],
  ['CR and a byte where the end is due', `GET /open HTTP/1.1\r\nHost: gate\r\n\rX${inner}`],
  ['a folded value', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\r\n b\r\n\r\n'],
  ['a value folded by a tab', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\r\n\tb\r\n\r\n'],
  ['a folded first line', 'GET /open HTTP/1.1\r\n Host: gate\r\n\r\n'],
  ['space before the colon', 'GET /open HTTP/1.1\r\nHost: gate\r\nX : y\r\n\r\n'],
  ['tab before the colon', 'GET /open HTTP/1.1\r\nHost: gate\r\nX\t: y\r\n\r\n'],
  ['no colon', 'GET /open HTTP/1.1\r\nHost: gate\r\nX\r\n\r\n'],
  ['no name', 'GET /open HTTP/1.1\r\nHost: gate\r\n: y\r\n\r\n'],
  ['NUL in a name', 'GET /open HTTP/1.1\r\nHost: gate\r\nX\x00Y: y\r\n\r\n'],
  ['NUL in a value', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\x00b\r\n\r\n'],
  ['ESC in a value', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\x1bb\r\n\r\n'],
  ['DEL in a value', 'GET /open HTTP/1.1\r\nHost: gate\r\nX: a\x7fb\r\n\r\n'],
  ['a name in quotes', 'GET /open HTTP/1.1\r\nHost: gate\r\n"X": y\r\n\r\n'],
  ['a name beyond ASCII', 'GET /open HTTP/1.1\r\nHost: gate\r\nX\xe9: y\r\n\r\n'],
  ['101 fields', `GET /open HTTP/1.1\r\nHost: gate\r\n${'X: y\r\n'.repeat(100)}\r\n${inner}`],
];

/** Request lines of other protocols, versions and forms (RFC 9112 §2.3, §3.2). */
export const oddRequestLines: readonly Attack[] = [
  'GET /open',
  'POST /open',
  'GET /open HTTP/0.9',
  'GET /open HTTP/1.2',
  'GET /open HTTP/1.10',
  'GET /open HTTP/2.0',
  'GET /open HTTP/3',
  'GET /open http/1.1',
  'GET /open HTTP/1',
  'GET /open HTTP/1.1 HTTP/1.1',
  'GET /open HTTPS/1.1',
  'GET /open HTCPCP/1.0',
  'GET /open ICE/1.0',
  'GET\t/open HTTP/1.1',
  'GET /open\tHTTP/1.1',
  ' GET /open HTTP/1.1',
  'get /open HTTP/1.1',
  'G\x00ET /open HTTP/1.1',
  'GETT /open HTTP/1.1',
  'PRI * HTTP/2.0',
  'PRI /open HTTP/1.1',
  'SOURCE /open ICE/1.0',
  'GET * HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET http://gate/open HTTP/1.1',
  'GET HTTP://gate/open HTTP/1.1',
  'GET https://evil.example/open HTTP/1.1',
  'GET //evil.example/open HTTP/1.1',
  'GET gate/open HTTP/1.1',
  'GET open HTTP/1.1',
  'GET ?x HTTP/1.1',
  'CONNECT gate:443 HTTP/1.1',
  'CONNECT /open HTTP/1.1',
  'TRACK /open HTTP/1.1',
].map((line): Attack => [line, `${line}\r\nHost: gate\r\n\r\n${inner}`]);

/** Not exactly one `host[:port]` (RFC 9112 §3.2). */
export const oddHosts: readonly Attack[] = [
  'X: no host',
  'Host:',
  'Host: ',
  'Host: gate\r\nHost: gate',
  'Host: gate\r\nHost: other',
  'Host: gate\r\nhost: gate',
  'Host: gate, other',
  'Host: gate other',
  'Host: gate:',
  'Host: gate:x',
  'Host: gate:99999',
  'Host: gate:80:80',
  'Host: gate:-1',
  'Host: gate/open',
  'Host: /',
  'Host: http://gate',
  'Host: user@gate',
  'Host: gate?x',
  'Host: gate#x',
  'Host: gate\\x',
  'Host: gate%00',
  'Host: gate%2f',
  'Host: .gate',
  'Host: gate..x',
  'Host: -gate',
  'Host: [::1',
  'Host: ::1',
  'Host: [gate]',
  'Host: [::1]x',
  'Host: 0x7f.1',
  'Host: 127.1',
  'Host: xn--',
  'Host: <b>',
  "Host: gate'",
  'Host: gate"',
  'Host: \xff',
  'Host: *',
  `Host: ${'a'.repeat(256)}`,
].map((line): Attack => [line, `GET /open HTTP/1.1\r\n${line}\r\n\r\n${inner}`]);

/** Expectations nobody can meet (RFC 9110 §10.1.1). */
export const oddExpectations: readonly Attack[] = [
  'Expect: 100',
  'Expect: 200-ok',
  'Expect: continue',
  'Expect: 100_continue',
  'Expect: x',
  'Expect: 100-continuex',
].map((line): Attack => [line, post([line, 'Content-Length: 5'], `hello${inner}`)]);
