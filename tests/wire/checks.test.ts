/** Checks that guard by cookie, by address, or only watch: what callers get, what log and metrics say. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rehearse } from '../../gateway/rehearsal.ts';
import { ask, problemOf, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const config = (origin: string): string => `
upstreams: { app: { url: ${origin} } }
token_types:
  session:
    sources: [bearer, "header:X-Session", "cookie:session", "query:sid"]
    grantable: [visits:write]
    attributes: { csrf: required }
    csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }
  user: { prefix: u_, grantable: [items:read] }
scopes: { visits:write: Write visits, items:read: Read items }
pins:
  here: { kind: cidr, allow: [127.0.0.0/8] }
  office: { kind: cidr, allow: [203.0.113.0/24, "2001:db8::/32"] }
  soon: { kind: cidr, allow: [203.0.113.0/24], mode: monitor, until: 2999-01-01 }
  late: { kind: cidr, allow: [203.0.113.0/24], mode: monitor, until: 2020-01-01 }
  site: { kind: origin, when_missing: deny, mode: monitor, until: 2999-01-01 }
limits:
  firm: { rate: 2/1m, per: [token] }
  trial: { rate: 1/1m, per: [token], mode: monitor, until: 2999-01-01 }
  other: { rate: 3/1m, per: [token], mode: monitor, until: 2999-01-01 }
  over: { rate: 1/1m, per: [token], mode: monitor, until: 2020-01-01 }
apis:
  main:
    to: app
    routes:
      POST /visits: { allow: { session: any_scope } }
      GET /visits: { allow: { session: any_scope } }
      GET /here: { allow: public, pins: [here] }
      GET /office: { allow: public, pins: [office] }
      GET /soon: { allow: public, pins: [soon] }
      GET /late: { allow: public, pins: [late] }
      GET /items: { allow: { user: items:read }, scopes: { mode: monitor, until: 2999-01-01 }, pins: [soon, site] }
      GET /items/strict: { allow: { user: items:read }, scopes: { mode: monitor, until: 2999-01-01 }, pins: [office] }
      GET /limited: { allow: { user: any_scope }, limits: [trial, firm] }
      GET /watched: { allow: { user: any_scope }, limits: [trial, other] }
      GET /over: { allow: { user: any_scope }, limits: [over] }
`;

let upstream: UpstreamFixture;
let gateway: GatewayFixture;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway(config(upstream.url));
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** `200`, or status and code. */
async function told(line: string, ...fields: string[]): Promise<string> {
  const answer = await ask(gateway.port, requestBytes(line, fields));
  return answer.status === 200 ? '200' : `${answer.status} ${problemOf(answer)?.code}`;
}

/** What the access line of a request says beyond the answer. */
async function monitoredBy(line: string, ...fields: string[]): Promise<unknown> {
  const answer = await ask(gateway.port, requestBytes(line, fields));
  const id = answer.field('x-request-id') ?? String(upstream.seen.at(-1)?.headers['x-request-id']);
  const { monitored, status, code } = await gateway.account(id);
  return { monitored, status, code };
}

async function metric(code: string, route: string): Promise<number> {
  const text = await (await fetch(`${gateway.running.health}/metrics`)).text();
  const line = text
    .split('\n')
    .find((one) => one.startsWith(`postern_monitored_total{code="${code}",route="${route}"}`));
  return Number(line?.split(' ').at(-1) ?? 0);
}

describe('a session cookie', () => {
  let token = '';
  beforeAll(async () => {
    token = (await gateway.mint('session', { attributes: { csrf: 'c5rf' } })).token;
  });

  test('changes something only with the csrf header, once and right', async () => {
    const cookie = `Cookie: session=${token}`;
    expect(await told('GET /visits', cookie)).toBe('200');
    expect(await told('HEAD /visits', cookie)).toBe('200');
    expect(await told('POST /visits', cookie)).toBe('403 csrf_invalid');
    expect(await told('POST /visits', cookie, 'X-CSRF-Token: wrong')).toBe('403 csrf_invalid');
    expect(await told('POST /visits', cookie, 'X-CSRF-Token: c5rf', 'x-csrf-token: c5rf')).toBe(
      '403 csrf_invalid',
    );
    expect(await told('POST /visits', cookie, 'X_CSRF_Token: c5rf')).toBe('403 csrf_invalid');
    expect(await told('POST /visits', cookie, 'X-CSRF-Token: c5rf')).toBe('200');
  });

  test('asks for no header where the same token came on purpose', async () => {
    const cookie = `Cookie: session=${token}`;
    expect(await told('POST /visits', `Authorization: Bearer ${token}`, cookie)).toBe('200');
    expect(await told('POST /visits', `X-Session: ${token}`, cookie)).toBe('200');
    expect(await told(`POST /visits?sid=${token}`)).toBe('200');
  });

  test('tells a dead one nothing about csrf, and forwards the header of a live one', async () => {
    const { id, token: dead } = await gateway.mint('session', { attributes: { csrf: 'c5rf' } });
    await gateway.running.tokens.revoke(id, 'test', null);
    expect(await told('POST /visits', `Cookie: session=${dead}`)).toBe('401 invalid_token');
    await told('POST /visits', `Cookie: session=${token}; theme=dark`, 'X-CSRF-Token: c5rf');
    expect(upstream.seen.at(-1)?.headers).toMatchObject({ 'x-csrf-token': 'c5rf', cookie: 'theme=dark' });
  });
});

describe('an address pin', () => {
  test('lets in who is inside, and nobody else, whatever they say about themselves', async () => {
    expect(await told('GET /here')).toBe('200');
    expect(await told('GET /office')).toBe('403 address_not_allowed');
    const lies = ['X-Forwarded-For: 203.0.113.9', 'Forwarded: for=203.0.113.9', 'X-Real-IP: 203.0.113.9'];
    expect(await told('GET /office', ...lies)).toBe('403 address_not_allowed');
    expect(await told('GET /late')).toBe('403 address_not_allowed');
  });
});

describe('what only watches', () => {
  test('lets through, and says what it would have refused, in log and metric', async () => {
    const { token } = await gateway.mint('user', { origins: ['https://app.test'] });
    const bearer = `Authorization: Bearer ${token}`;
    const codes = ['scope_missing', 'origin_not_allowed', 'address_not_allowed'];
    expect(await monitoredBy('GET /items', bearer)).toEqual({
      monitored: codes,
      status: 200,
      code: undefined,
    });
    for (const code of codes) expect(await metric(code, 'main GET /items')).toBe(1);
    expect(await monitoredBy('GET /soon')).toEqual({
      monitored: ['address_not_allowed'],
      status: 200,
      code: undefined,
    });
    expect(await monitoredBy('GET /here')).toEqual({ monitored: undefined, status: 200, code: undefined });
  });

  test('is told beside a refusal that it does not change', async () => {
    const { token } = await gateway.mint('user');
    expect(await monitoredBy('GET /items/strict', `Authorization: Bearer ${token}`)).toEqual({
      monitored: ['scope_missing'],
      status: 403,
      code: 'address_not_allowed',
    });
    expect(await told('GET /items/strict')).toBe('401 credential_missing');
  });

  test('is what explain shows as "would refuse", until its day', async () => {
    const { policy } = gateway.running.config();
    const type = policy.types.get('user');
    if (type === undefined) return expect.unreachable();
    const request = {
      method: 'GET',
      target: '/items',
      headers: [],
      as: { type, scopes: null, attributes: new Map() },
    };
    const now = await rehearse(policy, request);
    expect(now.outcome).toBe('forward');
    expect(now.steps).toContainEqual({
      step: 'scopes',
      ok: true,
      detail: 'would refuse: row main GET /items asks for items:read; the token holds none',
    });
    expect(await rehearse(policy, request, Date.UTC(2999, 0, 1))).toMatchObject({
      status: 403,
      code: 'scope_missing',
    });
  });
});

describe('a limit that only watches', () => {
  const field = (answer: Awaited<ReturnType<typeof ask>>) => answer.field('ratelimit-policy');

  test('refuses nobody, speaks to nobody, and leaves the others to count', async () => {
    const { token } = await gateway.mint('user');
    const request = requestBytes('GET /limited', [`Authorization: Bearer ${token}`]);
    const answers = [
      await ask(gateway.port, request),
      await ask(gateway.port, request),
      await ask(gateway.port, request),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers.map(field)).toEqual(Array(3).fill('"firm";q=2;w=60'));
    // The third was refused by the firm one, so the one that watches did not see it.
    expect(await metric('rate_limited', 'main GET /limited')).toBe(1);
  });

  test('that is spent does not keep another that watches from counting', async () => {
    const { token } = await gateway.mint('user');
    const bearer = `Authorization: Bearer ${token}`;
    const told = [];
    for (let i = 0; i < 4; i++) told.push(await monitoredBy('GET /watched', bearer));
    const one = { monitored: ['rate_limited'], status: 200, code: undefined };
    expect(told).toEqual([
      { ...one, monitored: undefined },
      one,
      one,
      { ...one, monitored: ['rate_limited', 'rate_limited'] },
    ]);
  });

  test('refuses nobody while Redis is away, whatever it says of that', async () => {
    const yaml = config(upstream.url).replaceAll('per: [token]', 'per: [token], on_redis_down: closed');
    const away = await startTestGateway(yaml, 'redis: { url: "redis://127.0.0.1:1" }');
    const { token } = await away.mint('user');
    const statuses: number[] = [];
    for (const path of ['/watched', '/watched', '/limited', '/over']) {
      const request = requestBytes(`GET ${path}`, [`Authorization: Bearer ${token}`]);
      statuses.push((await ask(away.port, request)).status);
    }
    await away.stop();
    expect(statuses).toEqual([200, 200, 503, 503]);
  });

  test('refuses from its day on', async () => {
    const { token } = await gateway.mint('user');
    const bearer = `Authorization: Bearer ${token}`;
    expect([await told('GET /over', bearer), await told('GET /over', bearer)]).toEqual([
      '200',
      '429 rate_limited',
    ]);
  });
});
