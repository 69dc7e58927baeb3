/** The life of Pionne's tokens: made with a project, regenerated, ended, brought along from before. */
import bcrypt from 'bcryptjs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/process.ts';
import { bundleRefusal, openPionne, projectToken, quick, refusedBy, userToken } from './pionne-stage.ts';
import type { Product, Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused = (told: Told, status: number, more?: object) => refusedBy(product, told, status, more);
const user = '-H "Authorization: Bearer $U"';

/** Five tokens whose first twelve characters are the same, as bcrypt rows. */
const before = ['$2y$', '$2b$', '$2y$', '$2b$', '$2a$'].map((kind, at) => {
  const token = `pio_live_abc${projectToken('').token.slice(12)}`;
  const hash = kind + bcrypt.hashSync(token, 4).slice(4);
  const attributes = { project: `prj_before_${at}` };
  const row = { type: 'project', bcrypt: hash, lookup: token.slice(0, 12), label: 'Shop', attributes };
  return { token, row };
});
const sanctum = userToken('17', 'usr_before', 'web');
const expired = projectToken('prj_dead');

beforeAll(async () => {
  product = await openPionne(
    { GRACE: 'prj_grace', SHORT: 'prj_short', OTHER: 'prj_other', CLEAR: 'prj_clear' },
    {
      rows: [
        ...before.map(({ row }) => row),
        sanctum.row,
        { ...expired.row, expires_at: '2026-01-31T12:00:00Z' },
      ],
      ...quick,
    },
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

/** An event with the token of this name. */
const send = (name: string, app?: string) =>
  curl(
    `curl -X POST $GW/ingest -H "X-Pionne-Token: $${name}" J -d '${JSON.stringify({ message: 'x', app_id: app })}'`,
  );
const fresh = /^pio_live_[0-9A-Za-z]{48}$/;

describe('regenerating', () => {
  test('16: the documented line answers a new token', async () => {
    const told = await curl('curl -X POST $GW/projects/prj_a/regenerate \\\n -H "Authorization: Bearer $U"');
    expect([told.status, told.headers['content-type']]).toEqual([200, 'application/json']);
    expect(told.body.token).toMatch(fresh);
    expect(told.headers['cache-control']).toBe('no-store');
    product.names.NEW = told.body.token;
  });

  test('17: at once the old token is 401, and the new one works', async () => {
    refused(await send('T1'), 401);
    // All events that come with it are, however many: they are no attempts at a token.
    const line = `curl -s -o /dev/null -w '%{http_code} ' -X POST "$GW/ingest?[1-100]" -H "X-Pionne-Token: $T1"`;
    expect(await product.shell(line)).toBe('401 '.repeat(100));
    expect((await send('NEW')).status).toBe(202);
    expect(product.seen[0]?.headers['x-postern-project']).toBe('prj_a');
    expect((await send('OTHER')).status).toBe(202);
  });

  test('19: no app’s token regenerates one, not even its own', async () => {
    for (const project of ['prj_a', 'prj_b']) {
      refused(await curl(`curl -X POST $GW/projects/${project}/regenerate -H "X-Pionne-Token: $T2"`), 401);
      refused(
        await curl(`curl -X POST $GW/projects/${project}/regenerate -H "Authorization: Bearer $T2"`),
        401,
      );
    }
    refused(await curl('curl -X POST $GW/projects/prj_b/regenerate'), 401);
  });

  test('{"grace": true} lets both work for a day, and then the old one is dead', async () => {
    const told = await curl(
      `curl -X POST $GW/api/projects/prj_grace/regenerate ${user} J -d '{"grace": true}'`,
    );
    expect([told.status, told.body.token]).toEqual([200, expect.stringMatching(fresh)]);
    product.names.GRACED = told.body.token;
    expect([(await send('GRACE')).status, (await send('GRACED')).status]).toEqual([202, 202]);
    const [old] = told.body.replaced;
    const ends = Date.parse((await product.postern('token', 'show', old)).retire_at) - Date.now();
    expect(ends / 3_600_000).toBeCloseTo(24, 1);
    // A leak of the second is dealt with at once: without grace all that were before end, the one in grace too.
    await curl(`curl -X POST $GW/projects/prj_grace/regenerate ${user}`);
    product.seen.length = 0;
    refused(await send('GRACE'), 401);
    refused(await send('GRACED'), 401);
  });

  test('a grace of a second is over after it', async () => {
    const told = await curl(`curl -X POST $GW/projects/prj_short/regenerate ${user} J -d '{"grace": 1}'`);
    product.names.LONGER = told.body.token;
    await eventually('the grace is over', async () => (await send('SHORT')).status === 401);
    product.seen.length = 0;
    refused(await send('SHORT'), 401);
    expect((await send('LONGER')).status).toBe(202);
  });

  test('a longer grace, what is none and what is not known are 422; nothing ends', async () => {
    for (const body of ['{"grace":"48h"}', '{"grace":"soon"}', '{"grace":-1}', '{"graze":true}']) {
      refused(await curl(`curl -X POST $GW/projects/prj_other/regenerate ${user} J -d '${body}'`), 422);
    }
    expect((await send('OTHER')).status).toBe(202);
  });

  test('whose project it is the service knows: another’s is 403, none is 404', async () => {
    for (const [project, status] of [
      ['prj_of_another', 403],
      ['prj_gone', 404],
    ] as const) {
      product.seen.length = 0;
      const told = await curl(`curl -X POST $GW/projects/${project}/regenerate ${user}`);
      expect(product.seen.map(({ method, target }) => `${method} ${target}`)).toEqual([
        `GET /projects/${project}`,
      ]);
      product.seen.length = 0;
      refused(told, status);
    }
  });
});

describe('a project’s own life', () => {
  test('a new project’s token works at once, and its deletion ends it', async () => {
    const told = await curl(
      `curl -X POST $GW/api/projects ${user} J -d '{"name":"new","platform":"ios","notify_on_first_seen":true}'`,
    );
    expect([told.status, told.body]).toMatchObject([201, { id: 'prj_new', bundle_id: null }]);
    product.names.MADE = told.body.token;
    expect((await send('MADE', 'com.acme.app')).status).toBe(202);
    expect(product.seen.at(-1)?.headers).toMatchObject({
      'x-postern-project': 'prj_new',
      'x-postern-bundle-first-use': 'true',
    });
    const remove = (code: string) =>
      curl(`curl -X DELETE $GW/projects/prj_new ${user} J -d '{"deletion_code":"${code}"}'`);
    const wrong = await remove('9999');
    expect([wrong.status, wrong.body]).toEqual([422, { message: 'deletion_code_invalid' }]);
    expect((await send('MADE', 'com.acme.app')).status).toBe(202);
    expect((await remove('1234')).status).toBe(204);
    product.seen.length = 0;
    refused(await send('MADE', 'com.acme.app'), 401);
    expect((await send('OTHER')).status).toBe(202);
  });

  const patch = (project: string, body: string) =>
    curl(`curl -X PATCH $GW/projects/${project} ${user} J -d '${body}'`);

  test('24: a bundle ID changed by PATCH counts from the next event on', async () => {
    const told = await patch('prj_b', '{"bundle_id":"com.acme.app.beta","deletion_code":"1234"}');
    expect([told.status, told.body.bundle_id]).toEqual([200, 'com.acme.app.beta']);
    expect((await send('T2', 'com.acme.app.beta')).status).toBe(202);
    product.seen.length = 0;
    refused(await send('T2', 'com.acme.app'), 403, {
      ...bundleRefusal,
      expected_format: '*om.acme.app.beta',
    });
  });

  test('the service’s 409 and 422 pass as they are, and change no pin', async () => {
    for (const [code, status, message] of [
      ['"0000"', 409, 'deletion_code_not_set'],
      ['"4321"', 422, 'deletion_code_invalid'],
      ['null', 422, 'deletion_code_invalid'],
    ] as const) {
      const told = await patch('prj_b', `{"bundle_id":"com.evil","deletion_code":${code}}`);
      expect([told.status, told.body]).toEqual([status, { message }]);
    }
    expect((await send('T2', 'com.acme.app.beta')).status).toBe(202);
    product.seen.length = 0;
    refused(await send('T2', 'com.evil'), 403, { ...bundleRefusal, expected_format: '*om.acme.app.beta' });
  });

  test('null and "" let the pin go, and a name changes nothing', async () => {
    for (const [empty, first, then] of [
      ['null', 'com.a', 'com.b'],
      ['""', 'com.b', 'com.c'],
    ] as const) {
      expect((await send('CLEAR', first)).status).toBe(202);
      expect((await send('CLEAR', then)).status).toBe(403);
      expect((await patch('prj_clear', `{"bundle_id":${empty},"deletion_code":"1234"}`)).status).toBe(200);
      expect((await send('CLEAR')).status).toBe(202);
      expect((await send('CLEAR', then)).status).toBe(202);
      expect((await send('CLEAR', first)).status).toBe(403);
    }
  });
});

describe('from before', () => {
  test('several bcrypt rows with the same first twelve characters are all told apart, again and again', async () => {
    for (let round = 0; round < 2; round++) {
      product.seen.length = 0;
      before.forEach(({ token }, at) => {
        product.names[`B${at}`] = token;
      });
      const told = await Promise.all(before.map((_, at) => send(`B${at}`)));
      expect(told.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
      expect(product.seen.map(({ headers }) => headers['x-postern-project']).toSorted()).toEqual(
        before.map((_, at) => `prj_before_${at}`),
      );
    }
    product.seen.length = 0;
    product.names.NEAR = `${before[0]?.token.slice(0, -1)}${before[0]?.token.endsWith('a') ? 'b' : 'a'}`;
    refused(await send('NEAR'), 401);
  });

  test('one of them, regenerated, ends at once', async () => {
    const told = await curl(`curl -X POST $GW/projects/prj_before_1/regenerate ${user}`);
    expect(told.body.token).toMatch(fresh);
    product.seen.length = 0;
    refused(await send('B1'), 401);
    expect((await send('B0')).status).toBe(202);
  });

  test('a Sanctum row is found by its id, and a sign-in of its kind of client ends it', async () => {
    product.names.SANCTUM = sanctum.token;
    const me = () => curl('curl $GW/auth/me -H "Authorization: Bearer $SANCTUM"');
    expect((await me()).status).toBe(200);
    expect(product.seen[0]?.headers).toMatchObject({
      'x-postern-user': 'usr_before',
      'x-postern-client': 'web',
    });
    await curl(
      `curl -X POST $GW/auth/login J -H "X-Pionne-Client: web" -d '{"email":"before@example.com","password":"min8chars"}'`,
    );
    product.seen.length = 0;
    refused(await me(), 401);
  });
});

test('a revoked, a disabled and an expired token are the same 401 as an unknown one', async () => {
  const make = () => product.create('project', '--attribute', 'project=prj_dead');
  const [revoked, disabled] = await Promise.all([make(), make()]);
  Object.assign(product.names, { REVOKED: revoked.token, DISABLED: disabled.token, EXPIRED: expired.token });
  expect([(await send('REVOKED')).status, (await send('DISABLED')).status]).toEqual([202, 202]);
  await Promise.all([
    product.postern('token', 'revoke', revoked.id),
    product.postern('token', 'disable', disabled.id),
  ]);
  product.names.UNKNOWN = projectToken('prj_dead').token;
  product.seen.length = 0;
  const told = [];
  for (const name of ['REVOKED', 'DISABLED', 'EXPIRED', 'UNKNOWN']) told.push(await send(name));
  for (const one of told) refused(one, 401);
  expect(new Set(told.map(({ text }) => text)).size).toBe(1);
});
