/** What is odd, forged or in trouble: answered in DebugBundle's own words, and never passed on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, ingestion, nobody, openDebugBundle } from './debugbundle-stage.ts';
import type { Told } from './stage.ts';

let product: DebugBundle;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused: DebugBundle['refused'] = (...all) => product.refused(...all);
const M = '-H "Authorization: Bearer $M"';

beforeAll(async () => {
  product = await openDebugBundle(
    ({ target }) => {
      if (target.includes('slow')) return 'nothing';
      if (target.startsWith('/v1/projects/proj_broken')) return { status: 500, body: { error: 'internal' } };
      return null;
    },
    { 'first_byte: 30s': 'first_byte: 300ms' },
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('what is no way of the product', () => {
  test.each([
    ['/', 404, 'not_found'],
    ['/v1', 404, 'not_found'],
    ['/v2/projects', 404, 'not_found'],
    ['/v1/tokens', 404, 'not_found'],
    ['/v1/Projects', 404, 'not_found'],
    ['/v1/projects/', 404, 'not_found'],
    ['/v1//projects', 400, 'path_ambiguous'],
    ['/v1/./projects', 400, 'path_ambiguous'],
    ['/v1/events/../projects', 400, 'path_ambiguous'],
    ['/v1/projects/a%2fb', 400, 'path_ambiguous'],
    ['/v1/projects/a%2e%2e', 400, 'path_ambiguous'],
    ['/v1/projects/a;b', 400, 'path_ambiguous'],
    ['/v1/projects/a%5cb', 400, 'path_ambiguous'],
    ['/v1/projects/a%00', 400, 'path_ambiguous'],
    [`/v1/projects?a=${'x'.repeat(8200)}`, 414, 'uri_too_long'],
  ])('%s is %i', async (path, status, error) => {
    refused(await curl(`curl --path-as-is "$GW${path}" ${M}`), status, { error });
  });

  test.each([
    ['PUT', '/v1/projects', 'method_not_allowed'],
    ['DELETE', '/v1/incidents', 'method_not_allowed'],
    ['POST', '/health', 'method_not_allowed'],
    ['GET', '/v1/auth/logout', 'method_not_allowed'],
    ['PATCH', '/v1/member/tokens', 'method_not_allowed'],
    ['PUT', '/v1/projects/p/probes/activate', ''],
  ])('%s %s has no such method, unless the service may know it', async (method, path, error) => {
    const told = await curl(`curl -X ${method} $GW${path} ${M} J -d "{}"`);
    if (error === '') expect(told.status).toBe(200);
    else refused(told, 405, { error });
  });

  test('a head that is malformed or too large', async () => {
    const two = await curl(
      `curl $GW/v1/projects ${M} -H "Origin: https://a.example" -H "Origin: https://b.example"`,
    );
    refused(two, 400, { error: 'request_malformed' });
    const large = await curl(`curl $GW/v1/projects ${M} -H "X-Large: ${'x'.repeat(17_000)}"`);
    refused(large, 431, { error: 'header_too_large' });
    const many = await curl(
      `curl $GW/v1/projects ${M} ${Array.from({ length: 101 }, (_, n) => `-H "X-${n}: 1"`).join(' ')}`,
    );
    refused(many, 431, { error: 'header_too_large' });
    const expects = await curl(`curl -X POST $GW/v1/projects ${M} -H "Expect: a-miracle" J -d "{}"`);
    refused(expects, 417, { error: 'expectation_failed' });
  });

  test('a body of more than the listener takes', async () => {
    const told = await curl(
      `curl -X POST $GW/v1/projects ${M} J --data-binary @<(head -c 10485761 /dev/zero | tr '\\0' ' ')`,
    );
    refused(told, 413, { error: 'body_too_large' });
  });

  test('what is in any other body is the service’s to judge', async () => {
    for (const body of ['{', '', '[]', '{"a":1,"a":2}', 'name=x']) {
      const told = await curl(`curl -X POST $GW/v1/projects ${M} J -d '${body}'`);
      expect([told.status, product.seen.at(-1)?.body]).toEqual([200, body]);
    }
  });

  test('HEAD is as GET', async () => {
    const told = await curl(`curl --head $GW/v1/projects ${M}`);
    expect([told.status, product.seen[0]?.method]).toEqual([200, 'HEAD']);
    product.seen.length = 0;
    expect((await curl('curl --head $GW/v1/projects')).status).toBe(401);
    expect(product.seen).toEqual([]);
  });
});

describe('74: who says who it is', () => {
  const forged = [
    'X-Postern-Project: forged',
    'x-postern-member: forged',
    'X_Postern_Member: forged',
    'X-Postern_Organization: forged',
    'X.Postern.Scopes: forged',
    'X-POSTERN-TOKEN-ID: forged',
    'X-Postern-Member-Role: forged',
    'X-Postern-Probe-Label: forged',
    'X-Postern-Anything: forged',
  ]
    .map((header) => `-H "${header}"`)
    .join(' ');

  test.each([
    ['a member', `$GW/v1/projects ${M}`],
    ['a project token', '-X POST $GW/v1/events -H "Authorization: Bearer $P" J -d "{}"'],
    ['nobody', '$GW/health'],
    ['nobody at the sign-in', '-X POST $GW/v1/auth/request-code J -d "{}"'],
    ['a page at the relay', '-X POST $GW/debugbundle/browser -H "Origin: https://www.example.com" J -d "{}"'],
    ['a shopper', '$GW/checkout'],
    ['who asks for a token', `-X POST $GW/v1/projects/p/tokens ${M} J -d '{"label":"x"}'`],
  ])('%s is not believed', async (_who, line) => {
    const told = await curl(`curl ${forged} ${line}`);
    expect(told.status).toBeLessThan(300);
    expect(product.seen).toHaveLength(1);
    expect(product.seen[0]?.rawHeaders.join('\n')).not.toContain('forged');
  });

  test('nor is a Connection header that would take identity away', async () => {
    const told = await curl(
      `curl $GW/v1/projects ${M} -H "Connection: close, X-Postern-Member, X-Postern-Token-Type"`,
    );
    expect(told.status).toBe(200);
    expect(product.seen[0]?.headers).toMatchObject({
      'x-postern-member': 'usr_owner',
      'x-postern-token-type': 'member',
    });
  });
});

describe('a service in trouble', () => {
  test('that does not answer in time is 503 request_timeout, in the words of the way', async () => {
    const [member, page, events] = await Promise.all([
      curl(`curl "$GW/v1/incidents/slow" ${M}`),
      curl('curl "$GW/v1/sdk/config?slow" -H "Authorization: Bearer $P"'),
      curl(`curl -X POST "$GW/v1/events?slow" -H "Authorization: Bearer $P" J -d '{"events":[{},{}]}'`),
    ]);
    expect([member.status, member.body]).toEqual([503, { error: 'request_timeout' }]);
    expect([page.status, page.body]).toEqual([503, { error: 'request_timeout' }]);
    // Nobody knows what became of the two events, so none is called rejected.
    expect([events.status, events.body]).toEqual([503, ingestion('request_timeout')]);
    for (const { headers } of [member, page, events]) expect(headers['retry-after']).toMatch(/^[1-9]/);
  });

  test('that cannot say whether a member may, lets none', async () => {
    for (const project of ['proj_broken', 'proj_slow']) {
      const told = await curl(`curl -X POST $GW/v1/projects/${project}/tokens ${M} J -d '{"label":"x"}'`);
      expect([told.status, told.headers['content-type']]).toEqual([503, 'application/json']);
      expect(told.body).toEqual({ error: expect.stringMatching(/^[a-z_]+$/) });
    }
    expect(product.seen.map(({ method }) => method)).toEqual(['GET', 'GET']);
  });

  test('passes what it says itself', async () => {
    const told = await curl(`curl $GW/v1/projects/proj_broken ${M}`);
    expect([told.status, told.body]).toEqual([500, { error: 'internal' }]);
  });
});

test('73: nothing of all this left a token behind', async () => {
  refused(await curl('curl "$GW/v1/projects?token=$M&access_token=$P"'), 401, nobody);
  refused(await curl('curl $GW/v1/sdk/config -H "Authorization: Bearer $M"'), 401, {
    error: 'invalid_project_token',
  });
  const events = await curl('curl -X POST $GW/v1/events -H "Authorization: Bearer $PX" J -d "{}"');
  refused(events, 401, ingestion('invalid_project_token'));
  const traces = await product.traces();
  expect(traces).toContain('/v1/sdk/config');
  for (const name of ['P', 'PX', 'M', 'S']) {
    const secret = product.names[name]?.slice(-44) ?? '';
    expect(secret).toHaveLength(44);
    expect(traces).not.toContain(secret);
  }
});

// Last: whoever was not known before is too many from now on.
test('an address with too many bad tokens is told to wait in the words of the way; a good token that was used still passes', async () => {
  const bad = (n: number) =>
    `curl $GW/v1/projects -H "Authorization: Bearer dbundle_mem_${`${n}`.padStart(48, '0')}"`;
  expect((await curl(`curl $GW/v1/projects ${M}`)).status).toBe(200);
  const told = await product.curls(Array.from({ length: 61 }, (_, n) => bad(n)));
  product.seen.length = 0;
  const last = told.at(-1);
  if (last === undefined) throw new Error('nothing was asked');
  refused(last, 429, { error: 'rate_limited' });
  expect(last.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
  // Each prefix has something left of its own, for tokens that are seen for the first time.
  const sent = (n: number) =>
    `curl -X POST $GW/v1/events -H "Authorization: Bearer dbundle_proj_${`${n}`.padStart(48, '0')}" J -d '{"events":[{}]}'`;
  const events = (await product.curls(Array.from({ length: 61 }, (_, n) => sent(n)))).at(-1);
  if (events === undefined) throw new Error('nothing was asked');
  const { retry_after_ms: wait } = events.body;
  refused(events, 429, { ...ingestion('rate_limited'), retry_after_ms: wait });
  expect(Number(events.headers['retry-after'])).toBe(Math.ceil(wait / 1000));
  expect((await curl(`curl $GW/v1/projects ${M}`)).status).toBe(200);
});
