/** `body: { cut: … }` over real sockets: what the upstream gets, by what length and with which fields. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { explain } from '../../gateway/explain.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import { ask, converse, flawsInRefusal, problemOf, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let gateway: GatewayFixture;

const config = (url: string) => `
upstreams: { app: { url: ${url} } }
token_types: { user: { prefix: usr_, grantable: [], attributes: { org: required } } }
pins: { app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.org, when_missing: deny } }
limits: { items: { rate: 5/1m, per: [address], cost: "json:/items#" } }
apis:
  main:
    to: app
    routes:
      POST /relay: { allow: public, body: { max: 300KB, json: true, cut: [json:/project_token, json:/organization_id, json:/meta/key] } }
      POST /pinned: { allow: { user: any_scope }, pins: [app], body: { json: true, cut: [json:/app_id] } }
      POST /items: { allow: public, limits: [items], body: { json: true, cut: [json:/items] } }
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
  upstream.seen.length = 0;
});

const json = 'Content-Type: application/json';

/** Bodies are latin1 text, a byte a character. */
function sized(line: string, body: string, lines: readonly string[] = []): string {
  return requestBytes(line, [json, ...lines, `Content-Length: ${body.length}`], body);
}

function chunked(line: string, body: string, lines: readonly string[] = []): string {
  const pieces = body.match(/[\s\S]{1,7}/g) ?? [];
  const framed = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
  return requestBytes(line, [json, ...lines, 'Transfer-Encoding: chunked'], `${framed}0\r\n\r\n`);
}

function fieldsOf(rawHeaders: readonly string[], name: string): readonly string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name);
}

const digests = [
  'Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  'Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  'digest: SHA-256=47DEQpj8HBSa',
  'CONTENT-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==',
];
const digestNames = ['content-digest', 'repr-digest', 'digest', 'content-md5'];

const cases: readonly (readonly [sent: string, arrived: string])[] = [
  ['{"project_token":"p"}', '{}'],
  ['{"project_token":"p","a":1}', '{"a":1}'],
  ['{"a":1,"project_token":"p"}', '{"a":1}'],
  ['{"a":1,"project_token":"p","b":2}', '{"a":1,"b":2}'],
  ['{"project_token":"p","organization_id":[1,{"x":"}"}],"b":2}', '{"b":2}'],
  ['{"b":2,"project_token":"p","organization_id":{}}', '{"b":2}'],
  ['{"project_token":1,"organization_id":2,"meta":{"key":3}}', '{"meta":{}}'],
  ['{"meta":{"a":1 , "key" : "\\"}" , "b":2}, "project\\u005ftoken" : null }', '{"meta":{"a":1  , "b":2} }'],
  [' { "é" : 1.50e+1 ,\r\n\t"project_token" : "x"\n, "d":-0.0 } ', ' { "é" : 1.50e+1 \n, "d":-0.0 } '],
].map(
  ([sent = '', arrived = '']) =>
    [sent, arrived].map((text) => Buffer.from(text).toString('latin1')) as [string, string],
);

describe('what is cut out', () => {
  test.each(cases)('of %s leaves %s', async (sent, arrived) => {
    for (const request of [sized, chunked]) {
      upstream.seen.length = 0;
      expect((await ask(gateway.port, request('POST /relay', sent, digests))).status).toBe(200);
      const [seen] = upstream.seen;
      expect(seen?.body).toBe(arrived);
      expect(fieldsOf(seen?.rawHeaders ?? [], 'content-length')).toEqual([String(arrived.length)]);
      expect(fieldsOf(seen?.rawHeaders ?? [], 'transfer-encoding')).toEqual([]);
      for (const name of digestNames) expect(fieldsOf(seen?.rawHeaders ?? [], name)).toEqual([]);
    }
    expect(gateway.running.bodies.held).toBe(0);
  });

  test('is nothing where nothing is there: the bytes and what is said of them go on as they came', async () => {
    const body = '{ "tokens":[{"project_token":1}],"nested":{"project_token":2},"meta":"key","a":1,"a":2 }';
    expect((await ask(gateway.port, sized('POST /relay', body, digests))).status).toBe(200);
    const [seen] = upstream.seen;
    expect(seen?.body).toBe(body);
    expect(digestNames.map((name) => fieldsOf(seen?.rawHeaders ?? [], name).length)).toEqual([1, 1, 1, 1]);
  });

  test('ends where the next request on the connection begins', async () => {
    const keep = ['Connection: keep-alive'];
    const long = JSON.stringify({ a: 'x'.repeat(100_000), project_token: 'y'.repeat(100_000), b: 'z' });
    const requests = [
      sized('POST /relay', '{"project_token":"p","n":1}', keep),
      chunked('POST /relay', '{"n":2,"organization_id":"o"}', keep),
      sized('POST /relay', long, keep),
      sized('POST /relay', '{"n":4}'),
    ];
    const { answers } = await converse(gateway.port, requests.join(''));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(upstream.seen.map(({ body }) => body)).toEqual([
      '{"n":1}',
      '{"n":2}',
      JSON.stringify({ a: 'x'.repeat(100_000), b: 'z' }),
      '{"n":4}',
    ]);
  });

  test('is read first by the pin and the cost that ask for it', async () => {
    const { token } = await gateway.mint('user', { attributes: { org: 'o1' } });
    const bearer = [`Authorization: Bearer ${token}`];
    expect((await ask(gateway.port, sized('POST /pinned', '{"app_id":"a","b":1}', bearer))).status).toBe(200);
    expect(problemOf(await ask(gateway.port, sized('POST /pinned', '{"app_id":"b"}', bearer)))?.code).toBe(
      'bundle_mismatch',
    );
    expect((await ask(gateway.port, sized('POST /items', '{"items":[1,2,3],"b":1}'))).status).toBe(200);
    expect(problemOf(await ask(gateway.port, sized('POST /items', '{"items":[1,2,3]}')))?.code).toBe(
      'rate_limited',
    );
    expect(upstream.seen.map(({ body }) => body)).toEqual(['{"b":1}', '{"b":1}']);
  });
});

describe('what two readers could find differently', () => {
  test.each([
    ['twice', '{"project_token":1,"project_token":2}'],
    ['twice, escaped once', '{"project_token":1,"project_toke\\u006e":2}'],
    ['in another case', '{"Project_Token":1}'],
    ['on a way that stands twice', '{"meta":{"key":1},"meta":{"key":2}}'],
    ['on a way in another case', '{"Meta":{"key":1}}'],
    ['in the items of a batch', '[{"project_token":1}]'],
    ['in the items of a list on its way', '{"meta":[{"key":1}]}'],
    ['behind a NUL', '{"project_token\\u0000":1}'],
  ])('%s is refused, and reaches nobody', async (_how, body) => {
    for (const request of [sized, chunked]) {
      const answer = await ask(gateway.port, request('POST /relay', body));
      expect(flawsInRefusal(answer)).toEqual([]);
      expect([answer.status, problemOf(answer)?.code]).toEqual([400, 'body_malformed']);
    }
    expect(upstream.seen).toEqual([]);
  });
});

test('a fixture in which the member stands twice holds the row to its cut', async () => {
  const fixtures = `
fixtures:
  - { name: a token of their own, request: POST /relay, body: { project_token: x }, expect: forward }
  - { name: twice, request: POST /relay, body: '{"project_token":1,"project_token":2}', expect: 400 body_malformed }
`;
  const failing = async (text: string) => {
    const loading = loadConfigText(`version: 1\n${text}${fixtures}`, 'test.yaml', {});
    if (!loading.ok) throw new Error(JSON.stringify(loading.problems));
    return (await runFixtures(loading.config)).map(({ message }) => message);
  };
  expect(await failing(config(upstream.url))).toEqual([]);
  const without = config(upstream.url).replace('cut: [json:/project_token, ', 'cut: [');
  expect(await failing(without)).toEqual(['fixture "twice" expects 400 body_malformed and gets forward']);
});

test('explain says what would be cut out, and never what it held', async () => {
  const loading = loadConfigText(`version: 1\n${config(upstream.url)}`, 'test.yaml', {});
  if (!loading.ok) throw new Error(JSON.stringify(loading.problems));
  const steps = async (body: string) => {
    const bytes = Buffer.from(body);
    const question = { method: 'POST', target: '/relay', as: null, attributes: [], headers: [], body: bytes };
    const said = await explain(loading.config.policy, question);
    expect(bytes.toString()).toBe(body);
    return said.ok ? said.value.steps.filter(({ step }) => step === 'cut') : [];
  };
  const detail = 'json:/project_token is cut out, 23 bytes, json:/meta/key is cut out, 7 bytes';
  expect(await steps('{"project_token":"s3cr",  "meta":{"key":1}}')).toEqual([
    { step: 'cut', ok: true, detail },
  ]);
  const nothing = 'nothing is there to cut out: the body goes on as it came';
  expect(await steps('{}')).toEqual([{ step: 'cut', ok: true, detail: nothing }]);
  expect(await steps('[]')).toEqual([]);
});
