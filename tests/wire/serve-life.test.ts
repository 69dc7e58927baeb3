/** Rows that change the tokens of a project, over the wire: regenerate with and without a grace, and rotate. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from './serve-stage.ts';

let stage: Stage;
let project = '';
let user = { id: '', token: '' };
let count = 0;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  project = `p${count++}`;
  user = await stage.user(project);
});

const create = async () => stage.ask(`POST /p/${project}/tokens`, user.token, { label: 'SDK' });

describe('token.regenerate', () => {
  test('old ones are 401 on the very next request, the new one works', async () => {
    const old = [(await create()).body.plaintext, (await create()).body.plaintext];
    const told = await stage.ask(`POST /p/${project}/regenerate`, user.token);
    expect(told.status).toBe(200);
    expect(told.body).toMatchObject({
      token: expect.stringMatching(/^prj_[0-9A-Za-z]{48}$/),
      label: 'SDK',
      attributes: { project },
    });
    for (const token of old) expect(await stage.use(token)).toBe(401);
    expect(await stage.use(told.body.token)).toBe(200);
  });

  test('many at once leave one that works', async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => stage.ask(`POST /p/${project}/regenerate`, user.token)),
    );
    const statuses = await Promise.all(all.map(({ body }) => stage.use(body.token)));
    expect(statuses.sort()).toEqual([200, ...Array(7).fill(401)]);
  });

  test.each([undefined, {}, { grace: false }, { grace: 0 }])(
    'where a grace may be asked for, %j asks for none',
    async (body) => {
      const { token } = await stage.gateway.mint('project', { attributes: { project } });
      const told = await stage.ask(`POST /p/${project}/graced`, user.token, body);
      expect(told.status).toBe(200);
      expect([await stage.use(token), await stage.use(told.body.token)]).toEqual([401, 200]);
    },
  );

  test.each([true, '500ms'])('with a grace of %j both work until it ends', async (grace) => {
    const { token } = await stage.gateway.mint('project', { attributes: { project } });
    const told = await stage.ask(`POST /p/${project}/graced`, user.token, { grace });
    expect([await stage.use(token), await stage.use(told.body.token)]).toEqual([200, 200]);
    await expect.poll(() => stage.use(token), { interval: 50 }).toBe(401);
    const [old] = told.body.replaced;
    const record = await stage.gateway.running.tokens.byId(old);
    expect(Date.now()).toBeGreaterThanOrEqual(record?.retireAt ?? Number.POSITIVE_INFINITY);
    expect(await stage.use(told.body.token)).toBe(200);
  });

  test.each(['[]', '{"grace":"24h"}', '{"grace":true}', '{"scopes":["events:write"]}'])(
    '%s is refused',
    async (body) => {
      const told = await stage.ask(`POST /p/${project}/regenerate`, user.token, body);
      expect(told.body.code).toBe('payload_invalid');
    },
  );

  test.each(['501ms', '-1s', -1, 1, 0.1, null, 'true', [true]])(
    'a grace of %j is not what the row gives',
    async (grace) => {
      const { token } = await stage.gateway.mint('project', { attributes: { project } });
      const told = await stage.ask(`POST /p/${project}/graced`, user.token, { grace });
      expect([told.status, told.body.code]).toEqual([400, 'payload_invalid']);
      expect(await stage.use(token)).toBe(200);
    },
  );
});

describe('token.rotate', () => {
  test('gives a successor; the token itself works on, and has one successor only', async () => {
    const old = (await create()).body;
    const line = `POST /p/${project}/tokens/${old.id}/rotate`;
    const told = await stage.ask(line, user.token);
    expect(told).toMatchObject({
      status: 200,
      body: { label: 'SDK', rotated: { id: old.id, retire_at: expect.any(String) } },
    });
    expect([await stage.use(old.plaintext), await stage.use(told.body.token)]).toEqual([200, 200]);
    expect((await stage.ask(line, user.token)).body.code).toBe('record_not_found');
  });

  test('never gives more than the row says: neither scopes nor attributes', async () => {
    const attributes = { project };
    const wide = await stage.gateway.mint('keyed', { attributes, scopes: ['events:read', 'events:write'] });
    const special = await stage.gateway.mint('keyed', { attributes: { ...attributes, role: 'admin' } });
    const plain = await stage.gateway.mint('keyed', { attributes, scopes: ['events:write'] });
    const statuses = [];
    for (const { id } of [wide, special, plain]) {
      statuses.push((await stage.ask(`POST /k/${project}/${id}/rotate`, user.token)).status);
    }
    expect(statuses).toEqual([404, 404, 200]);
  });
});
