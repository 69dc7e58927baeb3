/** Requests that are sent ahead of the answers to those before them, over real sockets. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { aheadMax } from '../../gateway/turns.ts';
import { converse, problemOf, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
/** Targets in the order in which they reached the upstream, and how many were there at once at most. */
let came: string[] = [];
let most = 0;

const config = (url: string) => `
upstreams: { app: { url: ${url} } }
token_types: { user: { prefix: usr_, grantable: [] } }
limits: { few: { rate: 2/1m, per: [token] } }
apis:
  main:
    to: app
    routes:
      GET /any/{n}: { allow: { user: any_scope } }
      POST /any/{n}: { allow: { user: any_scope } }
      PUT /any/{n}: { allow: { user: any_scope } }
      DELETE /any/{n}: { allow: { user: any_scope } }
      POST /read/{n}: { allow: { user: any_scope }, body: { json: true } }
      GET /few/{n}: { allow: { user: any_scope }, limits: [few] }
`;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
});

afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

beforeEach(() => {
  came = [];
  most = 0;
  let there = 0;
  upstream.answer = (req, res) => {
    came.push(req.url ?? '');
    most = Math.max(most, ++there);
    req.resume().on('end', () =>
      setImmediate(() => {
        there--;
        res.end(req.url);
      }),
    );
  };
});

/** The last of what is sent closes the connection: nothing here waits for a silence. */
const patienceMs = 4000;
const keep = 'Connection: keep-alive';
const json = 'Content-Type: application/json';

async function bearer(): Promise<{ readonly id: string; readonly field: string }> {
  const { id, token } = await gateway.mint('user');
  return { id, field: `Authorization: Bearer ${token}` };
}

/** One that the upstream answers when it is told to. */
function holdFirst(): { readonly there: Promise<void>; readonly answer: () => void } {
  const quick = upstream.answer;
  let held: ServerResponse | null = null;
  upstream.answer = (req: IncomingMessage, res: ServerResponse) => {
    came.push(req.url ?? '');
    held = res;
    upstream.answer = quick;
  };
  return {
    there: vi.waitUntil(() => held !== null, { interval: 1 }).then(() => {}),
    answer: () => held?.end('first'),
  };
}

test('whatever is sent ahead, it reaches the upstream one by one, in its order, and so do the answers', async () => {
  const { field } = await bearer();
  const kinds = ['GET', 'HEADLESS', 'POST', 'CHUNKED', 'READ', 'UNKNOWN'] as const;
  const one = (kind: (typeof kinds)[number], n: number): string => {
    const fields = [field, keep];
    switch (kind) {
      case 'GET':
        return requestBytes(`GET /any/${n}`, fields);
      case 'HEADLESS':
        return requestBytes(`DELETE /any/${n}`, fields);
      case 'POST':
        return requestBytes(`POST /any/${n}`, [...fields, 'Content-Length: 3'], 'abc');
      case 'CHUNKED':
        return requestBytes(
          `PUT /any/${n}`,
          [...fields, 'Transfer-Encoding: chunked'],
          '1\r\nx\r\n0\r\n\r\n',
        );
      case 'READ':
        return requestBytes(`POST /read/${n}`, [...fields, json, 'Content-Length: 2'], '{}');
      case 'UNKNOWN':
        return requestBytes(`GET /nowhere/${n}`, fields);
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...kinds), { minLength: 2, maxLength: 9 }), async (sent) => {
      came = [];
      const bytes = sent.map(one).join('') + requestBytes('GET /any/last', [field]);
      const { answers, closed } = await converse(gateway.port, bytes, patienceMs);
      const expected = sent.map((kind, n) => (kind === 'UNKNOWN' ? null : one(kind, n).split(' ')[1]));
      expect(came).toEqual([...expected.filter((target) => target !== null), '/any/last']);
      expect(answers.map(({ status, body }) => (status === 200 ? body : null))).toEqual([
        ...expected,
        '/any/last',
      ]);
      expect(closed).toBe(true);
    }),
    { numRuns: 40 },
  );
  expect(most).toBe(1);
});

test('what was sent ahead is judged when its turn has come: a token revoked by then is refused', async () => {
  const { id, field } = await bearer();
  const first = holdFirst();
  const conversation = converse(
    gateway.port,
    requestBytes('GET /any/1', [field, keep]) + requestBytes('POST /any/2', [field, 'Content-Length: 0']),
    patienceMs,
  );
  await first.there;
  await gateway.running.tokens.revoke(id, 'test', null);
  first.answer();
  const { answers } = await conversation;
  expect(answers.map((answer) => [answer.status, problemOf(answer)?.code])).toEqual([
    [200, undefined],
    [401, 'invalid_token'],
  ]);
  expect(came).toEqual(['/any/1']);
});

test('an expectation that is refused at the door waits for its turn too, and takes none from those before it', async () => {
  const { field } = await bearer();
  const ahead = [1, 2].map((n) => requestBytes(`GET /any/${n}`, [field, keep])).join('');
  for (const expectation of ['something', '100-continue, something']) {
    came = [];
    const refused = requestBytes('GET /any/3', [field, keep, `Expect: ${expectation}`]);
    const next = requestBytes('GET /any/4', [field]);
    const { answers, closed } = await converse(gateway.port, ahead + refused + next, patienceMs);
    expect([answers.map(({ status }) => status), closed]).toEqual([[200, 200, 417], true]);
    expect(came).toEqual(['/any/1', '/any/2']);
  }
});

test('a limit counts them one after the other', async () => {
  const { field } = await bearer();
  const ahead = [1, 2, 3].map((n) => requestBytes(`GET /few/${n}`, [field, keep])).join('');
  const bytes = ahead + requestBytes('GET /few/4', [field]);
  const { answers } = await converse(gateway.port, bytes, patienceMs);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
  expect(came).toEqual(['/few/1', '/few/2']);
});

test('more than a connection may send ahead end it, and none of them reaches the upstream', async () => {
  const { field } = await bearer();
  const first = holdFirst();
  const socket = connect(gateway.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.write(requestBytes('GET /any/1', [field, keep]));
  await first.there;
  socket.write(requestBytes('POST /any/2', [field, keep, 'Content-Length: 0']).repeat(aheadMax * 3));
  await closed;
  first.answer();
  expect(text).toBe('');
  expect((await converse(gateway.port, requestBytes('GET /any/3', [field]))).answers).toHaveLength(1);
  expect(came).toEqual(['/any/1', '/any/3']);
  const cut = gateway.lines.filter(({ code }) => code === 'overloaded');
  expect(cut).toMatchObject([{ status: 0, aborted: true }]);
});

test('more bytes of heads than may wait end it as well, and as many as may are all answered', async () => {
  const { field } = await bearer();
  const long = (n: number) => requestBytes(`GET /any/${n}`, [field, keep, `X-Long: ${'x'.repeat(10_000)}`]);
  const last = requestBytes('GET /any/9', [field]);
  const first = holdFirst();
  const held = converse(gateway.port, long(1) + [2, 3, 4, 5, 6, 7, 8].map(long).join('') + last, patienceMs);
  await first.there;
  expect((await held).answers).toEqual([]);
  expect(came).toEqual(['/any/1']);
  const { answers } = await converse(gateway.port, [1, 2, 3, 4, 5, 6].map(long).join('') + last, patienceMs);
  expect(answers.map(({ status }) => status)).toEqual(Array(7).fill(200));
});

test('as many as may be sent ahead are all answered', async () => {
  const { field } = await bearer();
  const ahead = requestBytes('GET /any/2', [field, keep]).repeat(aheadMax);
  const { answers } = await converse(gateway.port, ahead + requestBytes('GET /any/3', [field]), patienceMs);
  expect(answers.map(({ status }) => status)).toEqual(Array(aheadMax + 1).fill(200));
});

test('nothing that waits is looked at when what is before it ends the connection, or the caller has left', async () => {
  const { field } = await bearer();
  const next = requestBytes('POST /any/3', [field, 'Content-Length: 0']);
  const ends = requestBytes('GET /any/%2e%2e/2', [field, keep]);
  const { answers, closed } = await converse(
    gateway.port,
    requestBytes('GET /any/1', [field, keep]) + ends + next,
    patienceMs,
  );
  expect([answers.map(({ status }) => status), closed]).toEqual([[200, 400], true]);
  const first = holdFirst();
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(requestBytes('GET /any/4', [field, keep]) + next);
  await first.there;
  socket.destroy();
  await vi.waitUntil(() => gateway.lines.some(({ aborted, route }) => aborted === true && route !== null));
  first.answer();
  await converse(gateway.port, requestBytes('GET /any/5', [field]));
  expect(came).toEqual(['/any/1', '/any/4', '/any/5']);
});
