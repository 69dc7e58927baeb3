/** Origin lists that belong to rows, over real sockets: pages that are on them get through, whoever asks. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, flawsInRefusal, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
let pinned: string;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: u_, scopes: [] }, guest: { prefix: g_, verify: upstream } }
limits: { once: { rate: 2/1m, per: [address, route] } }
cors: { relay: { origins: [https://app.example.com], methods: [POST] } }
pins:
  relay: { kind: origin, allow: [https://app.example.com], when_missing: deny }
  embed: { kind: origin, allow: [https://app.example.com, http://localhost:3000], when_missing: allow }
  soon: { kind: origin, allow: [https://app.example.com], when_missing: deny, mode: monitor, until: 2999-01-01 }
apis:
  main:
    to: app
    routes:
      POST /relay: { allow: public, pins: [relay], cors: relay }
      POST /limited: { allow: public, pins: [relay], limits: [once] }
      GET /embed: { allow: public, pins: [embed] }
      GET /soon: { allow: public, pins: [soon] }
      GET /guests: { allow: { guest: any_scope }, pins: [relay] }
      GET /users: { allow: { user: any_scope }, pins: [embed] }
      GET /live: { allow: public, pins: [relay], websocket: true }
`);
  pinned = (await gateway.mint('user', { origins: ['http://localhost:3000'] })).token;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
beforeEach(() => {
  upstream.seen.length = 0;
});

const sent = (line: string, ...lines: readonly string[]): Promise<ReadAnswer> =>
  ask(gateway.port, requestBytes(line, lines));

/** 403 in our shape, with the reason in the log, and nobody has heard of the request. */
async function refused(answer: ReadAnswer, reason: string): Promise<void> {
  expect([answer.status, flawsInRefusal(answer)]).toEqual([403, []]);
  expect(JSON.parse(answer.body).code).toBe('origin_not_allowed');
  const line = await gateway.account(answer.field('x-request-id'));
  expect(line).toMatchObject({ code: 'origin_not_allowed', reason });
  expect(upstream.seen).toEqual([]);
}

const unlisted = 'pin relay does not list this origin';

describe('a public row with a list of its own', () => {
  test('lets its page through, with the fields that let it read the answer', async () => {
    const answer = await sent('POST /relay', 'Origin: https://app.example.com');
    expect(answer.status).toBe(200);
    expect(answer.field('access-control-allow-origin')).toBe('https://app.example.com');
    expect(answer.field('vary')).toBe('Origin');
    expect(upstream.seen).toHaveLength(1);
  });

  test.each([
    ...['https://evil.example', 'null', '', 'http://app.example.com', 'https://app.example.com.evil.example'],
    ...[
      'https://app.example.com:8443',
      'https://app.example.com/',
      'https://app.example.com, https://x.example',
    ],
    ...['*', 'https://<b>app.example.com', '\xff\xfe', 'x'.repeat(3000)],
  ])('refuses %j, and repeats nothing of it', async (origin) => {
    const answer = await sent('POST /relay', `Origin: ${origin}`);
    await refused(answer, unlisted);
    expect(answer.field('access-control-allow-origin')).toBeNull();
  });

  test('refuses what comes without an Origin where the pin says deny, and lets it on where it says allow', async () => {
    await refused(await sent('POST /relay'), 'pin relay asks for an Origin, and none was sent');
    expect((await sent('GET /embed')).status).toBe(200);
    upstream.seen.length = 0;
    expect((await sent('GET /embed', 'Origin: null')).status).toBe(403);
    expect(upstream.seen).toEqual([]);
  });

  test('spends nothing of its limits on what it refuses', async () => {
    for (let i = 0; i < 4; i++) await refused(await sent('POST /limited', 'Origin: null'), unlisted);
    const statuses = [];
    for (let i = 0; i < 3; i++)
      statuses.push((await sent('POST /limited', 'Origin: https://app.example.com')).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test('that is only watched lets everybody through and says whom it would refuse', async () => {
    expect((await sent('GET /soon', 'Origin: https://evil.example')).status).toBe(200);
    const id = String(upstream.seen.at(-1)?.headers['x-request-id']);
    expect(await gateway.account(id)).toMatchObject({ status: 200, monitored: ['origin_not_allowed'] });
  });

  test('opens no WebSocket for another page', async () => {
    const handshake = [
      ...['Connection: Upgrade', 'Upgrade: websocket'],
      ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    ];
    await refused(await sent('GET /live', ...handshake, 'Origin: https://evil.example'), unlisted);
    await refused(await sent('GET /live', ...handshake), 'pin relay asks for an Origin, and none was sent');
    await sent('GET /live', ...handshake, 'Origin: https://app.example.com');
    expect(upstream.seen).toHaveLength(1);
  });
});

test('a credential that only the upstream verifies opens no row for another page', async () => {
  const guest = `Authorization: Bearer g_${'x'.repeat(30)}`;
  await refused(await sent('GET /guests', guest, 'Origin: https://evil.example'), unlisted);
  expect((await sent('GET /guests', guest, 'Origin: https://app.example.com')).status).toBe(200);
});

test('the list of a token still stands beside that of the row: both must hold the page', async () => {
  const bearer = `Authorization: Bearer ${pinned}`;
  const statusFrom = async (origin: string) => (await sent('GET /users', bearer, `Origin: ${origin}`)).status;
  expect(await statusFrom('http://localhost:3000')).toBe(200);
  expect(await statusFrom('https://app.example.com')).toBe(403);
  expect(await statusFrom('https://evil.example')).toBe(403);
});
