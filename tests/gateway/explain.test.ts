import { describe, expect, test } from 'vitest';
import { explain, type Question, verdictOf } from '../../gateway/explain.ts';
import type { Rehearsal } from '../../gateway/rehearsal.ts';
import { wordComplaint } from '../../policy/token-input.ts';
import { loaded } from '../fixtures/config.ts';

const { policy } = loaded(`version: 1
upstreams:
  app: { url: http://127.0.0.1:9001 }
  web: { url: http://127.0.0.1:9002 }
token_types:
  project: { prefix: prj_, scopes: [events:write], attributes: { project: required } }
  user: { prefix: usr_, grantable: [events:read, events:write], attributes: { projects: list } }
  page: { prefix: x, sources: [header:X-Page], scopes: [events:write] }
  link: { prefix: "l+/", sources: [query:key], scopes: [events:read] }
  visit: { sources: [cookie:sid, header:X-Visit], scopes: [events:read] }
scopes:
  events:read: Read events
  events:write: Send events
limits:
  one: { rate: 1/24h, per: [token] }
cors:
  site: { origins: [https://site.example] }
identity:
  headers: { X-Postern-Type: token.type, X-Postern-Scopes: token.scopes, X-Postern-Project: token.attribute.project }
apis:
  main:
    to: app
    cors: site
    routes:
      POST /events: { allow: { project: events:write, page: events:write }, limits: [one], body: { max: 10B } }
      GET /events: { allow: { user: events:read, link: events:read, visit: events:read } }
      GET /projects/{project}:
        allow: { user: any_scope }
        bind: { project: { equals: token.attribute.projects, else: 404 } }
      GET /status: { allow: public }
  named:
    hosts: [web.example]
    to: web
    routes:
      GET /pages: { allow: public }
      GET /live: { allow: public, websocket: true, cors: site }
`);

const nobody: Omit<Question, 'method' | 'target'> = { as: null, attributes: [], headers: [] };

async function ask(request: string, about: Partial<Question> = {}): Promise<Rehearsal> {
  const [method = '', target = ''] = request.split(' ');
  const answer = await explain(policy, { ...nobody, method, target, ...about });
  if (!answer.ok) throw new Error(wordComplaint(answer.complaint));
  return answer.value;
}

/** As an answer reads on one line. */
async function verdict(request: string, about: Partial<Question> = {}): Promise<string> {
  return verdictOf(await ask(request, about));
}

async function complaint(about: Partial<Question>): Promise<string | null> {
  const answer = await explain(policy, { ...nobody, method: 'GET', target: '/events', ...about });
  return answer.ok ? null : wordComplaint(answer.complaint);
}

describe('an explanation', () => {
  test('says of a row that it grants WebSocket, and from which pages not', async () => {
    const from = (origin: string) =>
      ask('GET /live', { headers: ['Host: web.example', `Origin: ${origin}`] });
    const granted = await from('https://site.example');
    expect([granted.outcome, granted.steps.find(({ step }) => step === 'method')?.detail]).toEqual([
      'forward',
      'row named GET /live, which grants WebSocket handshakes',
    ]);
    const { status, code, steps } = await from('https://evil.example');
    expect([status, code, steps.at(-1)?.step]).toEqual([403, 'origin_not_allowed', 'socket origin']);
  });

  test('of a request that goes through says to where, as whom, and every step', async () => {
    expect(await ask('POST /events', { as: 'project' })).toEqual({
      outcome: 'forward',
      status: null,
      code: null,
      row: 'main POST /events',
      upstream: 'app',
      identity: {
        'X-Postern-Type': 'project',
        'X-Postern-Scopes': 'events:write',
        'X-Postern-Project': 'fixture',
      },
      steps: [
        {
          step: 'caller',
          ok: true,
          detail: 'a made-up token of type project; scopes: events:write; project: fixture (filled in)',
        },
        { step: 'request', ok: true, detail: 'POST /events at host localhost' },
        expect.objectContaining({ step: 'row set', ok: true }),
        expect.objectContaining({ step: 'method', ok: true }),
        expect.objectContaining({ step: 'credential', ok: true }),
        ...['state', 'type', 'scopes', 'csrf', 'bind', 'origin', 'address', 'limits', 'body'].map((step) =>
          expect.objectContaining({ step, ok: true }),
        ),
      ],
    });
  });

  test('of a refusal ends at the step that refused, with the exact code', async () => {
    const { steps, ...answer } = await ask('GET /events', { as: 'user:events:write' });
    expect(answer).toEqual({
      outcome: 'refuse',
      status: 403,
      code: 'scope_missing',
      row: 'main GET /events',
      upstream: null,
      identity: {},
    });
    expect(steps.at(-1)).toEqual({
      step: 'scopes',
      ok: false,
      detail: 'row main GET /events asks for events:read; the token holds events:write',
    });
  });

  test('of a preflight is that we answer it', async () => {
    const headers = ['Origin: https://site.example', 'Access-Control-Request-Method: POST'];
    const { steps: _, ...answer } = await ask('OPTIONS /events', { headers });
    expect(answer).toEqual({
      outcome: 'serve',
      status: 204,
      code: null,
      row: null,
      upstream: null,
      identity: {},
    });
  });

  test.each<[string, Partial<Question>, string]>([
    ['POST /events', {}, 'refused: 401 credential_missing (row main POST /events)'],
    ['POST /events', { as: 'page' }, 'forwarded to app (row main POST /events)'],
    ['POST /events', { as: 'user' }, 'refused: 403 type_not_allowed (row main POST /events)'],
    ['GET /events', { as: 'link' }, 'forwarded to app (row main GET /events)'],
    ['GET /events?page=2', { as: 'link' }, 'forwarded to app (row main GET /events)'],
    ['GET /events', { as: 'visit' }, 'forwarded to app (row main GET /events)'],
    ['HEAD /events', { as: 'visit' }, 'forwarded to app (row main GET /events)'],
    ['GET /events', { as: 'user' }, 'refused: 403 scope_missing (row main GET /events)'],
    ['GET /events', { as: 'user:events:write+events:read' }, 'forwarded to app (row main GET /events)'],
    ['GET /status', {}, 'forwarded to app (row main GET /status)'],
    ['GET /pages', {}, 'forwarded to web (row named GET /pages)'],
    ['GET /pages', { headers: ['Host: other.example'] }, 'refused: 404 route_not_found'],
    ['GET /projects/p1', { as: 'user' }, 'refused: 404 bind_mismatch (row main GET /projects/{project})'],
    ['GET /nowhere', {}, 'refused: 404 route_not_found'],
    ['DELETE /events', {}, 'refused: 405 method_not_allowed'],
    ['GET //events', {}, 'refused: 400 path_ambiguous'],
    ['GET events', {}, 'refused: 400 request_malformed'],
    ['CONNECT /events', {}, 'refused: 400 request_malformed'],
    ['NONSENSE /events', {}, 'refused: 400 request_malformed'],
    ['GET /status', { headers: ['Expect: 200-ok'] }, 'refused: 417 expectation_failed'],
    [
      'POST /events',
      { as: 'project', headers: ['Content-Length: 11'] },
      'refused: 413 body_too_large (row main POST /events)',
    ],
    [
      'POST /events',
      { headers: ['Authorization: Bearer prj_0123456789abcdef'] },
      'refused: 401 token_unknown (row main POST /events)',
    ],
    [
      'GET /events',
      { as: 'visit', headers: ['X-Visit: 0123456789abcdef'] },
      'refused: 401 token_unknown (row main GET /events)',
    ],
    [
      'POST /events',
      { as: 'project', headers: ['Authorization: Bearer prj_0123456789abcdef'] },
      'refused: 400 credential_ambiguous (row main POST /events)',
    ],
  ])('of %s with %o is %s', async (request, about, expected) => {
    expect(await verdict(request, about)).toBe(expected);
  });

  test('has a list attribute as it was given', async () => {
    const attributes = ['projects=p0', 'projects=p1'];
    expect(await verdict('GET /projects/p1', { as: 'user', attributes })).toMatch(/^forwarded/);
  });

  test('spends nothing: the second is as the first, though the limit is one a day', async () => {
    expect(await ask('POST /events', { as: 'project' })).toEqual(
      await ask('POST /events', { as: 'project' }),
    );
  });

  test('never repeats a credential that stands in the headers', async () => {
    const secret = 'prj_0123456789abcdefSECRET';
    for (const header of [`Authorization: Bearer ${secret}`, `X-Page: ${secret}`, `Cookie: sid=${secret}`]) {
      const answers = [
        await ask('POST /events', { headers: [header] }),
        await ask('GET /events', { headers: [header] }),
      ];
      expect(JSON.stringify(answers)).not.toContain('SECRET');
    }
    expect(JSON.stringify(await ask(`GET /events?key=${secret}`))).not.toContain('SECRET');
  });
});

describe('a question that cannot be understood', () => {
  test.each<[Partial<Question>, string]>([
    [{ as: 'usr' }, 'unknown token type "usr"; did you mean "user"?'],
    [
      { as: 'user:events:raed' },
      'no token of type user can hold the scope "events:raed"; did you mean "events:read"?',
    ],
    [
      { as: 'project:events:read' },
      'no token of type project can hold the scope "events:read"; did you mean "events:write"?',
    ],
    [
      { as: 'project', attributes: ['projcet=1'] },
      'tokens of type project have no attribute "projcet"; did you mean "project"?',
    ],
    [{ as: 'project', attributes: ['project'] }, 'not an attribute "project"; write name=value'],
    [{ attributes: ['project=1'] }, 'attributes of nobody; say whose they are: --as TYPE'],
    [{ method: 'get' }, 'not a method "get"; write it in capitals: GET, POST'],
    [{ headers: ['no colon'] }, "not a header; write 'Name: value'"],
    [{ headers: ['A: b\r\nC: d'] }, "not a header; write 'Name: value'"],
  ])('%o is told so', async (about, expected) => {
    expect(await complaint(about)).toBe(expected);
  });
});

test('what a 2xx of the upstream would change is told, and that it depends on the answer', async () => {
  const { policy: observing } = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types: { user: { prefix: usr_, grantable: [a], attributes: { user: required, client: optional } } }
scopes: { a: One }
apis:
  main:
    to: app
    routes:
      GET /me: { allow: { user: a } }
      POST /login:
        allow: public
        observe:
          - on: 2xx
            token:
              type: user
              from: json:/token
              scopes: [a]
              attributes: { user: json:/user/id, client: { from: header:X-Client, default: mobile } }
              expires_in: 7d
              instead_of: [user, client]
          - { on: 2xx, end: { type: user, attributes: { user: json:/gone, client: cli } } }
      POST /logout/{user}:
        allow: { user: any_scope }
        observe: [{ on: 2xx, end: caller }, { on: 2xx, end: { type: user, attributes: { user: "{user}" } } }]
`);
  const told = async (target: string, as: string | null) => {
    const rehearsal = await explain(observing, { method: 'POST', target, as, attributes: [], headers: [] });
    const steps = rehearsal.ok ? rehearsal.value.steps : [];
    return steps.filter(({ step }) => step === 'observe').map(({ detail }) => detail);
  };
  expect(await told('/login', null)).toEqual([
    'on a 2xx: a token of type user from json:/token with user json:/user/id and client header:x-client else "mobile", scopes a, for 7d, instead of those with its user and client',
    'on a 2xx: end of type user with user json:/gone and client "cli"',
  ]);
  expect(await told('/logout/u1', 'user')).toEqual([
    "on a 2xx: end of the caller's token",
    'on a 2xx: end of type user with user {user}',
  ]);
});

test('a refusal says which style words it, by its row or by its host, and has the status of that', async () => {
  const styled = loaded(`version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types: { user: { prefix: usr_, scopes: [], attributes: { org: required } } }
errors:
  house: { status: { route_not_found: 410, uri_too_long: 400 }, body: { code: "{code}" } }
  row: { body: { row: "{code}" } }
apis:
  main:
    to: app
    errors: house
    routes:
      GET /orgs/{org}: { allow: { user: any_scope }, bind: { org: { equals: token.attribute.org, else: 404 } }, errors: row }
      POST /orgs/{org}: { allow: { user: any_scope }, errors: off }
`).policy;
  const told = async (method: string, target: string, as: string | null) => {
    const answer = await explain(styled, { ...nobody, method, target, as });
    if (!answer.ok) return expect.unreachable(wordComplaint(answer.complaint));
    const { status, code, steps } = answer.value;
    return [status, code, steps.find(({ step }) => step === 'wording')?.detail];
  };
  const house = 'in error style house';
  expect(await told('GET', '/nothing', null)).toEqual([410, 'route_not_found', house]);
  expect(await told('GET', '/orgs/b', 'user')).toEqual([410, 'bind_mismatch', house]);
  expect(await told('PUT', '/orgs/b', 'user')).toEqual([405, 'method_not_allowed', house]);
  expect(await told('GET', `/${'x'.repeat(9000)}`, null)).toEqual([400, 'uri_too_long', house]);
  expect(await told('BREW', '/orgs/b', null)).toEqual([400, 'request_malformed', house]);
  expect(await told('GET', '/orgs/b', null)).toEqual([401, 'credential_missing', 'in error style row']);
  expect(await told('POST', '/orgs/b', null)).toEqual([401, 'credential_missing', undefined]);
});
