/** Every documented way of DebugBundle: open to the right credential, and to no other. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DebugBundle, openDebugBundle } from './debugbundle-stage.ts';

/**
 * Who may, the way, and what the service answers. P: a project token, M: a member token, S: the browser's session, `-`: anybody;
 * in lower case: the way only reads, so a member who only reads may. `here`: answered at the gate.
 */
const table = `
P  POST   /v1/events                                             202
P  GET    /v1/sdk/config                                         200
-  GET    /health                                                200
-  GET    /live                                                  200
-  GET    /ready                                                 200
-  POST   /v1/auth/request-code                                  200
-  POST   /v1/auth/verify-code                                   400
-  GET    /v1/auth/github/start                                  302
-  GET    /v1/auth/github/callback                               302
-  POST   /v1/auth/github/device/start                           200
-  POST   /v1/auth/github/device/poll                            200
-  POST   /v1/auth/github/device/claim                           404
-  POST   /v1/auth/github/token/exchange                         401
-  GET    /v1/auth/session                                       200
-  GET    /v1/slack/app/callback                                 302
S  POST   /v1/auth/project-invite/accept                         200
S  GET    /v1/account                                            200
S  PATCH  /v1/account                                            200
S  GET    /v1/account/export                                     200
S  PATCH  /v1/account/avatar                                     200
S  DELETE /v1/account/avatar                                     204
S  GET    /v1/account/avatar                                     200
S  POST   /v1/account/avatar/import-gravatar                     200
S  POST   /v1/account/delete/request-otp                         200
S  POST   /v1/billing/checkout                                   200
S  POST   /v1/billing/checkout/confirm                           200
S  POST   /v1/billing/portal                                     200
ms GET    /v1/projects                                           200
MS POST   /v1/projects                                           201
ms GET    /v1/projects/proj_01HXYZ                               200
MS PATCH  /v1/projects/proj_01HXYZ                               200
MS DELETE /v1/projects/proj_gone                                 204
ms GET    /v1/projects/proj_01HXYZ/tokens                        here
MS POST   /v1/projects/proj_01HXYZ/tokens                        here
MS POST   /v1/projects/proj_01HXYZ/tokens/tok_01HOLD/revoke      here
ms GET    /v1/member/tokens                                      here
ms POST   /v1/member/tokens                                      here
ms POST   /v1/member/tokens/tok_01HOLD/revoke                    here
MS POST   /v1/projects/proj_01HXYZ/probes/activate               here
MS GET    /v1/projects/proj_01HXYZ/probes                        here
MS POST   /v1/projects/proj_01HXYZ/probes/deactivate             here
ms GET    /v1/incidents                                          200
ms GET    /v1/incidents/inc_abc123                               200
MS POST   /v1/incidents/inc_abc123/resolve                       200
MS POST   /v1/incidents/inc_abc123/reopen                        200
MS POST   /v1/incidents/resolve                                  200
MS POST   /v1/incidents/reopen                                   200
ms GET    /v1/incidents/inc_abc123/bundle                        200
ms GET    /v1/incidents/inc_abc123/reproduction                  200
ms GET    /v1/incidents/inc_abc123/context                       200
ms GET    /v1/incidents/inc_abc123/logs                          200
MS POST   /v1/incidents/inc_abc123/capture-rule-suggestion       200
MS POST   /v1/incidents/inc_abc123/capture-rules                 201
ms GET    /v1/logs                                               200
ms GET    /v1/services                                           200
ms GET    /v1/projects/proj_01HXYZ/members                       200
ms GET    /v1/projects/proj_01HXYZ/members/usr_1/avatar          200
ms GET    /v1/projects/proj_01HXYZ/invites                       200
MS POST   /v1/projects/proj_01HXYZ/invite                        201
MS DELETE /v1/projects/proj_01HXYZ/invites/inv_1                 200
MS PATCH  /v1/projects/proj_01HXYZ/members/usr_1                 200
MS DELETE /v1/projects/proj_01HXYZ/members/usr_1                 200
ms DELETE /v1/projects/proj_01HXYZ/membership                    200
ms GET    /v1/alerts                                             200
MS POST   /v1/alerts                                             201
MS PATCH  /v1/alerts/alr_1                                       200
MS DELETE /v1/alerts/alr_1                                       204
ms GET    /v1/weekly-report-channels                             200
MS POST   /v1/weekly-report-channels                             201
MS PATCH  /v1/weekly-report-channels/wrc_1                       200
MS DELETE /v1/weekly-report-channels/wrc_1                       204
ms GET    /v1/webhooks                                           200
MS POST   /v1/webhooks                                           201
ms GET    /v1/webhooks/whk_1                                     200
MS PATCH  /v1/webhooks/whk_1                                     200
MS DELETE /v1/webhooks/whk_1                                     204
MS POST   /v1/webhooks/whk_1/test                                200
ms GET    /v1/webhooks/whk_1/deliveries                          200
MS POST   /v1/webhooks/whk_1/deliveries/dlv_1/retry              200
MS GET    /v1/slack/app/install-url                              200
ms GET    /v1/projects/proj_01HXYZ/slack/destinations            200
MS POST   /v1/projects/proj_01HXYZ/slack/destinations/d1/test    200
MS DELETE /v1/projects/proj_01HXYZ/slack/destinations/d1         204
ms GET    /v1/projects/proj_01HXYZ/availability-checks           200
MS POST   /v1/projects/proj_01HXYZ/availability-checks           201
ms GET    /v1/projects/proj_01HXYZ/availability-checks/c1        200
MS PATCH  /v1/projects/proj_01HXYZ/availability-checks/c1        200
MS DELETE /v1/projects/proj_01HXYZ/availability-checks/c1        200
MS POST   /v1/projects/proj_01HXYZ/availability-checks/test      200
ms GET    /v1/projects/proj_01HXYZ/availability-checks/c1/results       200
ms GET    /v1/projects/proj_01HXYZ/availability-checks/c1/daily-rollups 200
ms GET    /v1/projects/proj_01HXYZ/capture-policy                200
MS PATCH  /v1/projects/proj_01HXYZ/capture-policy                200
MS PUT    /v1/projects/proj_01HXYZ/capture-policy                200
ms GET    /v1/projects/proj_01HXYZ/improvement-settings          200
MS PATCH  /v1/projects/proj_01HXYZ/improvement-settings          200
ms GET    /v1/projects/proj_01HXYZ/analytics-settings            200
MS PATCH  /v1/projects/proj_01HXYZ/analytics-settings            200
ms GET    /v1/projects/proj_01HXYZ/capture-rules                 200
MS POST   /v1/projects/proj_01HXYZ/capture-rules                 201
MS PATCH  /v1/projects/proj_01HXYZ/capture-rules/rule_1          200
MS DELETE /v1/projects/proj_01HXYZ/capture-rules/rule_1          200
ms GET    /v1/projects/proj_01HXYZ/improvements/imp_1/bundle     200
ms GET    /v1/improvements                                       200
ms GET    /v1/improvements/imp_1                                 200
MS POST   /v1/improvements/imp_1/resolve                         200
MS POST   /v1/improvements/imp_1/reopen                          200
MS POST   /v1/improvements/imp_1/snooze                          200
ms GET    /v1/analytics/summary                                  200
ms GET    /v1/analytics/funnels/key_1                            200
ms GET    /v1/analytics/incidents/inc_1/impact                   200
ms POST   /v1/analytics/bundles                                  200
ms GET    /v1/projects/proj_01HXYZ/analytics/saved-funnels       200
MS POST   /v1/projects/proj_01HXYZ/analytics/saved-funnels       201
MS PATCH  /v1/projects/proj_01HXYZ/analytics/saved-funnels/key_1 200
MS DELETE /v1/projects/proj_01HXYZ/analytics/saved-funnels/key_1 200
ms GET    /v1/billing                                            200
MS POST   /v1/billing/trial/start                                200
MS POST   /v1/billing/capacity/increase                          200
MS POST   /v1/billing/capacity/scheduled-reduction               200
MS DELETE /v1/billing/capacity/scheduled-reduction               200
MS GET    /v1/probes                                             200
MS POST   /v1/probes                                             201
MS DELETE /v1/probes/prb_1                                       204
MS POST   /v1/probes/activate                                    200
MS POST   /v1/probes/deactivate                                  200
P  GET    /v1/probes/config                                      200
S  POST   /v1/auth/logout                                        200
`;

type Way = { who: string; method: string; path: string; answers: string };

const ways: readonly Way[] = table
  .trim()
  .split('\n')
  .map((line) => {
    const [who = '', method = '', path = '', answers = ''] = line.split(/ +/);
    return { who, method, path, answers };
  });
const forwarded = ways.filter(({ answers }) => answers !== 'here');
const openTo = (letter: RegExp) => ways.filter(({ who }) => letter.test(who));

let product: DebugBundle;

beforeAll(async () => {
  product = await openDebugBundle(
    ({ method, target }) => {
      const way = forwarded.find((one) => one.method === method && one.path === target);
      return {
        status: Number(way?.answers ?? 200),
        body: { from: 'the service' },
        headers: {
          ETag: '"v1"',
          'Set-Cookie': 'a=1; Path=/; HttpOnly',
          'Retry-After': '7',
          'X-Postern-Member': 'forged by the service',
        },
      };
      // Triggers and dead tokens are sent more often than an address may.
    },
    { 'failure_budget: { rate: 60/1m': 'failure_budget: { rate: 6000/1m' },
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

const line = ({ method, path }: Way, credential: string) => {
  const body = method === 'GET' || method === 'DELETE' ? ' ' : ` J -d '{"events":[{}],"label":"x"}'`;
  return `curl -X ${method} "$GW${path}" ${credential}${body}`;
};
const bearer = (name: string) => `-H "Authorization: Bearer $${name}"`;
const session = '-H "Cookie: dbundle_session=$S" -H "X-CSRF-Token: csrf_of_S"';
const ask = (asked: readonly Way[], credential: string) =>
  product.curls(asked.map((way) => line(way, credential)));
const nameOf = ({ method, path }: Way) => `${method} ${path}`;

/** Each way reached the service once, as it was asked, and its answer came back as it was. */
async function reaches(
  asked: readonly Way[],
  credential: string,
  identity: Readonly<Record<string, string>>,
) {
  const through = asked.filter(({ answers }) => answers !== 'here');
  const told = await ask(through, credential);
  const names = through.map(nameOf);
  const got = told.map(({ status }, index) => `${names[index]} ${status}`);
  expect(got).toEqual(through.map((way) => `${nameOf(way)} ${way.answers}`));
  expect(product.seen.map(({ method, target }) => `${method} ${target}`)).toEqual(names);
  for (const { headers } of product.seen) expect(headers).toMatchObject(identity);
  for (const { headers, text, status } of told) {
    // 76: nothing of the answer is another.
    expect(headers).toMatchObject({
      etag: '"v1"',
      'set-cookie': 'a=1; Path=/; HttpOnly',
      'retry-after': '7',
    });
    expect(headers).not.toHaveProperty('x-postern-member');
    expect(text).toBe(status === 204 ? '' : '{"from":"the service"}');
  }
  for (const { headers, method } of product.seen) {
    if (method !== 'GET' && method !== 'DELETE') expect(headers['content-type']).toBe('application/json');
  }
}

/** None reached the service, and each was answered in the words of its way. */
async function isRefused(asked: readonly Way[], credential: string) {
  const told = await ask(asked, credential);
  const words = ({ who, path }: Way) => {
    if (path === '/v1/events') {
      return { accepted: 0, rejected: 0, errors: [{ index: -1, reason: 'invalid_project_token' }] };
    }
    if (who === 'P') return { error: 'invalid_project_token' };
    return { error: who === 'S' ? 'invalid_session' : 'invalid_member_token' };
  };
  expect(told.map(({ status, body }, index) => [asked[index]?.path, status, body])).toEqual(
    asked.map((way) => [way.path, 401, words(way)]),
  );
  for (const { headers } of told) {
    expect(headers['content-type']).toBe('application/json');
    expect(headers['cache-control']).toBe('no-store');
  }
  expect(product.seen).toEqual([]);
}

describe('every way', () => {
  test('of a project token is open to it', () =>
    reaches(openTo(/P/), bearer('P'), { 'x-postern-token-type': 'project' }));
  test('of a member is open to one', () =>
    reaches(openTo(/M/i), bearer('M'), {
      'x-postern-token-type': 'member',
      'x-postern-member': 'usr_owner',
    }));
  test('that reads is open to who only reads', () =>
    reaches(openTo(/m/), bearer('MR'), { 'x-postern-scopes': 'account:read' }));
  test('of nobody is open to nobody', () => reaches(openTo(/-/), '', {}));

  test('of a project token is shut to all others', async () => {
    for (const other of [bearer('M'), session, bearer('TR'), '']) await isRefused(openTo(/P/), other);
  });
  test('of a member is shut to a project token, a trigger and nobody', async () => {
    for (const other of [bearer('P'), bearer('TR'), bearer('PX'), '']) await isRefused(openTo(/M/i), other);
  });
  test('of the browser alone is shut to tokens', async () => {
    for (const other of [bearer('M'), bearer('P'), '']) await isRefused(openTo(/^S/), other);
  });

  test('that changes something is forbidden to who only reads', async () => {
    const changing = openTo(/M/);
    const told = await ask(changing, bearer('MR'));
    const got = told.map(({ status, body }, index) => [changing[index]?.path, status, body]);
    expect(got).toEqual(changing.map(({ path }) => [path, 403, { error: 'forbidden' }]));
    expect(product.seen).toEqual([]);
  });

  // Last: the last of them signs out.
  test('of the browser is open to its session', () =>
    reaches(openTo(/S/i), session, { 'x-postern-token-type': 'session', 'x-postern-member': 'usr_owner' }));
});

test('none is missing here that the config has', async () => {
  const { rows } = await product.postern('matrix');
  const matched = (way: Way, row: string) => {
    const [, method, path = ''] = row.split(' ');
    const pattern = path.replace(/\{[^}]+\.\.\.\}/g, '.+').replace(/\{[^}]+\}/g, '[^/]+');
    return method === way.method && new RegExp(`^${pattern}$`).test(way.path);
  };
  const elsewhere = /\/checkout$|\/debugbundle\/browser$|DELETE \/v1\/account$/;
  const untried = rows
    .map(({ row }: { row: string }) => row)
    .filter((row: string) => !elsewhere.test(row) && !ways.some((way) => matched(way, row)));
  expect(untried).toEqual([]);
});
