/** `confirm`: the upstream is asked first, by the caller's own credential, and anything but its yes makes nothing. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openStage, type Stage } from './serve-stage.ts';

let stage: Stage;
let user = { id: '', token: '' };

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  user = await stage.user();
  stage.upstream.seen.length = 0;
});
afterEach(() => {
  stage.upstream.answer = null;
});

let projects = 0;
let project = '';
const create = (token = user.token, headers: Record<string, string> = {}, query = '') => {
  project = `c${projects++}`;
  return stage.ask(`POST /c/${project}/tokens${query}`, token, { label: 'SDK' }, headers);
};
const made = async () => {
  const { tokens } = await stage.gateway.running.tokens.list({
    attributes: new Map([['project', project]]),
    limit: 9,
  });
  return tokens.length;
};

function says(answer: (req: IncomingMessage, res: ServerResponse) => void): void {
  stage.upstream.answer = answer;
}

describe('the upstream is asked', () => {
  test('with GET, no body, the credential as it came, and who calls', async () => {
    const told = await create(user.token, {
      'X-Postern-Token-Id': 'tok_forged',
      'If-None-Match': '"a"',
      Range: 'bytes=0-1',
    });
    expect([told.status, await made()]).toEqual([201, 1]);
    expect(stage.upstream.seen).toMatchObject([
      { method: 'GET', target: `/base/projects/${project}`, body: '' },
    ]);
    const { headers } = stage.upstream.seen[0] ?? {};
    expect(headers).toMatchObject({
      authorization: `Bearer ${user.token}`,
      'x-postern-token-id': user.id,
      accept: 'application/json',
      'x-request-id': told.headers.get('x-request-id'),
    });
    for (const name of ['content-type', 'content-length', 'transfer-encoding', 'if-none-match', 'range']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test.each(['header', 'query', 'cookie'])('by a credential in the %s as well', async (source) => {
    const headers: Record<string, string> =
      source === 'header'
        ? { 'X-User-Token': user.token }
        : source === 'cookie'
          ? { Cookie: `theme=dark; session=${user.token}`, 'X-CSRF-Token': 'right' }
          : {};
    const told = await create('', headers, source === 'query' ? `?a=b&user_token=${user.token}` : '');
    expect(told.status).toBe(201);
    const [seen] = stage.upstream.seen;
    expect(seen?.headers.authorization).toBeUndefined();
    expect(seen?.headers['x-user-token']).toBe(source === 'header' ? user.token : undefined);
    expect(seen?.headers.cookie).toBe(source === 'cookie' ? `session=${user.token}` : undefined);
    expect(seen?.target).toBe(
      `/base/projects/${project}${source === 'query' ? `?user_token=${user.token}` : ''}`,
    );
  });

  test('about a token that only it can verify: its yes is what makes one', async () => {
    const token = `san_${'x'.repeat(40)}`;
    expect([(await create(token)).status, await made()]).toEqual([201, 1]);
    expect(stage.upstream.seen[0]?.headers.authorization).toBe(`Bearer ${token}`);
    expect(stage.upstream.seen[0]?.headers).not.toHaveProperty('x-postern-token-id');
    const [one] = (
      await stage.gateway.running.tokens.list({ attributes: new Map([['project', project]]), limit: 1 })
    ).tokens;
    expect(one?.createdBy).toBe('upstream:sanctum');
    says((_req, res) => res.writeHead(401).end());
    expect([(await create(token)).status, await made()]).toEqual([401, 0]);
  });

  test("by the caller's Host where the upstream is called by that, and told of it anyway", async () => {
    const { host } = new URL(stage.gateway.url);
    await stage.ask('POST /h/p/tokens', user.token, { label: 'SDK' });
    await create();
    const [preserved, own] = stage.upstream.seen;
    expect(preserved?.headers).toMatchObject({ host, 'x-forwarded-host': host });
    expect(own?.headers).toMatchObject({ host: new URL(stage.upstream.url).host, 'x-forwarded-host': host });
  });

  test('and a caller whose token died while it was asked makes nothing', async () => {
    let held: ServerResponse | null = null;
    says((_req, res) => {
      held = res;
    });
    const asking = create();
    const answer = await vi.waitUntil(() => held as ServerResponse | null, { interval: 1 });
    await stage.gateway.running.tokens.revoke(user.id, 'op', 'stolen');
    answer.end('{}');
    const told = await asking;
    expect([told.status, told.body.code, await made()]).toEqual([401, 'invalid_token', 0]);
    const account = await stage.gateway.account(told.headers.get('x-request-id'));
    expect(account).toMatchObject({ code: 'token_revoked', tokenId: user.id });
  });

  test('never by a second credential, which did not decide here', async () => {
    const second = await stage.user();
    await create(
      user.token,
      { 'X-User-Token': second.token, Cookie: `session=${second.token}` },
      `?user_token=${second.token}`,
    );
    expect(JSON.stringify(stage.upstream.seen)).toContain(user.token);
    expect(JSON.stringify(stage.upstream.seen)).not.toContain(second.token);
  });

  test('anew every time', async () => {
    const line = `POST /c/again${projects++}/tokens`;
    for (let i = 0; i < 3; i++) await stage.ask(line, user.token, { label: 'SDK' });
    expect(stage.upstream.seen).toHaveLength(3);
  });

  test('about the segment that was named, however it is encoded', async () => {
    const told = await stage.ask('POST /c/a%20b:c@d/tokens', user.token, { label: 'SDK' });
    expect(told.body.token.attributes).toEqual({ project: 'a b:c@d' });
    const { target = '' } = stage.upstream.seen[0] ?? {};
    expect(decodeURIComponent(target)).toBe('/base/projects/a b:c@d');
  });

  test('only after everything else was judged: not for a payload that is refused', async () => {
    const told = await stage.ask('POST /c/p/tokens', user.token, { label: '' });
    expect([told.body.code, stage.upstream.seen]).toEqual(['payload_invalid', []]);
    const outside = await stage.ask('POST /c/%C3%A9/tokens', user.token, { label: 'a' });
    expect([outside.body.code, stage.upstream.seen]).toEqual(['record_not_found', []]);
  });
});

describe('an answer', () => {
  test.each([200, 201, 204, 299])('of %d goes on', async (status) => {
    says((_req, res) => res.writeHead(status).end(status === 204 ? '' : 'x'.repeat(200_000)));
    expect([(await create()).status, await made()]).toEqual([201, 1]);
  });

  test.each([
    [401, 401, 'invalid_token', 'token_unknown'],
    [403, 403, 'bind_mismatch', 'bind_mismatch'],
    [404, 404, 'record_not_found', 'record_not_found'],
    [304, 503, 'confirm_unavailable', 'confirm_unavailable'],
    [302, 503, 'confirm_unavailable', 'confirm_unavailable'],
    [400, 503, 'confirm_unavailable', 'confirm_unavailable'],
    [429, 503, 'confirm_unavailable', 'confirm_unavailable'],
    [500, 503, 'confirm_unavailable', 'confirm_unavailable'],
  ])('of %d is %d %s in our own words, and nothing is made', async (status, ours, code, inside) => {
    says((_req, res) =>
      res.writeHead(status, { Location: '/x', 'X-Own': 'yes' }).end(status === 304 ? '' : 'secret words'),
    );
    const told = await create();
    expect([told.status, told.body.code, await made()]).toEqual([ours, code, 0]);
    expect(told.text).not.toContain('secret words');
    expect(told.headers.get('x-own')).toBeNull();
    expect(told.headers.get('retry-after')).toBe(ours === 503 ? '1' : null);
    expect(await stage.gateway.account(told.headers.get('x-request-id'))).toMatchObject({
      code: inside,
      tokenId: user.id,
    });
  });

  test.each<[string, (req: IncomingMessage, res: ServerResponse) => void]>([
    ['that never comes', () => {}],
    ['that is cut before its head', (req) => req.socket.destroy()],
    ['that is no HTTP', (req) => req.socket.end('220 mail.example ESMTP\r\n\r\n')],
  ])('%s is 503, in time, and nothing is made', async (_what, answer) => {
    says(answer);
    const startedMs = performance.now();
    const told = await create();
    expect([told.status, told.body.code, await made()]).toEqual([503, 'confirm_unavailable', 0]);
    expect(performance.now() - startedMs).toBeLessThan(2500);
  });

  test('of 2xx whose body never ends holds nobody up', async () => {
    says((_req, res) => {
      res.writeHead(200);
      res.write('x');
    });
    expect((await create()).status).toBe(201);
  });
});

test('a caller who leaves while the upstream thinks makes nothing', async () => {
  const asked = new Promise<() => void>((resolve) => says((_req, res) => resolve(() => res.end())));
  project = `c${projects++}`;
  const leaving = new AbortController();
  const told = fetch(`${stage.gateway.url}/c/${project}/tokens`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${user.token}`, 'Content-Type': 'application/json' },
    body: '{"label":"a"}',
    signal: leaving.signal,
  }).catch(() => 'left');
  const release = await asked;
  leaving.abort();
  expect(await told).toBe('left');
  await expect.poll(() => stage.gateway.running.life.inFlight).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  release();
  await expect.poll(() => stage.gateway.running.life.inFlight).toBe(0);
  expect(await made()).toBe(0);
});

describe('what the answer says of a new token', () => {
  const asked = async (text: string, headers: Record<string, string> = {}) => {
    says((req, res) => {
      req.resume();
      res.writeHead(200, { 'Content-Type': 'application/json', ...headers });
      res.end(text);
    });
    project = `a${projects++}`;
    return stage.ask(`POST /a/${project}/tokens`, user.token, { label: 'SDK' });
  };

  test.each([
    [
      '{"project":{"organization_id":"org_1","plan":"team","other":[1]}}',
      { organization: 'org_1', plan: 'team' },
    ],
    ['{"project":{"organization_id":"org_1"}}', { organization: 'org_1' }],
    ['{"project":{"organization_id":"org_1","plan":null}}', { organization: 'org_1' }],
    ['{"project":{"organization_id":"org_1","plan":""}}', { organization: 'org_1' }],
  ])('%s is what it has', async (text, attributes) => {
    const told = await asked(text);
    expect([told.status, told.body.attributes]).toEqual([201, { project, ...attributes }]);
  });

  test.each([
    '{}',
    '',
    'nonsense',
    '{"project":{}}',
    '{"project":{"organization_id":null}}',
    '{"project":{"organization_id":7}}',
    '{"project":{"organization_id":["org_1"]}}',
    '{"project":{"organization_id":"org_1","plan":{}}}',
    '{"project":{"organization_id":"two\\nlines"}}',
    '{"project":{"organization_id":"org_1","organization_id":"org_2"}}',
    '{"project":{"organization_id":"org_1","Organization_ID":"org_2"}}',
    '{"project":{"organization_id":"org_1"}} {}',
    `{"project":{"organization_id":"org_1"},"x":"${'x'.repeat(70_000)}"}`,
  ])('%j makes nothing: nobody can tell', async (text) => {
    const told = await asked(text);
    expect([told.status, told.body.code, await made()]).toEqual([503, 'confirm_unavailable', 0]);
    expect(told.text).not.toMatch(/org_|lines/);
  });

  test('an answer that breaks off, or comes in a coding, makes nothing either', async () => {
    const coded = await asked('{"project":{"organization_id":"org_1"}}', { 'Content-Encoding': 'gzip' });
    const short = await asked('{"project":{"organization_id":"org_1"}}', { 'Content-Length': '50' });
    expect([coded.status, short.status, await made()]).toEqual([503, 503, 0]);
  });

  test('a long answer in a coding keeps no connection from the next question', async () => {
    const closed = Promise.withResolvers<void>();
    says((req, res) => {
      req.socket.once('close', () => closed.resolve());
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' });
      res.end(Buffer.alloc(8 * 1024 * 1024));
    });
    project = `a${projects++}`;
    const told = await stage.ask(`POST /a/${project}/tokens`, user.token, { label: 'SDK' });
    expect([told.status, told.body.code]).toEqual([503, 'confirm_unavailable']);
    await closed.promise;
  });

  test('its no is read no further than its status', async () => {
    says((_req, res) => {
      res.writeHead(403).end('{"project":{"organization_id":"org_1"}}');
    });
    project = `a${projects++}`;
    const told = await stage.ask(`POST /a/${project}/tokens`, user.token, { label: 'SDK' });
    expect([told.status, told.body.code, await made()]).toEqual([403, 'bind_mismatch', 0]);
  });
});
