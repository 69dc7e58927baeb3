/** DebugBundle's ways for SDKs: events and settings by project tokens, from the pages a token is for, at its rate. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, ingestion, openDebugBundle } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);

const event =
  '{"events":[{"event_id":"evt_001","event_type":"exception","occurred_at":"2025-01-15T10:30:00.000Z","service":{"name":"my-api","environment":"production"},"payload":{}}]}';
/** As the documentation prints it. */
const sent = (token: string, more = '', body = event) =>
  `curl -X POST $GW/v1/events -H "Authorization: Bearer ${token}" J ${more} -d '${body}'`;
const batch = (events: number) => JSON.stringify({ events: Array(events).fill({}) });
const config = (token: string, more = '') =>
  `curl $GW/v1/sdk/config -H "Authorization: Bearer ${token}" ${more}`;

beforeAll(async () => {
  product = await openDebugBundle(
    ({ method, headers, body }) => {
      if (method === 'POST' && !body.startsWith('{"events":[')) {
        return { status: 400, body: ingestion('malformed_payload') };
      }
      if (method === 'POST') return { status: 202, body: { accepted: 1, rejected: 0, errors: [] } };
      const settings = { ETag: '"0123456789abcdef"', 'Cache-Control': 'public, s-maxage=30' };
      const isKnown = headers['if-none-match'] === settings.ETag;
      return { status: isKnown ? 304 : 200, body: { probes_enabled: true }, headers: settings };
    },
    // The last is P2's alone; all others stay below it.
    {
      'rate: 300/1m, per: [token]': 'rate: 40/1m, per: [token]',
      'nth: 300': 'nth: 40',
      'nth: 301': 'nth: 41',
    },
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('who sends events', () => {
  test('30: a project token does, and what is in them is the service’s to judge', async () => {
    const told = await curl(sent('$P'));
    expect([told.status, told.body]).toEqual([202, { accepted: 1, rejected: 0, errors: [] }]);
    const [{ headers, body } = { headers: {}, body: '' }] = product.seen;
    expect(body).toBe(event);
    expect(headers).toMatchObject({
      'x-postern-token-id': expect.stringMatching(/^tok_/),
      'x-postern-token-type': 'project',
      'x-postern-scopes': 'events:write config:read',
      'x-postern-project': 'proj_01HXYZ',
      'x-postern-organization': 'org_1',
      'x-postern-organization-plan': 'solo',
    });
    expect(headers).not.toHaveProperty('authorization');
  });

  test.each([
    ['31: a member token', '-H "Authorization: Bearer $M"'],
    ['32: a revoked token', '-H "Authorization: Bearer $PX"'],
    ['32: an expired token', '-H "Authorization: Bearer $PE"'],
    ['33: a probe trigger', '-H "Authorization: Bearer $TR"'],
    ['a session', '-H "Cookie: dbundle_session=$S" -H "X-CSRF-Token: csrf_of_S"'],
    ['nobody', ''],
    ['an unknown token', '-H "Authorization: Bearer dbundle_proj_live_a1b2c3d4e5f6..."'],
    ['a scheme in lower case', '-H "Authorization: bearer $P"'],
    ['two spaces', '-H "Authorization: Bearer  $P"'],
    ['no token behind the scheme', '-H "Authorization: Bearer "'],
    ['another scheme', '-H "Authorization: Basic $P"'],
    ['a token of which more was sent', '-H "Authorization: Bearer $P" -H "Authorization: Bearer $P"'],
    ['a token in the query', '--url-query "token=$P"'],
  ])('%s sends none', async (_who, credential) => {
    const told = await curl(`curl -X POST $GW/v1/events ${credential} J -d '${event}'`);
    refused(told, 401, ingestion('invalid_project_token'));
  });
});

describe('the settings of the SDKs', () => {
  test('76: ETag, Cache-Control and 304 pass as the service says them', async () => {
    const told = await curl(config('$P'));
    expect([told.status, told.body]).toEqual([200, { probes_enabled: true }]);
    const said = { etag: '"0123456789abcdef"', 'cache-control': 'public, s-maxage=30' };
    expect(told.headers).toMatchObject(said);
    const again = await curl(config('$P', `-H 'If-None-Match: "0123456789abcdef"'`));
    expect([again.status, again.text]).toEqual([304, '']);
    expect(again.headers).toMatchObject(said);
    expect(again.headers.vary).toMatch(/\bOrigin\b/);
  });

  test('40: a member token reads none, nor does nobody, nor a dead token', async () => {
    for (const token of ['$M', '$PX', '$PE', '$TR', '']) {
      refused(await curl(config(token)), 401, { error: 'invalid_project_token' });
    }
  });

  test('a token for one page reads none from elsewhere', async () => {
    expect((await curl(config('$PO', '-H "Origin: https://www.example.com"'))).status).toBe(200);
    product.seen.length = 0;
    refused(await curl(config('$PO')), 403, { error: 'origin_not_allowed' });
    const other = await curl(config('$PO', '-H "Origin: https://evil.example"'));
    refused(other, 403, { error: 'origin_not_allowed' });
    expect(other.headers['access-control-allow-origin']).toBe('https://evil.example');
  });
});

describe('origins', () => {
  test('34: a token for one page sends from there', async () => {
    const told = await curl(sent('$PO', '-H "Origin: https://www.example.com"'));
    expect(told.status).toBe(202);
    expect(told.headers['access-control-allow-origin']).toBe('https://www.example.com');
    expect(told.headers.vary).toMatch(/\bOrigin\b/);
    expect(told.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test.each(['https://www.example.com:443', 'https://WWW.Example.COM', 'HTTPS://www.example.com'])(
    '%s is the same origin',
    async (origin) => {
      expect((await curl(sent('$PO', `-H "Origin: ${origin}"`))).status).toBe(202);
    },
  );

  test('a port that is not the scheme’s own is part of it', async () => {
    for (const origin of ['http://localhost:3000', 'https://shop.example.com:8443']) {
      expect((await curl(sent('$PD', `-H "Origin: ${origin}"`))).status).toBe(202);
    }
    product.seen.length = 0;
    for (const origin of ['http://localhost', 'http://localhost:3001', 'https://localhost:3000']) {
      refused(await curl(sent('$PD', `-H "Origin: ${origin}"`)), 403, ingestion('origin_not_allowed'));
    }
  });

  test.each([
    ['35: no origin', ''],
    ['null', '-H "Origin: null"'],
    ['another scheme', '-H "Origin: http://www.example.com"'],
    ['another port', '-H "Origin: https://www.example.com:8443"'],
    ['a domain below', '-H "Origin: https://a.www.example.com"'],
    ['the domain above', '-H "Origin: https://example.com"'],
    ['a domain that begins so', '-H "Origin: https://www.example.com.evil.example"'],
    ['somebody at another host', '-H "Origin: https://www.example.com@evil.example"'],
    ['no web page', '-H "Origin: chrome-extension://abcdef"'],
    ['what is no origin', '-H "Origin: www.example.com"'],
    ['a Referer alone', '-H "Referer: https://www.example.com/page"'],
    ['a page, which no browser calls an origin', '-H "Origin: https://www.example.com/page"'],
    ['two origins in one', '-H "Origin: https://www.example.com, https://www.example.com"'],
  ])('%s is not on the list', async (_which, header) => {
    refused(await curl(sent('$PO', header)), 403, ingestion('origin_not_allowed'));
  });

  test('38: a token without a list sends from anywhere, and from nowhere', async () => {
    for (const header of ['', '-H "Origin: https://any.example"', '-H "Origin: null"']) {
      expect((await curl(sent('$P', header))).status).toBe(202);
    }
  });

  test('the token is looked at first, then the origin, then the body', async () => {
    const odd = (token: string) => curl(sent(token, '-H "Origin: https://evil.example"', '{'));
    refused(await odd('$PX'), 401, ingestion('invalid_project_token'));
    refused(await odd('$PO'), 403, ingestion('origin_not_allowed'));
    refused(await odd('$P'), 400, ingestion('malformed_payload'));
  });
});

describe('preflights', () => {
  const preflight = (path: string, origin: string, method = 'POST') =>
    curl(
      `curl -X OPTIONS $GW${path} -H "Origin: ${origin}" -H "Access-Control-Request-Method: ${method}" -H "Access-Control-Request-Headers: authorization,content-type"`,
    );
  const varies = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

  test.each(['/v1/events', '/v1/sdk/config'])('41: of %s are answered for every page', async (path) => {
    const told = await preflight(path, 'https://any.example');
    expect([told.status, told.text]).toEqual([204, '']);
    expect(told.headers).toMatchObject({
      'access-control-allow-origin': 'https://any.example',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': 'Authorization, Content-Type',
      'access-control-max-age': '86400',
      vary: varies,
    });
    expect(told.headers).not.toHaveProperty('access-control-allow-credentials');
    expect(product.seen).toEqual([]);
  });

  test('elsewhere they are for the product’s own app', async () => {
    for (const path of ['/v1/projects', '/v1/auth/verify-code', '/v1/incidents/inc_1']) {
      const told = await preflight(path, 'https://app.debugbundle.com', path.endsWith('1') ? 'GET' : 'POST');
      expect([told.status, told.text]).toEqual([204, '']);
      expect(told.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.debugbundle.com',
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
        'access-control-allow-headers': 'Authorization, Content-Type, X-CSRF-Token',
        vary: varies,
      });
    }
    expect(product.seen).toEqual([]);
  });

  test.each([
    ['/v1/projects', 'https://any.example'],
    ['/v1/projects', 'https://app.debugbundle.com.evil.example'],
    ['/v1/projects', 'http://app.debugbundle.com'],
    ['/v1/projects', 'null'],
    ['/v1/events', 'not an origin'],
  ])('of %s for %s are 403', async (path, origin) => {
    const told = await preflight(path, origin);
    refused(told, 403, { error: 'cors_origin_not_allowed' });
    expect(told.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('refusals may be read by the page that asked', async () => {
    const told = await curl(sent('$PX', '-H "Origin: https://any.example"'));
    refused(told, 401, ingestion('invalid_project_token'));
    expect(told.headers['access-control-allow-origin']).toBe('https://any.example');
    expect(told.headers.vary).toMatch(/\bOrigin\b/);
    const other = await curl(sent('$PO', '-H "Origin: https://any.example"'));
    refused(other, 403, ingestion('origin_not_allowed'));
    expect(other.headers['access-control-allow-origin']).toBe('https://any.example');
    const app = await curl('curl $GW/v1/projects -H "Origin: https://app.debugbundle.com"');
    refused(app, 401, { error: 'invalid_member_token' });
    expect(app.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.debugbundle.com',
      'access-control-allow-credentials': 'true',
    });
    const page = await curl('curl $GW/v1/projects -H "Origin: https://any.example"');
    expect(page.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('what is sent', () => {
  test.each([
    ['no JSON', 'J', '-d "{"'],
    ['nothing', 'J', ''],
    ['two values', 'J', `-d '{"events":[]}{}'`],
    ['events twice', 'J', `-d '{"events":[],"events":[{}]}'`],
    ['events in another case', 'J', `-d '{"Events":[{}],"events":[]}'`],
    ['text', `-H 'Content-Type: text/plain'`, `-d '{"events":[]}'`],
    ['a form', '', `-d '{"events":[]}'`],
    ['another charset', `-H 'Content-Type: application/json; charset=utf-16'`, `-d '{"events":[]}'`],
    ['something packed', `-H 'Content-Encoding: gzip' J`, `-d '{"events":[]}'`],
    ['a byte order mark', 'J', `--data-binary $'\\xef\\xbb\\xbf{"events":[]}'`],
  ])('%s is 400 malformed_payload', async (_what, type, body) => {
    const told = await curl(
      `curl -X POST $GW/v1/events -H "Authorization: Bearer $P" ${type.replace('J', `-H 'Content-Type: application/json'`)} ${body}`,
    );
    refused(told, 400, ingestion('malformed_payload'));
  });

  test('what JSON without a list of events is, the service says', async () => {
    for (const body of ['{}', '{"events":{}}']) {
      const told = await curl(sent('$P', '', body));
      expect([told.status, told.body]).toEqual([400, ingestion('malformed_payload')]);
    }
    expect(product.seen).toHaveLength(2);
  });

  test('more than 1 MiB is 413', async () => {
    const big = `head -c 1048577 /dev/zero | tr '\\0' ' '`;
    const told = await curl(
      `curl -X POST $GW/v1/events -H "Authorization: Bearer $P" J --data-binary @<(${big})`,
    );
    refused(told, 413, ingestion('body_too_large'));
  });

  test('another method is 405 with those there are', async () => {
    const told = await curl('curl -X PUT $GW/v1/events -H "Authorization: Bearer $P" J -d "{}"');
    refused(told, 405, ingestion('method_not_allowed'));
    expect(told.headers.allow).toMatch(/\bPOST\b/);
    const settings = await curl('curl -X POST $GW/v1/sdk/config -H "Authorization: Bearer $P" J -d "{}"');
    refused(settings, 405, { error: 'method_not_allowed' });
  });
});

describe('a batch of many events', () => {
  const of = (events: number) => curl(sent('$P2', '', batch(events)));

  test('passes whole or not at all, and only what passes is counted', async () => {
    expect((await of(30)).status).toBe(202);
    product.seen.length = 0;
    const told = await of(11);
    const { retry_after_ms: wait } = told.body;
    const errors = Array.from({ length: 11 }, (_, index) => ({ index, reason: 'rate_limited' }));
    refused(told, 429, { accepted: 0, rejected: 11, errors, retry_after_ms: wait });
    expect(wait).toBeGreaterThan(0);
    expect(Number(told.headers['retry-after'])).toBe(Math.ceil(wait / 1000));
    expect(told.headers['access-control-allow-origin']).toBeUndefined();
    const page = await curl(sent('$P2', '-H "Origin: https://any.example"', batch(11)));
    refused(page, 429, page.body);
    expect(page.headers['access-control-allow-origin']).toBe('https://any.example');
    expect((await of(9)).status).toBe(202);
  });

  test('what is refused before costs nothing, nor does another token', async () => {
    const dead = `curl -X POST $GW/v1/events -H "Authorization: Bearer $PX" J -d '${batch(40)}'`;
    const broken = sent('$P2', '', `${batch(40)}}`);
    for (const told of await product.curls([dead, broken])) expect([400, 401]).toContain(told.status);
    expect((await of(1)).status).toBe(202);
    product.seen.length = 0;
    const told = await of(1);
    refused(told, 429, { ...told.body, accepted: 0, rejected: 1 });
    expect((await curl(sent('$P'))).status).toBe(202);
  });

  test('one that never fits is refused for good', async () => {
    const told = await of(41);
    expect([told.status, told.body.rejected, told.body.errors.length]).toEqual([413, 41, 41]);
    expect(told.body.errors[40]).toEqual({ index: 40, reason: 'cost_too_large' });
    expect(product.seen).toEqual([]);
  });
});
