/** What is no request of Pionne's, in the words of Pionne; and what must never come in, go on or be kept. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { beside, openPionne, refusedBy, strangerToken } from './pionne-stage.ts';
import type { Product, Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused = (told: Told, status: number, more?: object) => refusedBy(product, told, status, more);
const user = '-H "Authorization: Bearer $U"';
const sdk = '-H "X-Pionne-Token: $TB"';
/** Every token that went over a wire here; none may be found anywhere afterwards. */
const secrets: string[] = [];

beforeAll(async () => {
  product = await openPionne({ DEAD: 'prj_dead' });
  product.names.STRANGER = strangerToken();
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('an event that cannot be read in one way only is 400', () => {
  test.each([
    ['malformed', `J -d '{"app_id":'`],
    ['empty', 'J'],
    ['followed by more', `J -d '{"app_id":"com.a"} {}'`],
    ['with two app_ids', `J -d '{"app_id":"com.a","app_id":"com.b"}'`],
    ['with two app_ids, one escaped', `J -d '{"app_id":"com.a","app\\u005fid":"com.b"}'`],
    ['with an app_id in another case', `J -d '{"App_Id":"com.a"}'`],
    ['with a byte order mark', `J -d $'\\xef\\xbb\\xbf{"message":"x"}'`],
    ['not in UTF-8', `J -d $'{"app_id":"com.\\xff"}'`],
    ['nested without end', `J -d '${'{"a":'.repeat(80)}1${'}'.repeat(80)}'`],
    ['a form', `-d 'app_id=com.a'`],
    ['plain text', `-H 'Content-Type: text/plain' -d '{"app_id":"com.a"}'`],
    ['without a type', `-H 'Content-Type:' -d '{"app_id":"com.a"}'`],
    ['in a coding', `J -H 'Content-Encoding: gzip' -d '{"app_id":"com.a"}'`],
    ['in UTF-16', `-H 'Content-Type: application/json; charset=utf-16' -d '{"app_id":"com.a"}'`],
  ])('%s', async (_, words) => {
    refused(await curl(`curl -X POST $GW/ingest ${sdk} ${words} -H "Accept: */*"`), 400);
    // Whoever has no token hears of that first.
    refused(await curl(`curl -X POST $GW/ingest ${words} -H "Accept: */*"`), 401);
  });

  test('what is no text in the place of an app_id is no app_id, and never pinned', async () => {
    for (const id of ['7', '{}', '["com.acme.app"]', 'true', '"com\\u0000"']) {
      const { status, body } = await curl(
        `curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" J -d '{"message":"x","app_id":${id}}'`,
      );
      expect([400, 403]).toContain(status);
      expect(body.message).toMatch(/./);
    }
    expect(product.seen).toEqual([]);
  });

  test('other rows are the service’s to read, byte for byte', async () => {
    for (const path of ['sessions', 'feedback', 'events/1234/feedback', 'profiles']) {
      product.seen.length = 0;
      const told = await curl(`curl -X POST $GW/${path} ${sdk} J -d '{"message":'`);
      expect([told.status, product.seen[0]?.body]).toEqual([202, '{"message":']);
    }
  });

  test('what the gate answers itself it reads: a token is not made for a body that makes no sense', async () => {
    const line = `curl -X POST $GW/projects/prj_a/regenerate ${user}`;
    for (const [words, status] of [
      [`J -d '{"grace":'`, 400],
      [`J -d '{"grace":true,"grace":false}'`, 400],
      [`-H 'Content-Type: text/plain' -d '{"grace":true}'`, 400],
      [`J -d '[]'`, 422],
    ] as const) {
      refused(await curl(`${line} ${words}`), status);
    }
    expect((await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" J -d '{}'`)).status).toBe(202);
  });
});

describe('a path or method that is not Pionne’s', () => {
  test.each([
    ['-X GET $GW/ingest', 405, 'POST'],
    ['-X DELETE $GW/api/sessions', 405, 'POST'],
    ['-X PUT $GW/projects/prj_a', 405, 'PATCH, DELETE'],
    ['-X POST $GW/auth/me', 405, 'GET, HEAD'],
    ['-X OPTIONS $GW/projects', 405, 'GET, HEAD, POST'],
    ['-X TRACE $GW/ingest', 405, null],
    ['$GW/', 404, null],
    ['$GW/api', 404, null],
    ['-X POST $GW/api/api/ingest', 404, null],
    ['-X POST $GW/v1/ingest', 404, null],
    ['-X POST $GW/INGEST', 404, null],
    ['-X POST $GW/ingest/', 404, null],
    ['-X POST $GW/events/1/2/feedback', 404, null],
    ['-X POST $GW//ingest', 400, null],
    ['-X POST $GW/api/../ingest', 400, null],
    ['-X POST $GW/%69ngest', 400, null],
    ['-X POST $GW/projects/prj_a%2fregenerate', 400, null],
    ['-X POST "$GW/projects/prj_a;x/regenerate"', 400, null],
    [`"$GW/projects?${'a'.repeat(9000)}"`, 414, null],
    [`$GW/projects -H "X-Large: ${'a'.repeat(17_000)}"`, 431, null],
    ['$GW/projects -H "Expect: a-cake"', 417, null],
    ['$GW/projects -H "Host: a b"', 400, null],
  ])('%s is %i in its shape', async (words, status, allow) => {
    for (const credential of [sdk, user]) {
      const told = await curl(`curl --path-as-is ${words} ${credential}`);
      refused(told, status);
      if (allow !== null)
        expect(told.headers.allow?.split(', ').toSorted()).toEqual(allow.split(', ').toSorted());
    }
  });

  test('another method cannot be asked for by a header', async () => {
    await curl(
      `curl -X POST $GW/sessions ${sdk} J -d '{}' -H "X-HTTP-Method-Override: DELETE" -H "X_HTTP_Method: PUT"`,
    );
    expect(product.seen[0]?.rawHeaders.join('\n')).not.toMatch(/DELETE|PUT/);
  });
});

test('an address that tries many tokens is 429 in its shape; a token that is known goes on', async () => {
  const from = '--interface 127.0.0.9';
  expect((await curl(`curl -X POST $GW/ingest ${from} ${sdk} J -d '{}'`)).status).toBe(202);
  product.seen.length = 0;
  const tries = await product.shell(
    `curl -s ${from} -o /dev/null -w '%{http_code}\\n' -X POST "$GW/ingest?[1-150]" -H "X-Pionne-Token: $STRANGER" -d x`,
  );
  expect(new Set(tries.trim().split('\n'))).toEqual(new Set(['401', '429']));
  const told = await curl(`curl -X POST $GW/ingest ${from} -H "X-Pionne-Token: $STRANGER" J -d '{}'`);
  refused(told, 429);
  expect(told.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
  expect((await curl(`curl -X POST $GW/ingest ${from} ${sdk} J -d '{}'`)).status).toBe(202);
});

test('a service that is away is 502, and 503 where it should confirm, in its shape', async () => {
  const away = await openPionne({}, { replaced: { 'http://127.0.0.1:9001': 'http://127.0.0.1:1' } });
  try {
    for (const line of [
      `-X POST $GW/ingest ${sdk} J -d '{}'`,
      `$GW/projects ${user}`,
      `-X POST $GW/auth/login -d x`,
    ]) {
      refusedBy(away, await away.curl(`curl ${line}`), 502);
    }
    const told = await away.curl(`curl -X POST $GW/projects/prj_a/regenerate ${user}`);
    refusedBy(away, told, 503);
    expect(told.headers['retry-after']).toMatch(/^[1-9]/);
    // Nothing was regenerated: the token would be 401.
    refusedBy(away, await away.curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" J -d '{}'`), 502);
  } finally {
    await away.stop();
  }
});

describe('across all of it', () => {
  test('74: forged identity is gone in every spelling, on public rows and on what is asked first too', async () => {
    const forged = [
      'X-Postern-Project: evil',
      'x-postern-project: evil',
      'X_Postern_Project: evil',
      'X-POSTERN-USER: evil',
      'X-Postern_Client: evil',
      'X-Postern-Bundle-Id: evil',
      'X-Postern-Bundle-First-Use: evil',
      'X-Postern-Anything: evil',
      'X.Postern.User: evil',
    ];
    const headers = forged.map((one) => `-H "${one}"`).join(' ');
    const login = `{"email":"eve@example.com","password":"min8chars"}`;
    for (const line of [
      `$GW/api/ingest ${sdk} J -d '{}'`,
      `$GW/projects ${user} J -d '{"name":"forged"}'`,
      `$GW/auth/login J -d '${login}'`,
      `$GW/projects/prj_a/regenerate ${user}`,
    ]) {
      product.seen.length = 0;
      const told = await curl(`curl -X POST ${line} ${headers}`);
      expect([200, 201, 202]).toContain(told.status);
      if (told.body.token) secrets.push(told.body.token);
      expect(product.seen).toHaveLength(1);
      expect(product.seen[0]?.rawHeaders.join('\n')).not.toMatch(/evil|anything/i);
    }
    expect(product.seen[0]?.headers['x-postern-user']).toBe('usr_a1b2c3');
  });

  test('76: the service’s status, body and headers pass as they are; names of ours do not', async () => {
    for (const [line, status] of [
      [`-X POST $GW/ingest ${sdk} J -d '{}'`, 202],
      [`-X POST $GW/events/422/feedback ${sdk} J -d '{}'`, 422],
      [`-X POST $GW/events/429/feedback ${sdk} J -d '{}'`, 429],
      [`-X POST $GW/api/events/500/feedback ${sdk} J -d '{}'`, 500],
      [`$GW/projects ${user}`, 200],
      [`-X PATCH $GW/projects/prj_b ${user} J -d '{"name":"n"}'`, 200],
      [`-X POST $GW/auth/login J -d '{"email":"a@example.com","password":"wrong"}'`, 401],
      [`-X POST $GW/auth/login J -d '{"email":"a@example.com","password":"right one"}'`, 200],
    ] as const) {
      const told = await curl(`curl ${line}`);
      expect([line, told.status]).toEqual([line, status]);
      const names = Object.entries(beside).map(([name, value]) => [name.toLowerCase(), value]);
      expect(told.headers).toMatchObject(Object.fromEntries(names));
      expect(told.headers).not.toHaveProperty('x-postern-user');
      if (told.body.token) secrets.push(told.body.token);
    }
  });

  test('73: no token stands in store, log, metrics or a refusal, dead and unknown ones neither', async () => {
    const made = await curl(`curl -X POST $GW/projects ${user} J -d '{"name":"kept"}'`);
    const regenerated = await curl(`curl -X POST $GW/projects/prj_dead/regenerate ${user}`);
    secrets.push(made.body.token, regenerated.body.token);
    const { names } = product;
    secrets.push(...['T1', 'T2', 'TB', 'U', 'DEAD', 'STRANGER'].map((name) => names[name] ?? ''));
    const beacon = (name: string, path: string) => curl(`curl -X POST "$GW${path}?token=$${name}" J -d '{'`);
    const refusals = [
      await beacon('TB', '/ingest'),
      await beacon('DEAD', '/ingest'),
      await beacon('STRANGER', '/sessions'),
      await beacon('TB', '/nowhere'),
      await beacon('TB', '//ingest'),
      await curl('curl $GW/projects -H "Authorization: Bearer $T1"'),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([400, 401, 401, 404, 400, 401]);
    const told = refusals.map(({ text, headers }) => text + JSON.stringify(headers)).join('\n');
    const traces = await product.traces();
    expect(traces).toContain('SQLite format 3');
    expect(secrets.length).toBeGreaterThan(10);
    for (const secret of secrets) {
      expect(secret).toMatch(/^(pio_live_[0-9A-Za-z]{48}|\d+\|[0-9A-Za-z]{40})$/);
      const random = secret.slice(-36);
      expect([traces.includes(random), told.includes(random)]).toEqual([false, false]);
    }
  });
});
