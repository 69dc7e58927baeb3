/** Every route of Piora's tables: its own scope opens it, each other one does not, and whatever is sent is answered in the envelope. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openProduct, type Product, type Told } from './stage.ts';

/** By hand, from the product's tables; those without a documented path are not in it. */
const routes: readonly (readonly [method: string, path: string, scope: string])[] = [
  ['GET', '/servers', 'servers:read'],
  ['GET', '/servers/srv_xxxxxxxxxxxx', 'servers:read'],
  ['GET', '/servers/srv_xxxxxxxxxxxx/stats', 'servers:read'],
  ['POST', '/servers', 'servers:write'],
  ['DELETE', '/servers/srv_xxxxxxxxxxxx', 'servers:write'],
  ['GET', '/applications', 'applications:read'],
  ['GET', '/applications/app_xxxxxxxxxxxx', 'applications:read'],
  ['POST', '/applications', 'applications:write'],
  ['PATCH', '/applications/app_xxxxxxxxxxxx', 'applications:write'],
  ['DELETE', '/applications/app_xxxxxxxxxxxx', 'applications:write'],
  ['POST', '/applications/app_xxxxxxxxxxxx/deploy', 'applications:deploy'],
  ['POST', '/applications/app_xxxxxxxxxxxx/rollback', 'applications:deploy'],
  ['GET', '/databases', 'databases:read'],
  ['POST', '/databases', 'databases:write'],
  ['DELETE', '/databases/db_1', 'databases:write'],
];

const scopes = [
  'servers:read',
  'servers:write',
  'applications:read',
  'applications:write',
  'applications:deploy',
  'databases:read',
  'databases:write',
  'backups:read',
  'backups:write',
];

const tokenOf = (scope: string) =>
  `piora_token_${createHash('sha256').update(scope).digest('hex').slice(0, 48)}`;
let product: Product;

beforeAll(async () => {
  product = await openProduct({
    example: 'piora',
    answering: () => ({ status: 200, body: { success: true } }),
  });
  const rows = [
    ...scopes.map((scope) => ({ token: tokenOf(scope), scopes: [scope] })),
    { token: tokenOf('all'), scopes },
    { token: tokenOf('old'), scopes, expires_at: '2026-01-01T00:00:00Z' },
  ].map(({ token, ...row }) => ({
    type: 'api',
    label: 'script',
    sha256: createHash('sha256').update(token).digest('hex'),
    ...row,
  }));
  const file = join(product.folder, 'tokens.jsonl');
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  await product.postern('token', 'import', '--file', file);
  Object.assign(product.names, { ALL: tokenOf('all'), OLD: tokenOf('old') });
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

async function ask(method: string, path: string, token: string) {
  const answer = await fetch(`${product.gateway.url}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
  });
  const body = (await answer.json()) as { success: boolean; error?: { code: string } };
  return { status: answer.status, body };
}

describe.each(routes)('%s %s', (method, path, scope) => {
  test(`is opened by ${scope}, and by no other scope`, async () => {
    expect((await ask(method, path, tokenOf(scope))).status).toBe(200);
    expect(product.seen).toMatchObject([{ method, target: `/api/v1${path}` }]);
    product.seen.length = 0;
    const others = scopes.filter((one) => one !== scope);
    const answers = await Promise.all(others.map((one) => ask(method, path, tokenOf(one))));
    for (const { status, body } of answers) {
      expect([status, body.success, body.error?.code]).toEqual([403, false, 'INSUFFICIENT_PERMISSIONS']);
    }
    expect((await ask(method, path, tokenOf('old'))).status).toBe(401);
    expect(product.seen).toEqual([]);
  });
});

const authorised = '-H "Authorization: Bearer $ALL"';

describe('what is wrong', () => {
  test.each([
    ['no token', 'curl $GW/api/v1/servers', 401, 'UNAUTHORIZED'],
    ['an empty one', 'curl $GW/api/v1/servers -H "Authorization: Bearer "', 401, 'UNAUTHORIZED'],
    ['another scheme', 'curl $GW/api/v1/servers -u user:password', 401, 'UNAUTHORIZED'],
    ['a token in the query', 'curl "$GW/api/v1/servers?token=$ALL"', 401, 'UNAUTHORIZED'],
    ['a token in another header', 'curl $GW/api/v1/servers -H "X-Api-Token: $ALL"', 401, 'UNAUTHORIZED'],
    ['two tokens', `curl $GW/api/v1/servers ${authorised} ${authorised}`, 400, 'BAD_REQUEST'],
    ['no such path', `curl $GW/api/v1/nothing ${authorised}`, 404, 'RESOURCE_NOT_FOUND'],
    ['no such path at the root', `curl $GW/ ${authorised}`, 404, 'RESOURCE_NOT_FOUND'],
    ['another case', `curl $GW/api/v1/Servers ${authorised}`, 404, 'RESOURCE_NOT_FOUND'],
    ['a slash behind', `curl $GW/api/v1/servers/ ${authorised}`, 404, 'RESOURCE_NOT_FOUND'],
    ['no such method', `curl -X PUT $GW/api/v1/databases/db_1 ${authorised}`, 405, 'METHOD_NOT_ALLOWED'],
    [
      'a path with a way up',
      `curl --path-as-is $GW/api/v1/x/../servers ${authorised}`,
      400,
      'path_ambiguous',
    ],
    ['an escaped slash', `curl $GW/api/v1/servers%2Fsrv_1 ${authorised}`, 400, 'path_ambiguous'],
    ['a long path', `curl $GW/api/v1/${'x'.repeat(9000)} ${authorised}`, 414, 'uri_too_long'],
    [
      'a large body',
      `head -c 11000000 /dev/zero | curl -X POST $GW/api/v1/servers ${authorised} --data-binary @-`,
      413,
      'PAYLOAD_TOO_LARGE',
    ],
  ])('%s is refused in the envelope', async (_, line, status, code) => {
    const told: Told = await product.curl(line);
    expect([told.status, told.headers['content-type']]).toEqual([status, 'application/json']);
    expect(told.body).toEqual({ success: false, error: { code, message: expect.stringMatching(/./) } });
    expect(product.seen).toEqual([]);
  });

  test('what the service itself refuses is passed as it is', async () => {
    const { stop, curl, names, postern } = await openProduct({
      example: 'piora',
      answering: () => ({
        status: 404,
        body: { success: false, error: { code: 'RESOURCE_NOT_FOUND', message: 'No such server' } },
      }),
    });
    const { token } = await postern('token', 'create', '--type', 'api', '--scope', 'servers:read');
    names.T = token;
    const told = await curl('curl $GW/api/v1/servers/srv_0 -H "Authorization: Bearer $T"');
    expect([told.status, told.body.error.message]).toEqual([404, 'No such server']);
    await stop();
  });
});
