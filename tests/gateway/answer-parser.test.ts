/** Which bytes are an answer, and which are refused, by section of RFC 9112 and RFC 9110. */
import { describe, expect, test } from 'vitest';
import { AnswerParser } from '../../gateway/answer-parser.ts';
import { UpstreamFault } from '../../gateway/fault.ts';

type Read = {
  readonly statuses: number[];
  readonly fields: string[];
  body: string;
  trailers: string[] | null;
  isPaused: boolean;
};

/** `ends`: the connection does, behind the last byte. @throws UpstreamFault */
function read(bytes: string, { ends = false, pauses = false, size = bytes.length } = {}) {
  const seen: Read = { statuses: [], fields: [], body: '', trailers: null, isPaused: false };
  const parser = new AnswerParser({
    get isPaused() {
      return seen.isPaused;
    },
    onHead(status, rawHeaders) {
      seen.statuses.push(status);
      seen.fields.push(...rawHeaders);
      seen.isPaused = pauses;
    },
    onBody(chunk) {
      seen.body += chunk.toString('latin1');
      seen.isPaused = pauses;
    },
    onEnd(rawTrailers) {
      seen.trailers = rawTrailers;
    },
  });
  parser.begin();
  for (let at = 0; at < bytes.length; at += size) {
    parser.read(Buffer.from(bytes.slice(at, at + size), 'latin1'));
    while (seen.isPaused) {
      seen.isPaused = false;
      parser.read();
    }
  }
  if (ends) parser.finish();
  const { keeps, idleHintMs, isOver } = parser;
  return { ...seen, keeps, idleHintMs, isOver };
}

const ok = 'HTTP/1.1 200 OK\r\n';
const empty = 'Content-Length: 0\r\n\r\n';
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;
const kept = { isOver: true, keeps: true };
const ended = { isOver: true, keeps: false };

describe('taken', () => {
  test.each<[string, string, object]>([
    ['9112 §4: a status line', `${ok}${empty}`, { statuses: [200], ...kept }],
    ['9112 §4: without a reason', `HTTP/1.1 200 \r\n${empty}`, { statuses: [200], ...kept }],
    ['9112 §4: without the space before it', `HTTP/1.1 200\r\n${empty}`, { statuses: [200], ...kept }],
    ['9112 §4: a reason in latin1', `HTTP/1.1 200 \xe9\t\r\n${empty}`, { statuses: [200], ...kept }],
    ['9110 §15: a status that nobody knows', `HTTP/1.1 999 x\r\n${empty}`, { statuses: [999], ...kept }],
    [
      '9112 §5: blanks around a value',
      `${ok}A: \t b \r\n${empty}`,
      { fields: ['A', 'b', 'Content-Length', '0'] },
    ],
    ['9112 §5: a value without bytes', `${ok}A:\r\n${empty}`, { fields: ['A', '', 'Content-Length', '0'] }],
    [
      '9110 §5.5: a value in latin1',
      `${ok}A: \xff\r\n${empty}`,
      { fields: ['A', '\xff', 'Content-Length', '0'] },
    ],
    ['9112 §6.2: a length', `${ok}Content-Length: 3\r\n\r\nabc`, { body: 'abc', trailers: [], ...kept }],
    [
      '9112 §6.2: a length with zeros before it',
      `${ok}content-length: 003\r\n\r\nabc`,
      { body: 'abc', ...kept },
    ],
    ['9112 §6.1: chunks', `${chunked}3\r\nabc\r\n0\r\n\r\n`, { body: 'abc', trailers: [], ...kept }],
    ['9112 §6.1: CHUNKED', `${ok}TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n`, kept],
    ['9112 §7.1: a size in hex', `${chunked}00A\r\n0123456789\r\n0\r\n\r\n`, { body: '0123456789', ...kept }],
    ['9112 §7.1.1: extensions', `${chunked}3;a;b=c;d="e;f"\r\nabc\r\n0;g\r\n\r\n`, { body: 'abc', ...kept }],
    [
      '9112 §7.1.2: trailers',
      `${chunked}0\r\nA: b\r\nC: d\r\n\r\n`,
      { trailers: ['A', 'b', 'C', 'd'], ...kept },
    ],
    [
      '9110 §15.2: interim answers',
      `HTTP/1.1 103 x\r\nLink: y\r\n\r\n${ok}${empty}`,
      { statuses: [103, 200], ...kept },
    ],
    ['9112 §6.3: 204', 'HTTP/1.1 204 x\r\n\r\n', { statuses: [204], body: '', ...kept }],
    ['9112 §6.3: 204 of length 0', `HTTP/1.1 204 x\r\n${empty}`, kept],
    ['9112 §6.3: 304 with a length', 'HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n', { body: '', ...kept }],
    [
      '9110 §15.3.6: 205 as any other',
      'HTTP/1.1 205 x\r\nContent-Length: 1\r\n\r\na',
      { body: 'a', ...kept },
    ],
  ])('%s', (_name, bytes, expected) => {
    const whole = read(bytes);
    expect(whole).toMatchObject(expected);
    // The same, however it comes.
    expect(read(bytes, { size: 1 })).toEqual(whole);
    expect(read(bytes, { pauses: true })).toEqual(whole);
  });

  test.each<[string, string, object]>([
    ['9112 §6.3: up to the end of the connection', `${ok}\r\nabc`, { body: 'abc', ...ended }],
    ['9112 §6.3: that at once', `${ok}\r\n`, { body: '', ...ended }],
    ['9112 §6.3: in HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nabc', { body: 'abc', ...ended }],
  ])('%s', (_name, bytes, expected) => {
    expect(read(bytes)).toMatchObject({ isOver: false, trailers: null });
    expect(read(bytes, { ends: true })).toMatchObject(expected);
    expect(read(bytes, { ends: true, size: 1 })).toMatchObject(expected);
  });
});

describe('taken, and the connection is not kept', () => {
  test.each([
    ['9112 §9.3: HTTP/1.0', `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n${empty}`],
    ['9112 §9.6: Connection: close', `${ok}Connection: close\r\n${empty}`],
    ['9112 §9.6: among others', `${ok}Connection: a\r\nCONNECTION: b, CLOSE ,c\r\n${empty}`],
    ['9112 §6.3: 204 with a length', 'HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\n'],
    ['9112 §6.3: 204 in chunks', 'HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['9112 §6.3: 304 in chunks', 'HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['9112 §9.2: more than the answer', `${ok}${empty}H`],
    ['9112 §9.2: an empty line behind it', `${ok}${empty}\r\n`],
    ['9112 §9.2: more than the last chunk', `${chunked}0\r\n\r\n0`],
  ])('%s', (_name, bytes) => {
    expect(read(bytes)).toMatchObject(ended);
  });
});

describe('refused', () => {
  const value = 'a control character in a header';
  const name = 'a header name that is none';
  const size = 'a chunk size that is none';
  const coding = 'a transfer coding that is not chunked';
  const statusLine = 'not a status line of HTTP/1.1';
  const longest = 64 * 1024;
  test.each([
    ['9112 §4: another protocol', `HTTP/2.0 200 OK\r\n${empty}`, statusLine],
    ['9112 §4: another version', `HTTP/1.2 200 OK\r\n${empty}`, statusLine],
    ['9112 §4: small letters', `http/1.1 200 OK\r\n${empty}`, statusLine],
    ['9112 §4: two spaces', `HTTP/1.1  200 OK\r\n${empty}`, statusLine],
    ['9112 §4: four digits', `HTTP/1.1 2000 OK\r\n${empty}`, statusLine],
    ['9112 §4: a control character in the reason', `HTTP/1.1 200 \x01\r\n${empty}`, statusLine],
    ['9112 §2.2: an empty line before it', `\r\n${ok}${empty}`, statusLine],
    ['9112 §2.2: LF alone', `HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n`, statusLine],
    ['9112 §2.2: CR alone', `${ok}A: b\rC: d\r\n${empty}`, value],
    ['9112 §2.2: LF alone between fields', `${ok}A: b\nC: d\r\n${empty}`, value],
    ['9110 §5.5: NUL', `${ok}A: \0\r\n${empty}`, value],
    ['9110 §5.5: DEL', `${ok}A: \x7f\r\n${empty}`, value],
    ['9112 §5.1: a space before the colon', `${ok}Content-Length : 0\r\n\r\n`, name],
    ['9112 §5.1: no name', `${ok}: b\r\n${empty}`, name],
    ['9112 §5: no colon', `${ok}A\r\n${empty}`, 'a header line without a name'],
    ['9112 §5.2: a folded line', `${ok}A: b\r\n c\r\n${empty}`, 'a header line without a name'],
    ['9112 §5.2: a folded line with a colon', `${ok}A: b\r\n c: d\r\n${empty}`, name],
    ['9112 §5.2: a line that is only blank', `${ok}A: b\r\n \r\n${empty}`, 'a header line without a name'],
    ['9112 §5: a tab at the end', `${ok}A: b\t\r\n${empty}`, 'a header that ends with a tab'],
    [
      '9112 §6.3: a length and chunks',
      `${ok}Transfer-Encoding: chunked\r\n${empty}`,
      'both Content-Length and Transfer-Encoding',
    ],
    ['9112 §6.3: two lengths', `${ok}Content-Length: 0\r\n${empty}`, 'more than one Content-Length'],
    ...['', '+1', '-1', '1.0', '0x1', '1, 1', '1 1', '9'.repeat(16)].map((length) => [
      `9110 §8.6: a length of "${length}"`,
      `${ok}Content-Length: ${length}\r\n\r\n`,
      'Content-Length is not a number',
    ]),
    ...['gzip', 'gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', ''].map((value) => [
      `9112 §6.1: a coding of "${value}"`,
      `${ok}Transfer-Encoding: ${value}\r\n\r\n`,
      coding,
    ]),
    [
      '9112 §6.1: chunked twice',
      `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
      coding,
    ],
    ['9112 §6.1: chunks in HTTP/1.0', chunked.replace('1.1', '1.0'), 'Transfer-Encoding in HTTP/1.0'],
    ['9110 §15.2: 100', `HTTP/1.1 100 x\r\n\r\n`, 'status 100, which nobody asked for'],
    ['9110 §15.2: 101', `HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n`, 'status 101, which nobody asked for'],
    ['9110 §15.2: an interim answer in HTTP/1.0', 'HTTP/1.0 103 x\r\n\r\n', 'an interim answer in HTTP/1.0'],
    ['9110 §15.2: one with a body', `HTTP/1.1 103 x\r\n${empty}`, 'a body with status 103'],
    ...['', '-1', '+1', '0x1', 'g', '1 ', ' 1', '1;', '1; a', '1;a=', '1;a="', '1'.repeat(13)].map((line) => [
      `9112 §7.1: a chunk size of "${line}"`,
      `${chunked}${line}\r\n`,
      size,
    ]),
    ['9112 §7.1: LF alone behind a size', `${chunked}1\na\r\n0\r\n\r\n`, size],
    [
      '9112 §7.1: more in a chunk than its size',
      `${chunked}1\r\nab\r\n0\r\n\r\n`,
      'a chunk longer than its size',
    ],
    [
      '9112 §7.1.1: a size that does not end',
      `${chunked}1;${'a'.repeat(1024)}`,
      'a chunk size without an end',
    ],
    ['9112 §7.1.2: a trailer that is none', `${chunked}0\r\nA : b\r\n\r\n`, name],
    ['a head that does not end', `${ok}A: ${'b'.repeat(longest)}`, 'a head of more than 64 KiB'],
    ['trailers that do not end', `${chunked}0\r\nA: ${'b'.repeat(longest)}`, 'trailers of more than 64 KiB'],
  ])('%s', (_name, bytes, reason) => {
    const fault = new UpstreamFault('upstream_protocol_error', reason);
    expect(() => read(bytes)).toThrow(fault);
    if (bytes.length < 1000) expect(() => read(bytes, { size: 1 })).toThrow(fault);
  });

  test.each([
    ['nothing', ''],
    ['half a head', ok],
    ['an interim answer', 'HTTP/1.1 103 x\r\n\r\n'],
    ['half a body', `${ok}Content-Length: 3\r\n\r\nab`],
    ['no last chunk', `${chunked}3\r\nabc\r\n`],
    ['no end of the last chunk', `${chunked}3\r\nabc\r\n0\r\n`],
  ])('9112 §8: %s, and then the connection ends', (_name, bytes) => {
    expect(() => read(bytes, { ends: true })).toThrow('the connection ended before the answer did');
  });
});

describe('how long an idle connection is kept', () => {
  test.each([
    ['timeout=5', 5000],
    ['timeout=5, max=100', 5000],
    ['max=100,timeout=5', 5000],
    ['max=100; timeout=5;x', 5000],
    ['TimeOut = "5"', 5000],
    ['timeout=0', 0],
    ['max=100', null],
    ['xtimeout=5', null],
    ['timeout=-1', null],
  ])('is said by "%s"', (hint, ms) => {
    expect(read(`${ok}Keep-Alive: ${hint}\r\n${empty}`)).toMatchObject({ idleHintMs: ms, keeps: true });
  });

  test('is not said by an interim answer', () => {
    const interim = 'HTTP/1.1 103 x\r\nKeep-Alive: timeout=5\r\nConnection: close\r\n\r\n';
    expect(read(`${interim}${ok}${empty}`)).toMatchObject({ idleHintMs: null, keeps: true });
  });
});
