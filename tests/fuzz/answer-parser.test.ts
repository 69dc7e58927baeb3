/**
 * The strict client's parser beside node's own: what it takes for an answer, node takes for the same one. It may refuse
 * more; it may never read differently, and never keep a connection that node would give up.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerParser } from '../../gateway/answer-parser.ts';
import { fuzz } from '../support/fuzz.ts';

type Answer = {
  readonly interim: readonly number[];
  readonly status: number;
  readonly rawHeaders: readonly string[];
  readonly body: string;
  readonly rawTrailers: readonly string[];
  readonly keeps: boolean;
};

/** null: refused, or not whole. `ends`: the upstream closes its side after the last byte. */
function readStrictly(
  parts: readonly Buffer[],
  ends: boolean,
  pauses: readonly boolean[] = [],
): Answer | null {
  const interim: number[] = [];
  const body: Buffer[] = [];
  let head: { status: number; rawHeaders: readonly string[] } | null = null;
  let trailers: readonly string[] | null = null;
  let turn = 0;
  const sink = {
    isPaused: false,
    onHead(status: number, rawHeaders: string[]) {
      if (status < 200) interim.push(status);
      else head = { status, rawHeaders };
      sink.isPaused = pauses[turn++] ?? false;
    },
    onBody(chunk: Buffer) {
      body.push(chunk);
      sink.isPaused = pauses[turn++] ?? false;
    },
    onEnd(rawTrailers: string[]) {
      trailers = rawTrailers;
    },
  };
  const parser = new AnswerParser(sink);
  parser.begin();
  const goOn = () => {
    while (sink.isPaused) {
      sink.isPaused = false;
      parser.read();
    }
  };
  let surplus = false;
  try {
    for (const part of parts) {
      if (parser.isOver) {
        surplus = surplus || part.length > 0;
        continue;
      }
      // The client reads into one buffer for all connections.
      const shared = Buffer.from(part);
      parser.read(shared);
      shared.fill(0x58);
      goOn();
    }
    if (ends && !parser.isOver) parser.finish();
  } catch {
    return null;
  }
  if (head === null || trailers === null) return null;
  const { status, rawHeaders } = head as { status: number; rawHeaders: readonly string[] };
  return {
    interim,
    status,
    rawHeaders,
    body: Buffer.concat(body).toString('latin1'),
    rawTrailers: trailers,
    keeps: parser.keeps && !surplus,
  };
}

async function readByNode(bytes: Buffer, ends: boolean): Promise<Answer | null> {
  const socket = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
    setKeepAlive: () => {},
    setTimeout: () => {},
    ref: () => {},
    unref: () => {},
  });
  const agent = Object.assign(new Agent({ keepAlive: true }), { createConnection: () => socket });
  const interim: number[] = [];
  const asked = request({ agent, method: 'GET', host: 'app', path: '/' });
  asked.on('information', ({ statusCode }) => interim.push(statusCode));
  // A listener keeps node from reading on as something else.
  let isUpgrade = false;
  asked.on('upgrade', () => {
    isUpgrade = true;
  });
  const failed = new Promise<null>((resolve) => {
    asked.once('error', () => resolve(null));
    asked.once('upgrade', () => resolve(null));
  });
  const answered = new Promise<IncomingMessage>((resolve) => asked.once('response', resolve));
  asked.end();
  await once(asked, 'finish');
  socket.push(bytes);
  if (ends) socket.push(null);
  const late = new Promise<null>((resolve) => setTimeout(resolve, ends ? 50 : 5, null).unref());
  const answer = await Promise.race([answered, failed, late]);
  try {
    if (answer === null || isUpgrade) return null;
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    const whole = new Promise<true>((resolve) => answer.once('end', () => resolve(true)));
    const broken = new Promise<null>((resolve) => answer.once('error', () => resolve(null)));
    if ((await Promise.race([whole, broken, late])) === null || !answer.complete) return null;
    return {
      interim,
      status: answer.statusCode ?? 0,
      rawHeaders: answer.rawHeaders,
      body: Buffer.concat(chunks).toString('latin1'),
      rawTrailers: answer.rawTrailers,
      keeps: (asked as unknown as { shouldKeepAlive: boolean }).shouldKeepAlive,
    };
  } finally {
    asked.destroy();
    socket.destroy();
  }
}

const line = (...lines: string[]) => fc.constantFrom(...lines);
const statusLines = fc.oneof(
  { weight: 6, arbitrary: line('HTTP/1.1 200 OK', 'HTTP/1.1 404 Not Found', 'HTTP/1.1 204 No Content') },
  {
    weight: 2,
    arbitrary: line('HTTP/1.1 304 Not Modified', 'HTTP/1.0 200 OK', 'HTTP/1.1 200', 'HTTP/1.1 599 x\ty'),
  },
  {
    weight: 1,
    arbitrary: line(
      ...[
        'HTTP/1.1 101 Switching',
        'HTTP/1.1 100 Continue',
        'HTTP/2.0 200 OK',
        'HTTP/1.1  200 OK',
        'http/1.1 200 OK',
      ],
      ...[
        'HTTP/1.1 2000 OK',
        'HTTP/1.1 20 OK',
        'ICY 200 OK',
        ' HTTP/1.1 200 OK',
        'HTTP/1.1 099 x',
        'HTTP/1.1 200 \x80\xff',
      ],
    ),
  },
);
const headerLines = fc.oneof(
  {
    weight: 4,
    arbitrary: line('Content-Length: 5', 'Transfer-Encoding: chunked', 'X-A: b', 'Content-Type:text/plain'),
  },
  {
    weight: 2,
    arbitrary: line(
      'Connection: close',
      'connection: Keep-Alive',
      'Keep-Alive: timeout=5',
      'X-Empty:',
      'Set-Cookie: a=b',
    ),
  },
  {
    weight: 1,
    arbitrary: line(
      ...[
        'Content-Length: 0',
        'Content-Length: 05',
        'content-length : 5',
        'Content-Length: +5',
        'Content-Length: 5, 5',
      ],
      ...[
        'Content-Length: 5\r\n 1',
        'Transfer-Encoding: gzip, chunked',
        'Transfer-Encoding: CHUNKED',
        'Transfer-Encoding:\tchunked ',
      ],
      ...[
        'Transfer-Encoding: identity',
        'X: \x00',
        'X: a\nb',
        'X: a\rb',
        'no colon',
        ': no name',
        'X\x00Y: 1',
        'Upgrade: websocket',
      ],
      ...[
        'Connection: upgrade',
        'Connection: x, close',
        'X-Latin: \xe9\xff',
        'Trailer: X-T',
        'X Y: 1',
        'Content-Length:',
        'X:\v1',
      ],
    ),
  },
);
const bodies = fc.oneof(
  {
    weight: 3,
    arbitrary: line('hello', '', '5\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n'),
  },
  {
    weight: 2,
    arbitrary: line(
      ...[
        '0\r\n\r\n',
        '5;a=b\r\nhello\r\n0\r\n\r\n',
        '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
        '005\r\nhello\r\n0\r\n\r\n',
        'A\r\n0123456789\r\n0\r\n\r\n',
      ],
      ...[
        '5;a="b;c";d\r\nhello\r\n0;e\r\n\r\n',
        '5 \r\nhello\r\n0\r\n\r\n',
        '5\nhello\n0\n\n',
        '5\r\nhelloX\r\n0\r\n\r\n',
        '-5\r\nhello',
        '5\r\nhello\r\n0\r\n',
      ],
      ...[
        '0x5\r\nhello\r\n0\r\n\r\n',
        '5\r\nhello0\r\n\r\n',
        '5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
        'helloHTTP/1.1 200 OK\r\n\r\n',
      ],
      ...[
        '5\r\nhello\r\n0\r\nX-T : 1\r\n\r\n',
        '5;\r\nhello\r\n0\r\n\r\n',
        '5;a=\r\nhello\r\n0\r\n\r\n',
        'fffffffffffff\r\nhello',
        '5;a b\r\nhello\r\n0\r\n\r\n',
      ],
    ),
  },
);
const heads = fc
  .tuple(statusLines, fc.array(headerLines, { maxLength: 4 }))
  .map(([status, headers]) => `${[status, ...headers].join('\r\n')}\r\n\r\n`);
const interims = fc.array(
  line('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n'),
  {
    maxLength: 2,
  },
);
/** A few bytes put in, taken out or changed. */
const edits = fc.array(
  fc.tuple(
    fc.nat(400),
    fc.nat(2),
    line('\r', '\n', ' ', '\t', ':', '0', '5', '\x00', ';', 'a', '\x7f', '\xff'),
  ),
  { maxLength: 2 },
);
const answers = fc.tuple(interims, heads, bodies, edits).map(([before, head, body, changes]) => {
  let text = before.join('') + head + body;
  for (const [at, how, byte] of changes) {
    if (at >= text.length) continue;
    text = text.slice(0, at) + (how === 0 ? '' : byte) + text.slice(how === 1 ? at : at + 1);
  }
  return Buffer.from(text, 'latin1');
});

function splitAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, i) => bytes.subarray(from, sorted[i] ?? bytes.length));
}

test('what is taken for an answer is the same answer to node', async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(answers, fc.boolean(), async (bytes, ends) => {
      const ours = readStrictly([bytes], ends);
      if (ours === null) return;
      taken++;
      const { keeps, ...theirs } = (await readByNode(bytes, ends)) ?? { keeps: false };
      expect({ ...ours, keeps: null }).toEqual({ ...theirs, keeps: null });
      if (ours.keeps) expect(keeps).toBe(true);
    }),
    fuzz(3000),
  );
  // It must not pass by refusing everything.
  expect(taken).toBeGreaterThan(300);
});

test('nothing hangs on where the bytes were cut, nor on when the reader wanted none', () => {
  fc.assert(
    fc.property(
      answers,
      fc.boolean(),
      fc.array(fc.nat(500), { maxLength: 12 }),
      fc.array(fc.boolean(), { maxLength: 20 }),
      (bytes, ends, places, pauses) => {
        const whole = readStrictly([bytes], ends);
        expect(readStrictly(splitAt(bytes, places), ends, pauses)).toEqual(whole);
      },
    ),
    fuzz(5000),
  );
});

test('any bytes at all end in an answer or a fault, never in anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      readStrictly([Buffer.from('HTTP/1.1 200 OK\r\n'), Buffer.from(bytes)], true);
    }),
    fuzz(2000),
  );
});
