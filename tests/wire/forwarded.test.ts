/** A trusted proxy before us, as limits, logs and the upstream see its callers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let trusting: GatewayFixture;
let strict: GatewayFixture;

beforeAll(async () => {
  upstream = await startUpstream();
  const yaml = `upstreams: { app: { url: ${upstream.url} } }
limits: { each: { rate: 2/1m, per: [address], on_redis_down: local } }
apis:
  main:
    to: app
    routes:
      GET /a: { allow: public }
      GET /limited: { allow: public, limits: [each] }
`;
  [trusting, strict] = await Promise.all([
    startTestGateway(
      yaml,
      'listen: { address: 127.0.0.1:0, trusted_proxies: [127.0.0.1/32], drain: { announce: 0s, requests: 1s, streams: 1s } }',
    ),
    startTestGateway(yaml),
  ]);
});
afterAll(async () => {
  await Promise.all([trusting.stop(), strict.stop()]);
  await upstream.stop();
});

async function told(gateway: GatewayFixture, headers: Record<string, string>) {
  const answer = await fetch(`${gateway.url}/a`, { headers });
  const id = answer.headers.get('x-request-id');
  return { id, seen: upstream.seen.at(-1)?.headers, line: await gateway.account(id) };
}

const fromProxy = {
  'X-Forwarded-For': '203.0.113.66, 198.51.100.7',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'api.example.com',
  'X-Request-Id': 'edge-0af7651916cd43dd',
  Forwarded: 'for=203.0.113.66',
};

describe('behind a trusted proxy', () => {
  test('the upstream is told the caller and the way, and nothing the caller claimed', async () => {
    const { seen } = await told(trusting, fromProxy);
    expect(seen).toMatchObject({
      'x-forwarded-for': '198.51.100.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.com',
      forwarded: 'for=198.51.100.7;host="api.example.com";proto=https, for=127.0.0.1',
      'x-request-id': 'edge-0af7651916cd43dd',
    });
  });

  test('the log has the caller, under the id of the proxy', async () => {
    const { id, line } = await told(trusting, { ...fromProxy, 'X-Request-Id': 'edge-11111111' });
    expect(id).toBe('edge-11111111');
    expect(line).toMatchObject({ address: '198.51.100.7', requestId: 'edge-11111111' });
  });

  test('limits count by the caller', async () => {
    const limited = async (address: string) => {
      const headers = { 'X-Forwarded-For': address };
      return (await fetch(`${trusting.url}/limited`, { headers })).status;
    };
    expect([await limited('192.0.2.1'), await limited('192.0.2.1'), await limited('192.0.2.1')]).toEqual([
      200, 200, 429,
    ]);
    expect(await limited('192.0.2.2')).toBe(200);
    // Claims to the left of its own address win a caller nothing.
    expect(await limited('192.0.2.99, 192.0.2.1')).toBe(429);
  });
});

describe('without trust', () => {
  test('the same fields change nothing', async () => {
    const { id, seen, line } = await told(strict, fromProxy);
    expect(id).not.toBe('edge-0af7651916cd43dd');
    expect(line).toMatchObject({ address: '127.0.0.1' });
    expect(seen).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(strict.url).host,
      forwarded: `for=127.0.0.1;host="${new URL(strict.url).host}";proto=http`,
      'x-request-id': id,
    });
  });
});
