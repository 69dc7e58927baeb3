/** What no row answers for, over real sockets: in the style of its host, and a hidden bind cannot be told from it. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusalCodes } from '../../gateway/refusals.ts';
import { ask, flawsInRefusal, type ReadAnswer, requestBytes } from '../fixtures/answers.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startRawUpstream } from '../fixtures/raw-upstream.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';
import { fuzz } from '../support/fuzz.ts';
import { shapes } from './refusal-shapes.ts';
import { type Stage, stageConfig, ways } from './refusal-ways.ts';

let stage: Stage;
let many: GatewayFixture;
let token: string;

const styles = `
errors:
  own: { body: { error: "{code}", id: "{request_id}" } }
  plain: { body: { message: "{detail}" }, challenge: off }
  shut:
    status: { route_not_found: 401, path_ambiguous: 422 }
    codes: { route_not_found: NOWHERE, bind_mismatch: NOT_YOURS }
    body: { title: "{title}", code: "{code}", scopes: "{required_scopes}", wait: "{retry_after_s}" }
  busy: { status: { route_not_found: 429 }, body: { errors: { repeat: batch, item: ["{index}", "{code}"] } } }
`;

beforeAll(async () => {
  const [upstream, raw] = await Promise.all([startUpstream(), startRawUpstream()]);
  const one = stageConfig(upstream.url, raw.url).replace('    to: app\n', '    to: app\n    errors: own\n');
  const yaml = `${one}errors: { own: { body: { error: "{code}", id: "{request_id}" } } }\n`;
  const [gateway, poor, third] = await Promise.all([
    startTestGateway(yaml, '', { headersTimeoutMs: 50 }),
    startTestGateway(
      `failure_budget: { rate: 3/1m, per: address }\n${yaml}`,
      'redis: { url: "redis://127.0.0.1:1" }',
      { verifier: { threads: 1, queueMax: 0 }, upstreamVisitsMax: 1 },
    ),
    startTestGateway(configOf(hosted, upstream)),
  ]);
  stage = { gateway, poor, upstream, raw, yaml };
  many = third;
  token = (await many.mint('member', { attributes: { tenant: 'a' } })).token;
});

afterAll(async () => {
  await Promise.all([stage.gateway.stop(), stage.poor.stop(), many.stop()]);
  await Promise.all([stage.upstream.stop(), stage.raw.stop()]);
});

test.each(refusalCodes)('%s is in the one style that all apis name, row or no row', async (code) => {
  const { answer } = await ways[code](stage);
  expect(answer.status).toBe(shapes[code].status);
  expect(answer.field('content-type')).toBe('application/json');
  const id = answer.field('x-request-id');
  expect(JSON.parse(answer.body)).toEqual({ error: shapes[code].code ?? code, id });
  expect(answer.field('cache-control')).toBe('no-store');
});

type Api = {
  readonly hosts: readonly string[];
  readonly errors: string;
  readonly row: { readonly errors: string; readonly cors: boolean; readonly limited: boolean };
};

const plainRow = { errors: 'off', cors: false, limited: false };

/** `plain.test` and `two.test` have one style each, `mixed.test` has two; `open.test` is of no api. */
const hosted: readonly Api[] = [
  { hosts: ['plain.test', 'mixed.test'], errors: 'plain', row: plainRow },
  { hosts: ['shut.test', 'mixed.test'], errors: 'shut', row: plainRow },
];

function configOf(apis: readonly Api[], { url }: UpstreamFixture): string {
  const blocks = apis.map(({ hosts, errors, row }, index) => {
    const more = [
      ...(row.errors === '' ? [] : [`errors: ${row.errors}`]),
      ...(row.cors ? ['cors: any'] : []),
      ...(row.limited ? ['limits: [many]'] : []),
    ];
    return `  api${index}:
    to: app
    ${hosts.length === 0 ? '' : `hosts: [${hosts}]`}
    ${errors === '' ? '' : `errors: ${errors}`}
    routes:
      GET /t${index}/{tenant}: { ${['allow: { member: any_scope }', 'bind: { tenant: { equals: token.attribute.tenant, else: 404 } }', ...more].join(', ')} }
      POST /t${index}/{tenant}: { allow: public, errors: own }
      GET /live${index}: { allow: public, websocket: true }`;
  });
  return `upstreams: { app: { url: ${url} } }
token_types: { member: { prefix: me_, scopes: [], attributes: { tenant: optional } } }
limits: { many: { rate: 1000000/1m, per: [token] } }
cors: { any: { origins: any } }
${styles}apis:
${blocks.join('\n')}
`;
}

const asked = (line: string, host: string, lines: readonly string[] = []) =>
  ask(many.port, requestBytes(line, [`Host: ${host}`, `Authorization: Bearer ${token}`, ...lines]));

/** Everything but what differs from request to request. */
const essence = ({ status, fields, body, field }: ReadAnswer) =>
  JSON.stringify({ status, body, fields: fields.filter(([name]) => !/^date$/i.test(name)) }).replaceAll(
    field('x-request-id') ?? '',
    'ID',
  );

describe('where apis differ', () => {
  test('a host whose apis name one style has that, for paths, methods and what is malformed', async () => {
    const nowhere = await asked('GET /nothing', 'plain.test');
    expect([nowhere.status, nowhere.body]).toEqual([404, '{"message":"There is nothing here."}']);
    const shut = await asked('GET /nothing', 'shut.test');
    expect([shut.status, JSON.parse(shut.body).code]).toEqual([401, 'NOWHERE']);
    expect(shut.field('www-authenticate')).toBe('Bearer realm="postern"');
    const dots = await asked('GET /a/../b', 'shut.test:80');
    expect([dots.status, JSON.parse(dots.body).code]).toEqual([422, 'path_ambiguous']);
    const origins = await asked('POST /t0/a', 'plain.test', ['Origin: null', 'Origin: null']);
    expect([origins.status, origins.body]).toEqual([400, '{"message":"The request is malformed."}']);
    const expects = await asked('POST /t0/a', 'plain.test', ['Expect: miracles']);
    expect([expects.status, expects.body]).toEqual([417, '{"message":"The expectation cannot be met."}']);
    // The rows of this path are worded in two ways.
    const method = await asked('DELETE /t0/a', 'plain.test');
    expect([method.status, method.body]).toEqual([405, '{"message":"This path does not have that method."}']);
    expect(method.field('allow')).toBe('GET, HEAD, POST');
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const lines = ['Host: plain.test', ...handshake, key];
    const early = await ask(many.port, requestBytes('GET /live0', lines, 'too early'));
    expect([early.status, early.body]).toEqual([400, '{"message":"The request is malformed."}']);
    const ours = await asked('GET /_postern/nothing', 'plain.test');
    expect([ours.status, ours.body]).toEqual([404, '{"message":"There is nothing here."}']);
  });

  test('a host whose apis do not, a host of no api, and a host nobody can tell have problem+json', async () => {
    for (const host of ['mixed.test', 'open.test', 'not a host']) {
      const answer = await asked('GET /nothing', host);
      expect(flawsInRefusal(answer)).toEqual([]);
      expect(answer.status).toBe(host === 'not a host' ? 400 : 404);
    }
    const twice = ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'];
    const framing = await asked('POST /t0/a', 'plain.test', twice);
    expect([framing.status, flawsInRefusal(framing)]).toEqual([400, []]);
    const unread = await ask(many.port, 'GET /x\r\n\r\n');
    expect([unread.status, flawsInRefusal(unread)]).toEqual([400, []]);
  });
});

const anyStyle = fc.constantFrom('', 'off', 'own', 'plain', 'shut', 'busy');
const anyApis = fc.array(
  fc.record({
    hosts: fc.subarray(['plain.test', 'shut.test']),
    errors: fc.oneof(anyStyle, fc.constant('shut')),
    row: fc.record({ errors: anyStyle, cors: fc.boolean(), limited: fc.boolean() }),
  }),
  { minLength: 1, maxLength: 3 },
);

test('a bind that hides is a path that does not exist, byte for byte, whatever apis and rows are worded like', async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(
      anyApis,
      fc.constantFrom('plain.test', 'shut.test', 'open.test'),
      fc.constantFrom('GET', 'HEAD'),
      fc.boolean(),
      async (apis, host, method, fromPage) => {
        many.rewrite(configOf(apis, stage.upstream));
        // A style that words what comes before rows, and no host has, is refused: then there is nothing to ask.
        if (!(await many.running.reload())) return;
        const lines = fromPage ? ['Origin: https://page.example'] : [];
        const nowhere = essence(await asked(`${method} /nothing`, host, lines));
        for (const [index] of apis.entries()) {
          const hidden = await asked(`${method} /t${index}/b`, host, lines);
          expect(essence(hidden)).toBe(nowhere);
          const { code } = await many.account(hidden.field('x-request-id'));
          if (code === 'bind_mismatch') statuses.set(hidden.status, (statuses.get(hidden.status) ?? 0) + 1);
        }
      },
    ),
    fuzz(60),
  );
  expect(Math.min(...[404, 401, 429].map((status) => statuses.get(status) ?? 0))).toBeGreaterThan(0);
});

describe('nor by what else comes with the request', () => {
  const config = ({ url }: UpstreamFixture) => `upstreams: { app: { url: ${url} } }
token_types: { member: { prefix: me_, scopes: [], attributes: { tenant: optional } } }
limits: { many: { rate: 1000000/1m, per: [token] } }
cors: { any: { origins: any } }
apis:
  main:
    to: app
    cors: any
    routes:
      GET /t/{tenant}: { allow: { member: any_scope }, websocket: true, limits: [many], bind: { tenant: { equals: token.attribute.tenant, else: 404 } } }
      POST /t/{tenant}: { allow: { member: any_scope }, limits: [many], body: { json: true, max: 1KiB, cut: [json:/a] }, bind: { tenant: { equals: token.attribute.tenant, else: 404 } } }
`;

  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  test.each<[string, string, readonly string[], string]>([
    ['GET', 'a handshake', [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='], ''],
    ['GET', 'a body', ['Content-Length: 3'], 'abc'],
    ['POST', 'a body that is none of the row', ['Content-Length: 3'], 'abc'],
    ['POST', 'a body over the cap', ['Content-Length: 100000'], 'x'.repeat(100_000)],
    ['POST', 'chunks', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n'],
    ['POST', '100-continue', ['Content-Length: 3', 'Expect: 100-continue'], ''],
    ['POST', '100-continue for too much', ['Content-Length: 100000', 'Expect: 100-continue'], ''],
    ['POST', 'an Origin', ['Origin: https://page.example', 'Content-Length: 0'], ''],
  ])('%s with %s', async (method, _, lines, body) => {
    many.rewrite(config(stage.upstream));
    expect(await many.running.reload()).toBe(true);
    const head = [`Host: a.test`, `Authorization: Bearer ${token}`, ...lines].join('\r\n');
    const [hidden, nowhere] = await Promise.all(
      ['/t/b', '/nothing'].map((path) =>
        ask(many.port, `${method} ${path} HTTP/1.1\r\n${head}\r\n\r\n${body}`),
      ),
    );
    expect(essence(hidden ?? expect.fail())).toBe(essence(nowhere ?? expect.fail()));
    expect((await many.account(hidden?.field('x-request-id') ?? null)).code).toBe('bind_mismatch');
  });
});
