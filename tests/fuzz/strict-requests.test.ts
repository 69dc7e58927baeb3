/** What the strict client writes, read by node: every request is the one that was asked for, and nothing stands between them. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { carries, StrictClient } from '../../gateway/strict-client.ts';
import type { Question } from '../../gateway/strict-exchange.ts';

type Seen = {
  readonly method: string;
  readonly path: string;
  readonly fields: string[];
  readonly body: string;
};

const seen: Seen[] = [];
let broken = 0;
const server = createServer(async (req: IncomingMessage, res) => {
  const body = (await buffer(req)).toString('latin1');
  seen.push({ method: req.method ?? '', path: req.url ?? '', fields: req.rawHeaders, body });
  res.end('ok');
});
server.on('clientError', (_error, socket) => {
  broken++;
  socket.destroy();
});

let client: StrictClient;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  client = new StrictClient(`http://127.0.0.1:${port}`, {
    connectMs: 5000,
    firstByteMs: 5000,
    idleMs: 5000,
  });
});
afterAll(async () => {
  await client.destroy();
  server.closeAllConnections();
  server.close();
});

/** Resolves with whether it was answered; rejects where it is not to be written. */
function send(question: Question): Promise<boolean> {
  return new Promise((resolve, reject) => {
    try {
      client.dispatch(question, {
        onResponseEnd: () => resolve(true),
        onResponseError: (_hand, error) => reject(error),
      });
    } catch (error) {
      reject(error);
    }
  });
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  // What would be a request of its own, were it not in a body.
  fc
    .constantFrom('GET /own HTTP/1.1\r\nHost: b\r\n\r\n', '0\r\n\r\n', '\r\n\r\n')
    .map((text) => Buffer.from(text)),
);
const name = fc.constantFrom('X-A', 'x-b', 'Accept', 'Content-Type');
const value = fc
  .string({ unit: fc.constantFrom('a', ' ', ':', '\xe4', ';'), maxLength: 10 })
  .map((text) => text.trim());
const question = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path: fc.constantFrom('/', '/a?b=c', '/%0d%0a', '//a'),
    fields: fc.array(fc.tuple(name, value), { maxLength: 4 }),
    body: fc.option(bytes, { nil: null }),
  })
  .filter(({ method, body }) => carries(method, body));

test('requests arrive as they were asked for', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(question, { minLength: 1, maxLength: 6 }), async (questions) => {
      seen.length = 0;
      for (const { method, path, fields, body } of questions) {
        const length = body === null ? [] : ['Content-Length', String(body.length)];
        const headers = ['Host', 'app', ...fields.flat(), ...length];
        await send({ method, path, headers, body });
        expect(seen.pop()).toEqual({
          ...{ method, path, fields: headers },
          body: body === null ? '' : Buffer.from(body).toString('latin1'),
        });
      }
      expect(seen).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(broken).toBe(0);
});

test('a length that is not that of the body is never written, whatever it says', async () => {
  const other = fc.oneof(
    fc.string(),
    fc.nat().map(String),
    fc.constantFrom('0x4', '+4', ' 4', '4 ', '4, 4', '04'),
  );
  await fc.assert(
    fc.asyncProperty(bytes, fc.array(other, { maxLength: 2 }), async (body, lengths) => {
      fc.pre(lengths.length !== 1 || lengths[0] !== String(body.length));
      seen.length = 0;
      const headers = ['Host', 'app', ...lengths.flatMap((length) => ['content-length', length])];
      await expect(send({ method: 'POST', path: '/', headers, body })).rejects.toThrow();
      expect(seen).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
