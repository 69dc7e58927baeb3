/** Traces, by a real collector: what spans say, who decides, what upstreams are told, and what no span ever holds. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { readTraceContext, stampTraceContext } from '../../gateway/trace-context.ts';
import { type CollectorFixture, startCollector } from '../fixtures/collector.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { startSocketUpstream } from '../streaming/socket-gateway.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-traces-'));
const keyFile = join(folder, 'key');
const key = 'a key that the collector asks for';
writeFileSync(keyFile, `${key}\n`);

let upstream: UpstreamFixture;
let collector: CollectorFixture;
beforeAll(async () => {
  [upstream, collector] = await Promise.all([startUpstream(), startCollector()]);
});
afterAll(() => {
  collector.stop();
  rmSync(folder, { recursive: true });
  return upstream.stop();
});

const rules = (url = `url: ${upstream.url}`) => `
upstreams: { app: { ${url} } }
token_types:
  user: { prefix: usr_, scopes: [items:read] }
  made: { prefix: mad_, scopes: [items:read], attributes: { shop: required } }
scopes: { items:read: Read items }
apis:
  main:
    to: app
    routes:
      GET /items/{id}: { allow: { user: items:read, made: items:read } }
      GET /socket: { allow: public, websocket: true }
      POST /s/{shop}:
        allow: { user: any_scope }
        serve: token.create
        with: { type: made, attributes: { shop: "{shop}" } }
        confirm: { to: app, request: "GET /shops/{shop}" }
      POST /items: { allow: public }
`;

type Traced = {
  readonly sample?: number;
  readonly trusted?: boolean;
  readonly more?: string;
  readonly url?: string;
};

const start = async ({ sample = 1, trusted = false, more = '', url }: Traced): Promise<GatewayFixture> => {
  const listen = `listen: { address: 127.0.0.1:0, trusted_proxies: [${trusted ? '127.0.0.0/8' : ''}], drain: { announce: 0s, requests: 2s, streams: 1s } }`;
  const traces = `telemetry: { traces: { url: "${collector.url}", sample: ${sample}${more} } }`;
  return startTestGateway(rules(url), `${listen}\n${traces}`);
};

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const said = (flags = '01') => ({
  traceparent: `00-${traceId}-${spanId}-${flags}`,
  tracestate: 'vendor=opaque',
});

/** What reached the upstream, and the spans of it all; the gateway is gone then. */
async function told(traced: Traced, work: (gateway: GatewayFixture) => Promise<unknown>) {
  const gateway = await start(traced);
  const [spans, seen] = [collector.spans.length, upstream.seen.length];
  await work(gateway);
  await gateway.stop();
  return { spans: collector.spans.slice(spans), seen: upstream.seen.slice(seen), gateway };
}

describe('a request that is traced', () => {
  test('has a span, and one below it for the upstream, which hears of that one', async () => {
    const { spans, seen } = await told({}, async (gateway) => {
      const { id, token } = await gateway.mint('user');
      const headers = { Authorization: `Bearer ${token}` };
      expect((await fetch(`${gateway.url}/items/7?q=1`, { headers })).status).toBe(200);
      return id;
    });
    const [call, request] = spans;
    expect(request).toMatchObject({ name: 'main GET /items/{id}', kind: 2, links: [], status: { code: 0 } });
    expect(request?.parentSpanId).toBeUndefined();
    expect(request?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': 'main GET /items/{id}',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'network.protocol.version': '1.1',
      'postern.request_id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'postern.token_id': expect.stringMatching(/^tok_/),
      'postern.token_type': 'user',
    });
    expect(call).toMatchObject({ name: 'GET', kind: 3, traceId: request?.traceId });
    expect(call?.parentSpanId).toBe(request?.spanId);
    expect(call?.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(upstream.url).port),
      'postern.upstream': 'app',
    });
    expect(seen[0]?.headers.traceparent).toBe(`00-${call?.traceId}-${call?.spanId}-01`);
    expect(request?.resource).toMatchObject({
      'service.name': 'postern',
      'service.version': expect.any(String),
    });
  });

  test('holds no token, no query, no path and no header', async () => {
    const secrets = ['SECRETPATH1', 'SECRETQUERY2', 'SECRETHEADER3', 'SECRETBODY4', 'SECRETMETHOD5'];
    const [path, query, header, body, method] = secrets;
    const tokens: string[] = [];
    const from = collector.requests.length;
    await told({}, async (gateway) => {
      const { token } = await gateway.mint('user');
      tokens.push(token, `usr_${'Z'.repeat(48)}`);
      for (const one of tokens) {
        const headers = {
          Authorization: `Bearer ${one}`,
          'X-Secret': String(header),
          'User-Agent': String(header),
        };
        await fetch(`${gateway.url}/items/${path}?a=${query}`, { headers });
        await fetch(`${gateway.url}/${path}?a=${query}`, { headers, method: String(method) });
        await fetch(`${gateway.url}/items?a=${query}`, { headers, method: 'POST', body: String(body) });
      }
    });
    const words = collector.requests
      .slice(from)
      .map((one) => one.body)
      .join('\n');
    expect(words).toContain('token_unknown');
    expect([...secrets, ...tokens].flatMap((secret) => tracesOf(secret, words))).toEqual([]);
  });

  test("is an error where it is ours or the upstream's, and a refusal is none", async () => {
    const dead = 'url: [http://127.0.0.1:1, http://127.0.0.1:2]';
    const { spans } = await told({ url: dead }, async (gateway) => {
      const { token } = await gateway.mint('user');
      const headers = { Authorization: `Bearer ${token}` };
      expect((await fetch(`${gateway.url}/items/7`)).status).toBe(401);
      expect((await fetch(`${gateway.url}/items/7`, { headers })).status).toBe(502);
      expect((await fetch(`${gateway.url}/nothing`)).status).toBe(404);
    });
    const servers = spans.filter(({ kind }) => kind === 2);
    const of = (code: string) => servers.find(({ attributes }) => attributes['postern.code'] === code);
    expect(of('credential_missing')).toMatchObject({ status: { code: 0 }, name: 'main GET /items/{id}' });
    expect(of('route_not_found')).toMatchObject({ status: { code: 0 }, name: 'GET' });
    const broken = of('upstream_unreachable');
    expect(broken).toMatchObject({ status: { code: 2 } });
    expect(broken?.attributes).toMatchObject({
      'error.type': 'upstream_unreachable',
      'http.response.status_code': 502,
    });
    const calls = spans.filter(({ kind }) => kind === 3);
    expect(calls.map(({ attributes }) => attributes['server.port']).sort()).toEqual([1, 2]);
    expect(calls.every(({ parentSpanId }) => parentSpanId === broken?.spanId)).toBe(true);
    expect(calls.every(({ attributes }) => attributes['error.type'] === 'upstream_unreachable')).toBe(true);
  });
});

describe('an upstream that is asked in another way', () => {
  test('to confirm, has a span below the request that it is asked for, and hears of it', async () => {
    const { spans, seen } = await told({}, async (gateway) => {
      const { token } = await gateway.mint('user');
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...said() };
      const body = '{"label":"x"}';
      expect((await fetch(`${gateway.url}/s/a`, { method: 'POST', headers, body })).status).toBe(201);
    });
    const [call, request] = spans;
    expect([call?.parentSpanId, call?.kind, request?.name]).toEqual([
      request?.spanId,
      3,
      'main POST /s/{shop}',
    ]);
    expect(call?.attributes).toMatchObject({ 'http.response.status_code': 200 });
    expect(seen[0]?.headers.traceparent).toBe(`00-${request?.traceId}-${call?.spanId}-01`);
  });

  test('as a WebSocket, has one that ends with it', async () => {
    const sockets = await startSocketUpstream();
    onTestFinished(() => sockets.stop());
    const { spans } = await told({ url: `url: ${sockets.url}` }, async (gateway) => {
      const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/socket`);
      await once(socket, 'open');
      socket.close();
      await once(socket, 'close');
    });
    const [call, request] = spans;
    expect(call?.attributes).toMatchObject({ 'http.response.status_code': 101 });
    expect(request?.attributes).toMatchObject({ 'http.response.status_code': 101 });
    expect(sockets.seen[0]?.headers.traceparent).toBe(`00-${request?.traceId}-${call?.spanId}-01`);
  });
});

describe('who decides', () => {
  const get = (headers: Record<string, string>) => async (gateway: GatewayFixture) => {
    await fetch(`${gateway.url}/items`, { method: 'POST', headers });
  };

  test('is a trusted proxy: its trace goes on, with its state', async () => {
    const { spans, seen } = await told({ trusted: true, sample: 0 }, get(said()));
    const [call, request] = spans;
    expect(request).toMatchObject({ traceId, parentSpanId: spanId, links: [] });
    expect(seen[0]?.headers).toMatchObject({
      traceparent: `00-${traceId}-${call?.spanId}-01`,
      tracestate: 'vendor=opaque',
    });
  });

  test('is a trusted proxy that says no, too, and passes what it said', async () => {
    const { spans, seen } = await told({ trusted: true, sample: 1 }, get(said('00')));
    expect(spans).toEqual([]);
    expect(seen[0]?.headers).toMatchObject(said('00'));
  });

  test('is not a stranger: the trace is new, with a link to what it said, and without its state', async () => {
    const { spans, seen } = await told({ sample: 1 }, get(said('00')));
    const [call, request] = spans;
    expect(request?.traceId).not.toBe(traceId);
    expect(request?.parentSpanId).toBeUndefined();
    expect(request?.links).toEqual([expect.objectContaining({ traceId, spanId })]);
    expect(seen[0]?.headers.traceparent).toBe(`00-${request?.traceId}-${call?.spanId}-01`);
    expect(seen[0]?.headers.tracestate).toBeUndefined();
  });

  test('and where nobody traces, what a stranger said passes as it came', async () => {
    const { spans, seen } = await told({ sample: 0 }, get(said()));
    expect(spans).toEqual([]);
    expect(seen[0]?.headers).toMatchObject(said());
  });
});

test('without telemetry, traceparent and tracestate pass as they came', async () => {
  const gateway = await startTestGateway(rules());
  onTestFinished(() => gateway.stop());
  await fetch(`${gateway.url}/items`, { method: 'POST', headers: said() });
  expect(upstream.seen.at(-1)?.headers).toMatchObject(said());
});

describe('a collector', () => {
  test('gets the headers that are kept elsewhere, and no log line has them', async () => {
    const gateway = await start({ more: ', service: gate-a, headers: { X-Key: { file: key } }' }).catch(
      () => null,
    );
    expect(gateway).toBeNull();
    const file = `${process.cwd()}/package.json`;
    const bad = await start({ more: `, headers: { X-Key: { file: "${file}" } }` }).catch(
      (error: Error) => error,
    );
    expect(String(bad)).toContain('the value cannot be sent as a header; keep it in one line of ASCII');
    const from = collector.requests.length;
    const { spans, gateway: good } = await told(
      { more: `, service: gate-a, headers: { X-Key: { file: "${keyFile}" } }` },
      (one) => fetch(`${one.url}/items`, { method: 'POST' }),
    );
    expect(spans[0]?.resource['service.name']).toBe('gate-a');
    expect(collector.requests[from]?.headers['x-key']).toBe(key);
    expect(tracesOf(key, good.logText())).toEqual([]);
  });

  test('that fails costs no request anything but its trace, and is told once', async () => {
    collector.answer = (res) => void res.writeHead(400).end('SECRET of the collector');
    const { gateway } = await told({}, async (one) => {
      for (let i = 0; i < 140; i++) await (await fetch(`${one.url}/items`, { method: 'POST' })).text();
    });
    collector.answer = null;
    const lines = gateway.lines.filter(({ event }) => event === 'traces_not_exported');
    expect(lines).toMatchObject([{ reason: 'the collector answered 400', spans: expect.any(Number) }]);
    expect(gateway.logText()).not.toContain('SECRET');
  });

  test('that says nothing does not hold up the end', async () => {
    collector.answer = () => {};
    const gateway = await start({});
    await fetch(`${gateway.url}/items`, { method: 'POST' });
    const from = performance.now();
    await gateway.stop();
    collector.answer = null;
    expect(performance.now() - from).toBeLessThan(4000);
  });
});

describe('traceparent', () => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });

  test('is read to the letter, or not at all', () => {
    for (const wrong of [
      ...['', 'x', `00-${traceId}-${spanId}`, `00-${traceId}-${spanId}-01-x`, `ff-${traceId}-${spanId}-01`],
      ...[`00-${'0'.repeat(32)}-${spanId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`],
      ...[
        `00-${traceId.toUpperCase()}-${spanId}-01`,
        ` 00-${traceId}-${spanId}-01`,
        `00-${traceId}-${spanId}-1`,
      ],
    ]) {
      expect(readTraceContext(['Traceparent', wrong]), wrong).toBeNull();
    }
    const { traceparent } = said();
    expect(readTraceContext(['traceparent', traceparent, 'Traceparent', traceparent])).toBeNull();
    expect(readTraceContext(['TRACEPARENT', `cc-${traceId}-${spanId}-09-what-is-to-come`])).toEqual({
      ...{ traceId, spanId, sampled: true },
    });
  });

  test('that is ours stands once, and no other beside it', () => {
    const name = fc.constantFrom('traceparent', 'TraceParent', 'tracestate', 'Tracestate', 'X-Other');
    const fields = fc.array(fc.tuple(name, fc.string()), { maxLength: 8 });
    fc.assert(
      fc.property(fields, hex(32), hex(16), fc.boolean(), (given, trace, span, isNew) => {
        const headers = given.flat();
        stampTraceContext(headers, { traceId: trace, spanId: span }, isNew);
        const pairs = headers.flatMap((one, i) => (i % 2 === 0 ? [[one.toLowerCase(), headers[i + 1]]] : []));
        expect(pairs.filter(([one]) => one === 'traceparent')).toEqual([
          ['traceparent', `00-${trace}-${span}-01`],
        ]);
        const count = (list: readonly (readonly unknown[])[], wanted: string) =>
          list.filter(([one]) => String(one).toLowerCase() === wanted).length;
        expect(count(pairs, 'x-other')).toBe(count(given, 'x-other'));
        expect(count(pairs, 'tracestate')).toBe(isNew ? 0 : count(given, 'tracestate'));
      }),
    );
  });
});
