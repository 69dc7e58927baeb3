/** DebugBundle's relay: events that browsers send through a customer's own site, with nobody's credentials. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, ingestion, openDebugBundle } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);

const page = '-H "Origin: https://www.example.com"';
const relayed = (body: string, more = page) => `curl -X POST $GW/debugbundle/browser ${more} J -d '${body}'`;

beforeAll(async () => {
  product = await openDebugBundle(({ method, body }) => {
    const isBatch = method === 'GET' || body.includes('"batch"');
    if (!isBatch) return { status: 400, body: ingestion('malformed_payload') };
    return { status: 202, body: { accepted: 1, rejected: 0, errors: [] } };
  });
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('60: what a page sends', () => {
  test('passes without any token, byte for byte', async () => {
    const body = '{ "batch": [ {"event_type":"frontend_exception","payload":{"n":1.0}} ] }';
    const told = await curl(relayed(body));
    expect([told.status, told.body]).toEqual([202, { accepted: 1, rejected: 0, errors: [] }]);
    expect(product.seen[0]?.body).toBe(body);
    expect(told.headers['access-control-allow-origin']).toBe('https://www.example.com');
    expect(told.headers.vary).toMatch(/\bOrigin\b/);
  });

  test('loses a project token and an organization in its body, and nothing else', async () => {
    const body =
      '{ "project_token":"dbundle_proj_stolen", "batch":[ {"project_token":"theirs"},\t{} ],  "organization_id": {"a":[1]},"z":1e2 }';
    expect((await curl(relayed(body))).status).toBe(202);
    const { body: got, headers } = product.seen[0] ?? { body: '', headers: {} };
    expect(got).toBe('{  "batch":[ {"project_token":"theirs"},\t{} ],"z":1e2 }');
    expect(headers['content-length']).toBe(`${got.length}`);
  });

  test.each([
    ['twice', '{"project_token":"a","project_token":"b","batch":[]}'],
    ['in another case', '{"Project_Token":"a","batch":[]}'],
    ['in escapes and once more', '{"project_\\u0074oken":"a","project_token":"b","batch":[]}'],
  ])('is refused where it says the token %s', async (_how, body) => {
    refused(await curl(relayed(body)), 400, ingestion('malformed_payload'));
  });

  test('loses every credential that came with it', async () => {
    const credentials =
      '-H "Authorization: Bearer $P" -H "Cookie: dbundle_session=$S; a=b" -H "Proxy-Authorization: Basic x" -H "X-Postern-Project: forged"';
    expect((await curl(relayed('{"batch":[{}]}', `${page} ${credentials}`))).status).toBe(202);
    const { headers, rawHeaders } = product.seen[0] ?? { headers: {}, rawHeaders: [] };
    for (const name of ['authorization', 'cookie', 'proxy-authorization', 'x-postern-project']) {
      expect(headers).not.toHaveProperty(name);
    }
    const told = rawHeaders.join('\n');
    for (const secret of [product.names.P, product.names.S]) expect(told).not.toContain(secret);
  });

  test.each([
    ['from nowhere', ''],
    ['from another site', '-H "Origin: https://evil.example"'],
    ['from null', '-H "Origin: null"'],
    ['from a site below', '-H "Origin: https://a.www.example.com"'],
    ['with a Referer alone', '-H "Referer: https://www.example.com/"'],
    ['with a token, from another site', '-H "Origin: https://evil.example" -H "Authorization: Bearer $P"'],
  ])('goes nowhere %s', async (_where, header) => {
    refused(await curl(relayed('{"batch":[]}', header)), 403, ingestion('origin_not_allowed'));
  });

  test('is JSON, and what JSON it is the service says', async () => {
    refused(await curl(relayed('{')), 400, ingestion('malformed_payload'));
    refused(await curl(relayed('')), 400, ingestion('malformed_payload'));
    const text = relayed('{"batch":[]}').replace(' J ', ` -H 'Content-Type: text/plain' `);
    refused(await curl(text), 400, ingestion('malformed_payload'));
    const told = await curl(relayed('{"events":[]}'));
    expect([told.status, told.body]).toEqual([400, ingestion('malformed_payload')]);
    expect(product.seen).toHaveLength(1);
  });

  test('is at most 262,144 bytes', async () => {
    const padded = (bytes: number) =>
      `curl -X POST $GW/debugbundle/browser ${page} J --data-binary @<(printf '{"batch":[]}'; head -c ${bytes - 12} /dev/zero | tr '\\0' ' ')`;
    expect((await curl(padded(262_144))).status).toBe(202);
    product.seen.length = 0;
    refused(await curl(padded(262_145)), 413, ingestion('body_too_large'));
  });

  test('is sent by POST', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const told = await curl(`curl -X ${method} $GW/debugbundle/browser ${page}`);
      refused(told, 405, ingestion('method_not_allowed'));
      expect(told.headers.allow).toMatch(/\bPOST\b/);
    }
  });
});

test('the page’s preflight is answered, another’s is not', async () => {
  const preflight = (origin: string) =>
    curl(
      `curl -X OPTIONS $GW/debugbundle/browser -H "Origin: ${origin}" -H "Access-Control-Request-Method: POST" -H "Access-Control-Request-Headers: content-type"`,
    );
  const told = await preflight('https://www.example.com');
  expect([told.status, told.text]).toEqual([204, '']);
  expect(told.headers).toMatchObject({
    'access-control-allow-origin': 'https://www.example.com',
    'access-control-allow-methods': 'POST, OPTIONS',
    'access-control-allow-headers': 'Content-Type',
    'access-control-max-age': '600',
    vary: expect.stringMatching(/\bOrigin\b/),
  });
  expect(told.headers).not.toHaveProperty('access-control-allow-credentials');
  refused(await preflight('https://evil.example'), 403, { error: 'cors_origin_not_allowed' });
});

test('sixty a minute pass for an address; the next is 429', async () => {
  const told = await product.curls(Array(61).fill(relayed('{"batch":[{}]}')));
  const refusals = told.filter(({ status }) => status === 429);
  expect(refusals.length).toBeGreaterThan(0);
  const passed = product.seen.length;
  product.seen.length = 0;
  const [last] = await product.curls([relayed('{"batch":[{}]}')]);
  expect(passed + refusals.length).toBe(61);
  const { retry_after_ms: wait } = last?.body ?? {};
  expect([last?.status, last?.body]).toEqual([429, { ...ingestion('rate_limited'), retry_after_ms: wait }]);
  expect(Number(last?.headers['retry-after'])).toBe(Math.ceil(wait / 1000));
  expect(last?.headers['access-control-allow-origin']).toBe('https://www.example.com');
  expect(product.seen).toEqual([]);
});
