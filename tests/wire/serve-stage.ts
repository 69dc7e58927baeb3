/** A gateway whose rows are answered here, an upstream that confirms, and short ways to ask. */
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

export function serveConfig(upstream: string): string {
  return `
upstreams:
  app: { url: "${upstream}/base", timeout: { connect: 1s, first_byte: 300ms, idle: 1s } }
  hosted: { url: "${upstream}/base", preserve_host: true }
token_types:
  project: { prefix: prj_, scopes: [events:write], attributes: { project: required } }
  keyed: { prefix: key_, grantable: [events:read, events:write], attributes: { project: required, role: optional } }
  user:
    prefix: usr_
    scopes: []
    sources: [bearer, "header:X-User-Token", "query:user_token", "cookie:session"]
    attributes: { user: required, projects: list, csrf: required }
    csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }
  sanctum: { prefix: san_, verify: upstream }
  person: { prefix: per_, grantable: [events:read, events:write], attributes: { user: required, plan: optional } }
  told: { prefix: tld_, scopes: [], attributes: { project: required, organization: required, plan: optional } }
  odd: { prefix: odd_, scopes: [], attributes: { token: required, plaintext: required, label: required, type: required } }
  member: { prefix: mem_, scopes: [events:write], attributes: { user: required } }
scopes: { events:read: Read events, events:write: Send events }
limits: { two: { rate: 2/1m, per: [token] } }
cors: { site: { origins: ["https://site.example"] } }
identity: { headers: { X-Postern-Token-Id: token.id, X-Postern-User: token.attribute.user } }
apis:
  main:
    to: app
    types: [project, keyed, user, member, sanctum, person, odd, told]
    routes:
      POST /events: { allow: { project: events:write, keyed: events:write, member: events:write } }
      GET /p/{project}/tokens:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.list
        with: { type: project, attributes: { project: "{project}" } }
      POST /p/{project}/tokens:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.create
        with: { type: project, attributes: { project: "{project}" }, expires_in: 90d }
        cors: site
      POST /p/{project}/tokens/{id}/revoke:
        allow: { user: any_scope }
        bind: { project: { equals: token.attribute.projects, else: 404 } }
        serve: token.revoke
        with: { type: project, attributes: { project: "{project}" }, token: "{id}" }
      POST /p/{project}/tokens/{id}/rotate:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.rotate
        with: { type: project, attributes: { project: "{project}" }, token: "{id}", overlap: 1h }
      POST /p/{project}/regenerate:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.regenerate
        with: { type: project, attributes: { project: "{project}" } }
      POST /p/{project}/graced:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.regenerate
        with: { type: project, attributes: { project: "{project}" }, grace: 500ms }
      POST /k/{project}/{id}/rotate:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.rotate
        with: { type: keyed, attributes: { project: "{project}" }, scopes: [events:write], token: "{id}" }
      POST /k/{project}:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.create
        with: { type: keyed, attributes: { project: "{project}" }, scopes: [events:write] }
      POST /me/tokens:
        allow: { user: any_scope }
        serve: token.create
        with: { type: member, attributes: { user: token.attribute.user } }
      POST /person/tokens:
        allow: { person: any_scope }
        serve: token.create
        with: { type: person, scopes: token.scopes, attributes: { user: token.attribute.user, plan: token.attribute.plan } }
      POST /odd/tokens:
        allow: { user: any_scope }
        serve: token.create
        with: { type: odd, attributes: { token: t, plaintext: p, label: l, type: y } }
      POST /odd/regenerate:
        allow: { user: any_scope }
        serve: token.regenerate
        with: { type: odd, attributes: { token: t, plaintext: p, label: l, type: y } }
      POST /limited:
        allow: { user: any_scope }
        limits: [two]
        serve: token.create
        with: { type: member, attributes: { user: token.attribute.user } }
      POST /c/{project}/tokens:
        allow: { user: any_scope, sanctum: any_scope }
        serve: token.create
        with: { type: project, attributes: { project: "{project}" } }
        confirm: { to: app, request: "GET /projects/{project}" }
      POST /a/{project}/tokens:
        allow: { user: any_scope }
        serve: token.create
        with: { type: told, attributes: { project: "{project}", organization: json:/project/organization_id, plan: json:/project/plan } }
        confirm: { to: app, request: "GET /projects/{project}" }
      POST /h/{project}/tokens:
        allow: { user: any_scope }
        serve: token.create
        with: { type: project, attributes: { project: "{project}" } }
        confirm: { to: hosted, request: "GET /projects/{project}" }
`;
}

export type Told = {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
  readonly text: string;
};

export type Stage = {
  readonly gateway: GatewayFixture;
  readonly upstream: UpstreamFixture;
  /** A user of these projects; the csrf value is `right`. */
  readonly user: (...projects: string[]) => Promise<{ readonly id: string; readonly token: string }>;
  readonly ask: (
    line: string,
    token: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Told>;
  /** What a project's token gets from `POST /events`. */
  readonly use: (token: string) => Promise<number>;
  readonly stop: () => Promise<void>;
};

export async function openStage(): Promise<Stage> {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(serveConfig(upstream.url));
  let users = 0;
  const ask: Stage['ask'] = async (line, token, body, headers = {}) => {
    const [method = '', target = ''] = line.split(' ');
    const answer = await fetch(gateway.url + target, {
      method,
      headers: {
        ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, body: JSON.parse(text) };
  };
  return {
    gateway,
    upstream,
    user: (...projects) =>
      gateway.mint('user', { attributes: { user: `u${users++}`, csrf: 'right', projects } }),
    ask,
    use: async (token) => (await ask('POST /events', token, {})).status,
    stop: async () => {
      await gateway.stop();
      await upstream.stop();
    },
  };
}
