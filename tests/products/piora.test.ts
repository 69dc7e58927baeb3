/** Piora's acceptance requests: scopes that contain each other nowhere, one envelope for every refusal. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/process.ts';
import { openProduct, type Product, type Told } from './stage.ts';

let product: Product;
let revokedId = '';
const curl = (line: string): Promise<Told> => product.curl(line);

beforeAll(async () => {
  product = await openProduct({
    example: 'piora',
    answering: ({ method }) => ({
      status: method === 'POST' ? 201 : 200,
      body: { success: true, data: {}, meta: { page: 1, per_page: 20, total: 45 } },
      headers: { ETag: '"v1"', 'Set-Cookie': 'seen=1; Path=/', 'X-Postern-User': 'forged by the upstream' },
    }),
    replaced: { 'rate: 600/1m': 'rate: 40/1m', 'nth: 601': 'nth: 41' },
  });
  const scoped = async (...scopes: string[]) => {
    const words = scopes.flatMap((scope) => ['--scope', scope]);
    return product.create('api', '--label', 'ci-cd-pipeline', ...words);
  };
  const [rs, ra, rn, rv, re, rd, rw, rl] = await Promise.all([
    product.create(
      'api',
      '--label',
      'ci-cd-pipeline',
      '--scope',
      'servers:read',
      '--attribute',
      'organization=org_1',
      '--attribute',
      'user=usr_1',
    ),
    scoped('applications:deploy'),
    scoped(),
    scoped('servers:read'),
    product.create('api', '--scope', 'servers:read', '--expires-in', '1s'),
    scoped('databases:read'),
    scoped('databases:write'),
    scoped('servers:read'),
  ]);
  revokedId = rv.id;
  Object.assign(product.names, {
    RS: rs.token,
    RS_ID: rs.id,
    RA: ra.token,
    RN: rn.token,
    RV: rv.token,
    RE: re.token,
    RD: rd.token,
    RW: rw.token,
    RL: rl.token,
  });
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

const refused = (told: Told, status: number, code: string) => {
  expect(told.status).toBe(status);
  expect(told.body).toEqual({ success: false, error: { code, message: expect.stringMatching(/./) } });
  expect(told.headers['content-type']).toBe('application/json');
  expect(product.seen).toEqual([]);
};

describe('scopes', () => {
  test('62: a reader lists servers, and the service is told whose token it is', async () => {
    const told = await curl('curl -X GET $GW/api/v1/servers -H "Authorization: Bearer $RS"');
    expect(told.status).toBe(200);
    expect(told.body).toEqual({ success: true, data: {}, meta: { page: 1, per_page: 20, total: 45 } });
    const [{ target, headers } = { target: '', headers: {} }] = product.seen;
    expect(target).toBe('/api/v1/servers');
    expect(headers).toMatchObject({
      'x-postern-token-id': product.names.RS_ID,
      'x-postern-token-name': 'ci-cd-pipeline',
      'x-postern-scopes': 'servers:read',
      'x-postern-organization': 'org_1',
      'x-postern-user': 'usr_1',
    });
    expect(headers).not.toHaveProperty('authorization');
  });

  test('64, 65: what a token has no scope for is 403 in the envelope', async () => {
    refused(
      await curl('curl -X POST $GW/api/v1/servers -H "Authorization: Bearer $RS" J -d "{}"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
    refused(
      await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RN"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
  });

  test('66: figures are for readers of servers, applications are not', async () => {
    expect((await curl('curl $GW/api/v1/servers/srv_1/stats -H "Authorization: Bearer $RS"')).status).toBe(
      200,
    );
    product.seen.length = 0;
    refused(
      await curl('curl $GW/api/v1/applications -H "Authorization: Bearer $RS"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
  });

  test('a pipeline deploys and rolls back, and reads nothing', async () => {
    for (const act of ['deploy', 'rollback']) {
      const told = await curl(
        `curl -X POST $GW/api/v1/applications/app_1/${act} -H "Authorization: Bearer $RA"`,
      );
      expect(told.status).toBe(201);
    }
    product.seen.length = 0;
    refused(
      await curl('curl $GW/api/v1/applications/app_1 -H "Authorization: Bearer $RA"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
  });

  test('72: a database is deleted by databases:write alone', async () => {
    refused(
      await curl('curl -X DELETE $GW/api/v1/databases/db_1 -H "Authorization: Bearer $RD"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
    expect(
      (await curl('curl -X DELETE $GW/api/v1/databases/db_1 -H "Authorization: Bearer $RW"')).status,
    ).toBe(200);
    product.seen.length = 0;
    refused(
      await curl('curl $GW/api/v1/databases -H "Authorization: Bearer $RW"'),
      403,
      'INSUFFICIENT_PERMISSIONS',
    );
  });
});

describe('68: who is nobody', () => {
  test('no header, an unknown token and an expired one are 401', async () => {
    refused(await curl('curl $GW/api/v1/servers'), 401, 'UNAUTHORIZED');
    const unknown = `piora_token_${'x'.repeat(48)}`;
    refused(await curl(`curl $GW/api/v1/servers -H "Authorization: Bearer ${unknown}"`), 401, 'UNAUTHORIZED');
    refused(
      await curl('curl $GW/api/v1/servers -H "Authorization: Bearer YOUR_API_TOKEN"'),
      401,
      'UNAUTHORIZED',
    );
    await eventually('the token has expired', async () => {
      const told = await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RE"');
      return told.status === 401;
    });
    product.seen.length = 0;
    refused(await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RE"'), 401, 'UNAUTHORIZED');
  });

  test('a revoked one is, on the first request after', async () => {
    expect((await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RV"')).status).toBe(200);
    const revoked = await product.postern('token', 'revoke', revokedId);
    expect(revoked.revoked_at).toMatch(/Z$/);
    product.seen.length = 0;
    refused(await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RV"'), 401, 'UNAUTHORIZED');
  });
});

test('70: a used token shows a newer time of its last use', async () => {
  const { id, token } = await product.create('api', '--label', 'used', '--scope', 'servers:read');
  product.names.USED = token;
  const lastUse = async () => (await product.postern('token', 'show', id)).last_used_at;
  expect(await lastUse()).toBeNull();
  await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $USED"');
  await eventually('the use is written', async () => (await lastUse()) !== null, 10_000);
});

test('71: over its limit a token is refused in the envelope, with a time to wait', async () => {
  const statuses = [];
  for (let i = 0; i < 4; i++) {
    const told = await curl('curl "$GW/api/v1/servers?[1-10]" -H "Authorization: Bearer $RL"');
    statuses.push(told.status);
  }
  expect(statuses).toEqual([200, 200, 200, 200]);
  product.seen.length = 0;
  const told = await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RL"');
  refused(told, 429, 'RATE_LIMIT_EXCEEDED');
  expect(told.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
  expect((await curl('curl $GW/api/v1/servers -H "Authorization: Bearer $RS"')).status).toBe(200);
});

describe('whatever else is asked', () => {
  test.each([
    ['curl $GW/api/v1/domains -H "Authorization: Bearer $RS"', 404, 'RESOURCE_NOT_FOUND'],
    ['curl $GW/servers -H "Authorization: Bearer $RS"', 404, 'RESOURCE_NOT_FOUND'],
    ['curl -X PUT $GW/api/v1/servers -H "Authorization: Bearer $RS"', 405, 'METHOD_NOT_ALLOWED'],
    ['curl --path-as-is $GW/api/v1//servers -H "Authorization: Bearer $RS"', 400, 'path_ambiguous'],
  ])('%s is %i in the envelope', async (line, status, code) => {
    refused(await curl(line), status, code);
  });

  test('a GET that says JSON and has no body passes', async () => {
    expect((await curl('curl $GW/api/v1/servers J -H "Authorization: Bearer $RS"')).status).toBe(200);
  });

  test('74, 76: forged identity goes, the answer comes as it is', async () => {
    const forged = `-H "X-Postern-User: root" -H "X_Postern_Organization: evil" -H "x-postern-scopes: servers:write"`;
    const told = await curl(`curl $GW/api/v1/servers/srv_1 -H "Authorization: Bearer $RW" ${forged}`);
    expect(told.status).toBe(403);
    const passed = await curl(`curl $GW/api/v1/servers/srv_1 -H "Authorization: Bearer $RS" ${forged}`);
    expect(passed.status).toBe(200);
    const { headers = {}, rawHeaders = [] } = product.seen[0] ?? {};
    expect(headers).toMatchObject({
      'x-postern-user': 'usr_1',
      'x-postern-organization': 'org_1',
      'x-postern-scopes': 'servers:read',
    });
    expect(rawHeaders.join('\n')).not.toMatch(/root|evil/);
    expect(passed.headers).toMatchObject({ etag: '"v1"', 'set-cookie': 'seen=1; Path=/' });
    expect(passed.headers).not.toHaveProperty('x-postern-user');
  });

  test('73: no plaintext stands in the store, the log or the metrics', async () => {
    const traces = await product.traces();
    for (const name of ['RS', 'RA', 'RN', 'RV', 'RE', 'RD', 'RW', 'RL']) {
      const secret = product.names[name] ?? '';
      expect(secret).toMatch(/^piora_token_[0-9A-Za-z]{48}$/);
      expect(traces).not.toContain(secret.slice('piora_token_'.length + 4));
    }
  });
});
