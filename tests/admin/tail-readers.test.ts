/** A reader of the tail that is slow, silent or gone, on real sockets: memory is bounded, and what is lost is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Account } from '../../gateway/access-log.ts';
import { eventsOf } from '../../gateway/admin/tail-client.ts';
import { createTailReaders, type TailReadersOptions } from '../../gateway/admin/tail-readers.ts';
import { Tail } from '../../gateway/tail.ts';
import { Vigil } from '../../gateway/vigil.ts';
import { policyOf, tokenOf, typeOf } from '../support/policy.ts';

const account: Account = {
  requestId: 'r-1',
  method: 'GET',
  route: 'main GET /items',
  status: 200,
  code: null,
  reason: 'r'.repeat(4000),
  tokenId: 'tok_1',
  tokenType: 'user',
  address: '192.0.2.1',
  durationMs: 1,
  aborted: false,
};

const everything = { tokenId: null, row: null, onlyRefusals: false, status: null };

async function stage(options: Partial<TailReadersOptions> = {}) {
  const tail = new Tail({ now: Date.now, everyMs: 5, perSecondMax: 1e6 });
  const bug = (error: unknown) => {
    throw error;
  };
  const tokens = { byIds: () => [tokenOf()], touch: () => {} };
  const vigil = new Vigil({ tokens, policy: () => policyOf([typeOf()]), now: Date.now, bug });
  const readers = createTailReaders({ tail, vigil, bug, cut: (res) => res.destroy(), ...options });
  const answers: ServerResponse[] = [];
  const server = createServer((_req, res) => {
    answers.push(res);
    if (!readers.admit({ tokenId: 'tok_1' }, everything, res)) res.writeHead(503).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    readers.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const read = async () => {
    const asking = request({ port, host: '127.0.0.1' }).end();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    response.once('error', () => {});
    return response;
  };
  return { tail, readers, answers, read };
}

test('a slow reader loses decisions, costs no more memory than it may, and hears how many when it reads on', async () => {
  const { tail, answers, read } = await stage({ bufferBytesMax: 64 * 1024 });
  const response = await read();
  const sent = 20_000;
  let most = 0;
  for (let i = 0; i < sent; i++) {
    tail.note(account);
    if (i % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 1));
    most = Math.max(most, answers[0]?.writableLength ?? 0);
  }
  // One batch more than the bound, however much was decided: 80 MB were not kept.
  expect(most).toBeLessThan(8 * 1024 * 1024);
  let [heard, lost] = [0, 0];
  for await (const { event, data } of eventsOf(response)) {
    if (event === 'decision') heard++;
    if (event === 'lost') lost += JSON.parse(data).lost;
    if (heard + lost === sent) break;
  }
  expect(lost).toBeGreaterThan(0);
  expect(heard + lost).toBe(sent);
});

test('who hears nothing is shown that the gateway is still there', async () => {
  const { read } = await stage({ beatMs: 20 });
  const response = await read();
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    if (text.split(': still here\n\n').length > 3) break;
  }
  expect(text).toMatch(/^retry: 2000\n\n(: still here\n\n)+$/);
});

test('who takes nothing for too long is cut, and its place is free', async () => {
  const { tail, answers, read } = await stage({ bufferBytesMax: 1024, stallMs: 50, readersMax: 1 });
  const response = await read();
  expect((await read()).statusCode).toBe(503);
  const [answer] = answers;
  if (answer === undefined) throw new Error('nobody was answered');
  while (!answer.destroyed) {
    for (let i = 0; i < 200; i++) tail.note(account);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  response.destroy();
  await expect.poll(async () => (await read()).statusCode).toBe(200);
});

test('who has left before it was let in takes no place', async () => {
  const { readers, answers, read } = await stage({ readersMax: 2 });
  const response = await read();
  const [gone] = answers;
  if (gone === undefined) throw new Error('nobody was answered');
  response.destroy();
  await once(gone, 'close');
  for (let i = 0; i < 3; i++) expect(readers.admit({ tokenId: 'tok_1' }, everything, gone)).toBe(false);
  expect([(await read()).statusCode, (await read()).statusCode]).toEqual([200, 200]);
});

test('after the end nobody is let in any more', async () => {
  const { readers, read } = await stage();
  const response = await read();
  readers.close();
  const events = [];
  for await (const event of eventsOf(response)) events.push(event);
  expect(events).toEqual([{ event: 'end', data: '{"reason":"the gateway stops"}' }]);
  expect((await read()).statusCode).toBe(503);
});
