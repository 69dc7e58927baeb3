/** The room at an upstream: one caller's slow requests, and everybody else's, over real sockets. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ask, problemOf, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const max = 20;
let upstream: UpstreamFixture;
let gateway: GatewayFixture;
const held: ServerResponse[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answer = (req, res) => void (req.url === '/slow' ? held.push(res) : res.end('quick'));
  const config = `
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: usr_, grantable: [] } }
apis:
  main:
    to: app
    routes:
      GET /slow: { allow: { user: any_scope } }
      GET /quick: { allow: { user: any_scope } }
      GET /open: { allow: public }
`;
  gateway = await startTestGateway(config, '', { upstreamVisitsMax: max });
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await gateway.stop();
  await upstream.stop();
});

async function newField(): Promise<string> {
  return `Authorization: Bearer ${(await gateway.mint('user')).token}`;
}

/** So many requests of one caller that are not answered. */
async function crowd(field: string, count: number): Promise<void> {
  const before = held.length;
  for (let n = 0; n < count; n++) {
    const socket = connect(gateway.port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    socket.write(requestBytes('GET /slow', [field]));
  }
  await vi.waitUntil(() => held.length === before + count, { interval: 1, timeout: 5000 });
}

async function told(path: string, ...fields: readonly string[]): Promise<readonly unknown[]> {
  const answer = await ask(gateway.port, requestBytes(`GET ${path}`, fields));
  return [answer.status, problemOf(answer)?.code];
}

test('one caller never has all of it: others get in, and it does again when it is less', async () => {
  const [greedy, other, third] = [await newField(), await newField(), await newField()];
  // Nobody else asks: up to three quarters are anybody's.
  await crowd(greedy, 15);
  expect(await told('/quick', greedy)).toEqual([503, 'overloaded']);
  expect(await told('/quick', other)).toEqual([200, undefined]);
  expect(await told('/open')).toEqual([200, undefined]);
  await crowd(other, 4);
  await crowd(third, 1);
  for (const field of [greedy, other, third])
    expect(await told('/quick', field)).toEqual([503, 'overloaded']);
  const reasons = gateway.lines.filter(({ code }) => code === 'overloaded').map(({ reason }) => reason);
  expect(reasons).toEqual([
    "of 15 requests at this upstream 10 or more are this caller's",
    ...Array(3).fill('20 requests are at this upstream'),
  ]);
  const answered = held.length;
  for (const res of held) res.end('late');
  expect(answered).toBe(max);
  await vi.waitUntil(async () => (await told('/quick', greedy))[0] === 200, { interval: 5, timeout: 5000 });
});
