/** Pionne's SDK rows: an app's token in its header or query, and the app it is pinned to. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundleRefusal, openPionne, refusedBy, strangerToken } from './pionne-stage.ts';
import type { Product, Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused = (told: Told, status: number, more?: object) => refusedBy(product, told, status, more);

beforeAll(async () => {
  product = await openPionne({ RACE: 'prj_race', BOTH: 'prj_both', BEACON: 'prj_beacon', BIG: 'prj_big' });
  product.names.STRANGER = strangerToken();
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

const event = (id: string) =>
  `J -d '{"exception_type":"TypeError","message":"x","platform":"ios","app_id":"${id}"}'`;
const backend = `J -d '{"exception_type":"Error","message":"x","extra":{"cart_id":42}}'`;
const pinned = async (project: string) =>
  (await product.postern('pin', 'show', 'app', `project=${project}`)).value;

describe('bundle pinning', () => {
  test('1: the first event pins its app, and the service is told of project, token and pin', async () => {
    const told = await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" ${event('com.acme.app')}`);
    expect([told.status, told.body]).toEqual([202, { event_id: 'evt_a1b2c3', issue_id: 'iss_xxx' }]);
    const [{ target, body, headers } = { target: '', body: '', headers: {} }] = product.seen;
    expect([target, body]).toEqual([
      '/ingest',
      '{"exception_type":"TypeError","message":"x","platform":"ios","app_id":"com.acme.app"}',
    ]);
    expect(headers).toMatchObject({
      'x-postern-project': 'prj_a',
      'x-postern-token-id': expect.stringMatching(/^tok_/),
      'x-postern-bundle-id': 'com.acme.app',
      'x-postern-bundle-sent': 'com.acme.app',
      'x-postern-bundle-first-use': 'true',
    });
    expect(headers).not.toHaveProperty('x-pionne-token');
    expect(await pinned('prj_a')).toBe('com.acme.app');
  });

  test('2, 7: so it goes on, under the other prefix too, and pins no more', async () => {
    for (const path of ['/ingest', '/api/ingest']) {
      product.seen.length = 0;
      const told = await curl(`curl -X POST $GW${path} -H "X-Pionne-Token: $T1" ${event('com.acme.app')}`);
      expect([told.status, product.seen[0]?.target]).toEqual([202, path]);
      expect(product.seen[0]?.headers['x-postern-bundle-first-use']).not.toBe('true');
    }
  });

  test('3: another app is 403, and sees what is pinned without its first character', async () => {
    for (const path of ['/ingest', '/api/ingest']) {
      refused(
        await curl(`curl -X POST $GW${path} -H "X-Pionne-Token: $T1" ${event('com.attacker.app')}`),
        403,
        bundleRefusal,
      );
    }
    // An id is compared exactly, and the one in `contexts` is none.
    refused(
      await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" ${event('com.acme.App')}`),
      403,
      bundleRefusal,
    );
    const nested = `J -d '{"message":"x","contexts":{"app":{"bundle_id":"com.acme.app"}}}'`;
    refused(await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T1" ${nested}`), 403, bundleRefusal);
  });

  test('4: no app_id is 403 once one is pinned', async () => {
    refused(await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $T2" ${backend}`), 403, bundleRefusal);
  });

  test('a backend that never says an app_id is never pinned', async () => {
    for (let i = 0; i < 2; i++) {
      expect((await curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $TB" ${backend}`)).status).toBe(202);
    }
    expect(product.seen.map(({ headers }) => headers['x-postern-bundle-id'])).toEqual([undefined, undefined]);
  });

  test('sessions say an app_id that nobody checks, feedback and profiles none', async () => {
    for (const path of ['sessions', 'feedback', 'profiles']) {
      const told = await curl(
        `curl -X POST $GW/${path} -H "X-Pionne-Token: $T2" ${event('com.attacker.app')}`,
      );
      expect(told.status).toBe(202);
    }
  });

  test('6: of fifty first events at once one app is pinned, and the other is 403 every time', async () => {
    const half = (id: string) =>
      `-s -o /dev/null -w '%{http_code} ${id}\\n' "$GW/ingest?[1-25]" -H "X-Pionne-Token: $RACE" -H "Content-Type: application/json" -d '{"message":"x","app_id":"${id}"}'`;
    const lines = (await product.shell(`curl -Z --parallel-max 50 ${half('com.a')} --next ${half('com.b')}`))
      .trim()
      .split('\n');
    const value = await pinned('prj_race');
    const loser = value === 'com.a' ? 'com.b' : 'com.a';
    expect(['com.a', 'com.b']).toContain(value);
    expect(lines.filter((line) => line === `202 ${value}`)).toHaveLength(25);
    expect(lines.filter((line) => line === `403 ${loser}`)).toHaveLength(25);
    expect(new Set(product.seen.map(({ body }) => body))).toEqual(
      new Set([`{"message":"x","app_id":"${value}"}`]),
    );
    const firsts = product.seen.filter(({ headers }) => headers['x-postern-bundle-first-use'] === 'true');
    expect(firsts).toHaveLength(1);
  });
});

describe('whose token', () => {
  const rows = ['ingest', 'sessions', 'feedback', 'events/1234/feedback', 'profiles'];

  test('9: no token is 401 with a message, on every row of the SDKs', async () => {
    for (const row of rows) refused(await curl(`curl -X POST $GW/${row} ${backend}`), 401);
    refused(await curl(`curl -X POST $GW/api/ingest -H "X-Pionne-Token;" ${backend}`), 401);
  });

  test('11: a person’s token is 401 there, in either header', async () => {
    for (const row of rows) {
      refused(await curl(`curl -X POST $GW/${row} -H "X-Pionne-Token: $U" ${backend}`), 401);
      refused(await curl(`curl -X POST $GW/api/${row} -H "Authorization: Bearer $U" ${backend}`), 401);
    }
  });

  test('an unknown token, a placeholder, and one in the wrong place are the same 401', async () => {
    const wrong = [
      `-H "X-Pionne-Token: $STRANGER"`,
      `-H "X-Pionne-Token: pio_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`,
      `-H "X-Pionne-Token: pio_live_short"`,
      `-H "X-Pionne-Token: pio_test_\${TB#pio_live_}"`,
      `-H "X-Pionne-Token: Bearer $TB"`,
      `-H "X-Pionne-Token: \${TB}a"`,
      `-H "X-Pionne-Token: \${TB%?}"`,
      `-H "Authorization: Bearer $TB"`,
      `-H "Authorization: Basic $TB"`,
    ];
    const told = [];
    for (const words of wrong) told.push(await curl(`curl -X POST $GW/ingest ${words} ${backend}`));
    for (const one of told) refused(one, 401);
    expect(new Set(told.map(({ text }) => text)).size).toBe(1);
  });

  test('21: feedback is taken, under both prefixes, and of an event too', async () => {
    const feedback = `-H "X-Pionne-Token: $T2" J -d '{"message":"x"}'`;
    for (const path of ['/feedback', '/api/events/1234/feedback', '/api/feedback', '/events/1234/feedback']) {
      const told = await curl(`curl -X POST $GW${path} ${feedback}`);
      expect([told.status, told.body]).toEqual([202, { ok: true, feedback_id: 42 }]);
    }
    // Whose event it is the service knows, and says so itself.
    const told = await curl(`curl -X POST $GW/api/events/404/feedback ${feedback}`);
    expect([told.status, told.body]).toEqual([404, { message: 'It is 404.' }]);
    expect(product.seen.at(-1)?.headers['x-postern-project']).toBe('prj_b');
  });
});

describe('navigator.sendBeacon', () => {
  test('the token may stand in the query, and is cut out of it before it goes on', async () => {
    for (const [query, left] of [
      ['token=$TB', ''],
      ['sdk=web&token=$TB&v=%7C1', '?sdk=web&v=%7C1'],
      ['token=$TB&a=1', '?a=1'],
    ]) {
      for (const path of ['/api/ingest', '/sessions']) {
        product.seen.length = 0;
        const told = await curl(`curl -X POST "$GW${path}?${query}" ${backend}`);
        expect([told.status, product.seen[0]?.target]).toEqual([202, `${path}${left}`]);
        expect(product.seen[0]?.headers['x-postern-project']).toBe('prj_n');
      }
    }
  });

  test('beside a header it is cut out all the same, and the header decides', async () => {
    const told = await curl(`curl -X POST "$GW/ingest?token=$STRANGER" -H "X-Pionne-Token: $TB" ${backend}`);
    expect([told.status, product.seen[0]?.target]).toEqual([202, '/ingest']);
    product.seen.length = 0;
    refused(await curl(`curl -X POST "$GW/ingest?token=$TB" -H "X-Pionne-Token: $STRANGER" ${backend}`), 401);
  });

  test('twice, or in disguise, it is nobody’s to choose', async () => {
    refused(await curl(`curl -X POST "$GW/ingest?token=$TB&token=$T2" ${backend}`), 400);
    refused(await curl(`curl -X POST "$GW/ingest?%74oken=$TB" ${backend}`), 400);
    const twice = '-H "X-Pionne-Token: $TB" -H "X-Pionne-Token: $T2"';
    refused(await curl(`curl -X POST $GW/ingest ${twice} ${backend}`), 400);
  });
});

describe('pages of other sites', () => {
  const rows = [
    'ingest',
    'api/sessions',
    'feedback',
    'api/events/1234/feedback',
    'profiles',
    'api/ingest?token=$TB',
  ];
  const origin = '-H "Origin: https://shop.example.com"';

  test('a preflight allows the SDK’s headers, and no cookies', async () => {
    for (const row of rows) {
      const told = await curl(
        `curl -X OPTIONS "$GW/${row}" ${origin} -H "Access-Control-Request-Method: POST" -H "Access-Control-Request-Headers: content-type,x-pionne-token"`,
      );
      expect([told.status, told.text]).toEqual([204, '']);
      expect(told.headers['access-control-allow-origin']).toBe('https://shop.example.com');
      expect(told.headers['access-control-allow-methods']).toContain('POST');
      const allowed = (told.headers['access-control-allow-headers'] ?? '').toLowerCase().split(/, */);
      expect(allowed.toSorted()).toEqual(['content-type', 'x-pionne-token']);
      expect(told.headers).not.toHaveProperty('access-control-allow-credentials');
      expect(told.headers.vary).toContain('Origin');
    }
    expect(product.seen).toEqual([]);
  });

  test('answers and refusals can be read by them, with the time to wait', async () => {
    const taken = await curl(`curl -X POST $GW/ingest ${origin} -H "X-Pionne-Token: $TB" ${backend}`);
    product.seen.length = 0;
    const nobody = await curl(`curl -X POST $GW/ingest ${origin} ${backend}`);
    refused(nobody, 401);
    const other = await curl(`curl -X POST $GW/ingest ${origin} -H "X-Pionne-Token: $T2" ${backend}`);
    refused(other, 403, bundleRefusal);
    for (const { headers } of [taken, nobody, other]) {
      expect(headers['access-control-allow-origin']).toBe('https://shop.example.com');
      expect(headers['access-control-expose-headers']).toContain('Retry-After');
      expect(headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });
});

describe('large bodies', () => {
  const write = (name: string, text: string | Buffer) => {
    product.names[name] = join(product.folder, `${name}.bin`);
    writeFileSync(product.names[name], text);
  };

  test('a profile of 8,000,000 bytes passes, byte for byte', async () => {
    const profile = `{"name":"checkout","samples":"${'s'.repeat(8_000_000 - 32)}"}`;
    expect(profile).toHaveLength(8_000_000);
    write('PROFILE', profile);
    const told = await curl('curl -X POST $GW/profiles -H "X-Pionne-Token: $BIG" J --data-binary @$PROFILE');
    expect([told.status, told.body]).toEqual([202, { profile_id: 7 }]);
    expect(product.seen[0]?.body === profile).toBe(true);
  });

  test('an event with a screenshot passes, and one of 10 MiB and a byte is 413', async () => {
    const shot = (bytes: number) => {
      const empty = '{"message":"x","app_id":"com.acme.app","screenshot":""}';
      return empty.replace('""', `"${'/9j/'.repeat(bytes / 4 + 1).slice(0, bytes - empty.length)}"`);
    };
    const [event, tooLarge] = [shot(3_000_000), shot(10 * 1024 * 1024 + 1)];
    write('SHOT', event);
    write('TOO_LARGE', tooLarge);
    const line = 'curl -X POST $GW/api/ingest -H "X-Pionne-Token: $BIG" J --data-binary';
    expect((await curl(`${line} @$SHOT`)).status).toBe(202);
    expect(product.seen[0]?.body === event).toBe(true);
    product.seen.length = 0;
    refused(await curl(`${line} @$TOO_LARGE`), 413);
    refused(await curl(`${line} @$TOO_LARGE -H "Transfer-Encoding: chunked"`), 413);
  });
});
