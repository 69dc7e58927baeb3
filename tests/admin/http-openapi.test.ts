/** The OpenAPI document, held against what is really answered: every operation is asked, every answer checked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminRoutes } from '../../gateway/admin/http-routes.ts';
import { eventsOf } from '../../gateway/admin/tail-client.ts';
import {
  type AdminAnswer,
  type AdminFixture,
  type Asking,
  adminConfig,
  startAdmin,
} from '../fixtures/admin.ts';
import { type JsonSchema, schemaFlaws } from '../support/json-schema.ts';

type Operation = {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: JsonSchema } };
  };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>> }>
  >;
};

type Document = JsonSchema & {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

let admin: AdminFixture;
let document: Document;
beforeAll(async () => {
  admin = await startAdmin();
  document = (await admin.ask('GET /v1/openapi.json', { token: null })).json;
});
afterAll(() => admin.gateway.stop());

const asked = new Set<string>();

/** Asks, and holds question and answer against the document. */
async function check(
  pattern: string,
  params: Readonly<Record<string, string>>,
  asking: Asking & { query?: string } = {},
) {
  const [method = '', path = ''] = pattern.split(' ');
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) throw new Error(`${pattern} is not in the document`);
  const target = path.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  const answer = await admin.ask(`${method} ${target}${asking.query ?? ''}`, asking);
  const named = operation.parameters.map((one) => one.name);
  for (const [name] of new URLSearchParams(asking.query)) expect(named).toContain(name);
  if (answer.status < 300 && asking.body !== undefined) {
    const schema = operation.requestBody?.content['application/json'].schema ?? {};
    expect(schemaFlaws(schema, asking.body, document)).toEqual([]);
  }
  expectDeclared(operation, answer);
  if (answer.status < 300) asked.add(operation.operationId);
  return answer;
}

function expectDeclared(operation: Operation, { status, headers, json }: AdminAnswer): void {
  const declared = operation.responses[status];
  const type = headers.get('Content-Type') ?? '';
  const schema =
    declared?.content?.[type]?.schema ??
    (type === 'application/problem+json' ? { $ref: '#/components/schemas/Problem' } : null);
  if (schema === null) throw new Error(`${operation.operationId}: ${status} ${type} is not declared`);
  expect(schemaFlaws(schema, json, document), `${operation.operationId} ${status}`).toEqual([]);
  if (status >= 400) expect(json.status).toBe(status);
}

const user = { type: 'user', scopes: ['events:read'], attributes: { team: 't', projects: ['a', 'b'] } };

describe('the document', () => {
  test('is OpenAPI 3.1, and needs no token', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).length).toBeGreaterThan(5);
  });

  test('has every route once, under a name of its own', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    expect(names.toSorted()).toEqual(adminRoutes.map(({ name }) => name).toSorted());
  });

  test('says of each path parameter that it has it', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const params = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(methods)) {
        expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(params);
      }
    }
  });
});

describe('what is answered is what the document says', () => {
  test('about tokens', async () => {
    await check('GET /v1/whoami', {});
    const body = { ...user, label: 'x', origins: ['https://app.example'], expires_in: '90d' };
    const { id } = (await check('POST /v1/tokens', {}, { body })).json;
    await check('POST /v1/tokens', {}, { body: { type: 'nothing' } });
    await check('POST /v1/tokens', {}, { token: null });
    await check('GET /v1/tokens', {}, { query: '?type=user&attribute=team=t&limit=1' });
    await check('GET /v1/tokens', {}, { query: '?limit=x' });
    await check('GET /v1/tokens/{id}', { id });
    await check('GET /v1/tokens/{id}', { id: 'tok_none' });
    const { token } = await admin.gateway.mint('user');
    await check('POST /v1/tokens/find', {}, { body: { token } });
    await check('POST /v1/tokens/find', {}, { body: { token: `${token}x` } });
    await check('POST /v1/tokens/find', {}, { body: {} });
    await check('PATCH /v1/tokens/{id}', { id }, { body: { expires_in: null, label: 'y' } });
    const stale = { body: { label: 'z' }, headers: { 'If-Match': '"1"' } };
    expect((await check('PATCH /v1/tokens/{id}', { id }, stale)).status).toBe(412);
    await check('POST /v1/tokens/{id}/disable', { id });
    await check('POST /v1/tokens/{id}/enable', { id });
    await check('POST /v1/tokens/{id}/rotate', { id }, { body: { overlap: '1h' } });
    await check('POST /v1/tokens/{id}/rotate', { id });
    await check('POST /v1/tokens/{id}/revoke', { id }, { body: { reason: 'over' } });
    await check('POST /v1/tokens/regenerate', {}, { body: { ...user, grace: '1h' } });
  });
});

const owner = { pin: 'app', subject: 'project=prj_a/b' };

describe('and so it is', () => {
  test('about pins', async () => {
    await check('PUT /v1/pins/{pin}/{subject}', owner, { body: { value: 'com.example.a' } });
    await check('PUT /v1/pins/{pin}/{subject}', owner, { body: { value: 'com.example.b', reason: 'moved' } });
    await check('PUT /v1/pins/{pin}/{subject}', { ...owner, pin: 'ap' }, { body: { value: 'x' } });
    await check('GET /v1/pins', {}, { query: '?pin=app&subject=project%3Dprj_a%2Fb' });
    expect((await check('GET /v1/pins/{pin}/{subject}', owner)).json.value).toBe('com.example.b');
    await check('POST /v1/pins/{pin}/{subject}/reset', owner, { body: { reason: null } });
    expect((await check('POST /v1/pins/{pin}/{subject}/reset', owner)).status).toBe(404);
    expect((await check('GET /v1/pins/{pin}/{subject}', owner)).status).toBe(404);
  });

  test('about probes', async () => {
    const body = { for: 'prj_a', label_pattern: 'payment.*', ttl_seconds: 600 };
    const { activation_id } = (await check('POST /v1/probes', {}, { body })).json;
    for (let i = 0; i < 4; i++) await check('POST /v1/probes', {}, { body });
    expect((await check('POST /v1/probes', {}, { body })).json.code).toBe('activations_full');
    await check('POST /v1/probes', {}, { body: { ...body, ttl_seconds: 1 } });
    await check('GET /v1/probes', {}, { query: '?for=prj_a&type=probe&limit=2' });
    await check('GET /v1/probes', {}, { query: '?for=prj_a&type=user' });
    await check('POST /v1/probes/{activation_id}/deactivate', { activation_id }, { body: { for: 'prj_a' } });
    await check('POST /v1/probes/{activation_id}/deactivate', { activation_id }, { body: { for: 'prj_b' } });
  });

  test('about alerts', async () => {
    const alert = { kind: 'unseen.origin', subject: 'tok_a', tokenId: 'tok_a', quietMs: 0 } as const;
    const raised = await admin.gateway.running.tokens.alerts.raise({ ...alert, detail: { values: [null] } });
    await admin.gateway.running.tokens.alerts.raise({ ...alert, tokenId: null, detail: {} });
    expect((await check('GET /v1/alerts', {}, { query: '?open=true&limit=1' })).json.next).not.toBeNull();
    await check('GET /v1/alerts', {}, { query: '?open=1' });
    await check('POST /v1/alerts/{id}/acknowledge', { id: raised?.id ?? '' }, { body: {} });
    await check('GET /v1/alerts', {});
    await check('POST /v1/alerts/{id}/acknowledge', { id: 'alr_none' });
  });

  test('about the audit and the config', async () => {
    await check('GET /v1/audit', {}, { query: '?subject=project%3Dprj_a%2Fb&limit=1' });
    const { head } = (await check('GET /v1/audit/verify', {})).json;
    await check('GET /v1/audit/verify', {}, { query: `?head=${head.seq + 1}:${head.mac}` });
    await check('GET /v1/audit/verify', {}, { query: '?head=1' });
    await check('POST /v1/audit/purge', {}, { body: { before: '365d' } });
    await check('POST /v1/audit/purge', {}, { body: { before: '1h' } });
    await check('POST /v1/tokens/purge', {});
    await check('GET /v1/config/matrix', {});
    await check('POST /v1/config/reload', {});
    await check('POST /v1/config/reload', {}, { body: { file: 'x' } });
    admin.gateway.rewrite('apis: {}');
    expect((await check('POST /v1/config/reload', {})).json.problems.length).toBe(1);
    admin.gateway.rewrite(adminConfig);
    const body = { method: 'POST', path: '/events', as: 'project', attributes: { project: 'p' } };
    expect((await check('POST /v1/config/explain', {}, { body })).json.outcome).toBe('forward');
    const more = {
      headers: ['X-A: b'],
      body: '{}',
      pinned: { app: 'x' },
      from: '10.0.0.1',
      nth: 2,
      origins: [],
    };
    await check('POST /v1/config/explain', {}, { body: { ...body, ...more } });
    await check('POST /v1/config/explain', {}, { body: { method: 'post', path: '/events' } });
  });

  test('about usage', async () => {
    const { id } = (await check('POST /v1/tokens', {}, { body: user })).json;
    const { id: successor } = (await check('POST /v1/tokens/{id}/rotate', { id })).json;
    const minuteMs = Date.now() - (Date.now() % 60_000);
    const counted = { tokenId: id, minuteMs, route: 'main GET /events', passed: 1, refused: 0, failed: 0 };
    const use = { tokenId: successor, at: Date.now(), address: '::1', route: 'main GET /events' };
    await admin.gateway.running.tokens.usage.add([counted], [use]);
    for (const by of ['time', 'route', 'token']) {
      const { json } = await check('GET /v1/usage', {}, { query: `?by=${by}&since=1h&limit=9` });
      expect(json.rows.length).toBeGreaterThan(0);
    }
    await check('GET /v1/usage', {}, { query: '?since=1w' });
    const { json } = await check('GET /v1/tokens/{id}/usage', { id }, { query: '?by=route' });
    expect(json.rotation.new_last_use.address).toBe('::1');
    await check('GET /v1/tokens/{id}/usage', { id: 'tok_none' });
    const quiet = { overlap: '7d', retire: 'when_quiet' };
    await check('POST /v1/tokens/{id}/rotate', { id: successor }, { body: quiet });
    await check('GET /v1/tokens', {}, { query: '?unused_for=90d' });
  });

  test('about the tail, event by event', async () => {
    await check('GET /v1/tail', {}, { query: '?status=9xx' });
    const { token } = await admin.mint('tail:read');
    const headers = { Authorization: `Bearer ${token}` };
    const { status, body } = await fetch(`${admin.url}/v1/tail?status=404&refusals=true`, { headers });
    await fetch(`${admin.gateway.url}/nothing`);
    if (body === null) throw new Error('no body');
    for await (const { event, data } of eventsOf(body)) {
      const operation = document.paths['/v1/tail']?.get;
      const schema = operation?.responses[status]?.content?.['text/event-stream']?.schema ?? {};
      expect([event, schemaFlaws(schema, JSON.parse(data), document)]).toEqual(['decision', []]);
      expect(Object.keys(schema)).toContain('properties');
      break;
    }
    asked.add('tail');
  });

  test('on a dry run, which says so and shows no secret', async () => {
    const { id } = (await check('POST /v1/tokens', {}, { body: user })).json;
    const probe = { for: 'prj_dry', label_pattern: 'x' };
    const { activation_id } = (await check('POST /v1/probes', {}, { body: probe })).json;
    await check('PUT /v1/pins/{pin}/{subject}', owner, { body: { value: 'com.example.a' } });
    const bodies: Readonly<Record<string, unknown>> = {
      createToken: user,
      updateToken: { label: 'z' },
      regenerateToken: user,
      setPin: { value: 'com.example.z' },
      activateProbe: probe,
      deactivateProbe: { for: 'prj_dry' },
    };
    await check('POST /v1/tokens/{id}/disable', { id });
    const noticed = { kind: 'spike.token', subject: id, tokenId: id, detail: {}, quietMs: 0 } as const;
    const alert = await admin.gateway.running.tokens.alerts.raise(noticed);
    const idOf = (path: string) => (path.startsWith('/v1/alerts/') ? (alert?.id ?? '') : id);
    const changing = adminRoutes.filter(({ changes, name }) => changes && name !== 'rotateToken');
    expect(changing.length).toBeGreaterThan(9);
    for (const { method, path, name } of changing) {
      const asking = { body: bodies[name] ?? {}, query: '?dry_run=true' };
      const { status, json } = await check(
        `${method} ${path}`,
        { id: idOf(path), activation_id, ...owner },
        asking,
      );
      expect([name, status < 300, json.dry_run]).toEqual([name, true, true]);
      expect([json.token ?? null, json.trigger_token ?? null]).toEqual([null, null]);
    }
  });

  test('where the scope is lacking', async () => {
    const { token } = await admin.mint('tokens:read');
    for (const { method, path, scope } of adminRoutes) {
      const params = { id: 'tok_1', activation_id: 'x', ...owner };
      const body = method === 'GET' ? {} : { body: {} };
      const { status } = await check(`${method} ${path}`, params, { token, ...body });
      if (scope !== null && scope !== 'tokens:read')
        expect([method, path, status]).toEqual([method, path, 403]);
    }
  });
});

test('every operation was asked, and done', () => {
  expect(adminRoutes.map(({ name }) => name).filter((name) => !asked.has(name))).toEqual([]);
});
