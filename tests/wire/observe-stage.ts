/** An upstream that keeps the login and the projects, behind a gateway that follows it; for tests of both. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { AttributeValue } from '../../policy/token-types.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const client = '{ from: header:X-Client, default: mobile }';
const config = (url: string) => `
upstreams: { api: { url: ${url} } }
token_types:
  user: { format: id_pipe_random, scopes: [], attributes: { user: required, client: optional } }
  project: { prefix: prj_live_, hash: { use: bcrypt, cost: 4, lookup_chars: 12, then: sha256 }, scopes: [], attributes: { project: required } }
  chosen: { prefix: cho_, grantable: [a, b], attributes: { project: required, by: optional } }
  session: { sources: [cookie:sid], csrf: { header: X-Csrf, equals: token.attribute.csrf }, scopes: [], attributes: { user: required, csrf: required } }
  partner: { prefix: par_, verify: upstream }
scopes: { a: One, b: Two }
apis:
  main:
    to: api
    routes:
      GET /me: { allow: { user: any_scope, project: any_scope, session: any_scope, chosen: any_scope } }
      POST /auth/login:
        allow: public
        observe:
          on: 2xx
          token: { type: user, from: json:/token, attributes: { user: json:/user/id, client: ${client} }, label: json:/user/name, instead_of: [user, client] }
      POST /auth/verify:
        allow: public
        observe: { on: 2xx, token: { type: session, from: set-cookie:sid, attributes: { user: json:/user/id, csrf: json:/csrf } , expires_in: 7d } }
      POST /auth/reset:
        allow: public
        observe: { on: 2xx, end: { type: user, attributes: { user: json:/user/id } } }
      POST /auth/logout: { allow: { user: any_scope }, observe: { on: 2xx, end: caller } }
      POST /auth/refresh:
        allow: { user: any_scope }
        observe:
          - { on: 2xx, token: { type: user, from: json:/token, attributes: { user: token.attribute.user } } }
          - { on: 2xx, end: caller }
      POST /projects: { allow: { user: any_scope }, observe: { on: 2xx, token: { type: project, from: json:/token, attributes: { project: json:/id } } } }
      POST /projects/{project}/keys: { allow: { user: any_scope, partner: any_scope }, observe: { on: 2xx, token: { type: chosen, from: json:/key, scopes: [a], attributes: { project: "{project}", by: partner } } } }
      DELETE /projects/{project}:
        allow: { user: any_scope, project: any_scope }
        observe:
          - { on: 2xx, end: { type: project, attributes: { project: "{project}" } } }
          - { on: 2xx, end: { type: chosen, attributes: { project: "{project}" } } }
`;

export type Says = {
  readonly status?: number;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: unknown;
};

export type Sending = { readonly token?: string; readonly headers?: Record<string, string> };

let serial = 0;
/** As an upstream would make them: each used once. */
export function next() {
  serial++;
  const filler = String(serial).padStart(40, 'a');
  return {
    user: `usr_${serial}`,
    project: `prj_${serial}`,
    token: `${serial}|${filler}`,
    live: `prj_live_${filler}`,
    sid: `sid${filler}`,
  };
}

/** One gateway and upstream for the tests of a file. */
export class ObserveStage {
  #gateway: GatewayFixture | null = null;
  #upstream: UpstreamFixture | null = null;

  get gateway(): GatewayFixture {
    return this.#gateway ?? expect.fail('not started');
  }

  get upstream(): UpstreamFixture {
    return this.#upstream ?? expect.fail('not started');
  }

  /** The upstream's answer to all that follows. */
  says({ status = 200, headers = {}, body = {} }: Says): void {
    const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    this.upstream.answer = (req: IncomingMessage, res: ServerResponse) => {
      req.resume();
      res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(bytes);
    };
  }

  send(method: string, path: string, { token, headers = {} }: Sending = {}) {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return fetch(`${this.gateway.url}${path}`, { method, headers: { ...authorization, ...headers } });
  }

  /** The status of a request with the token, when the upstream has nothing against it. */
  async use(token: string): Promise<number> {
    this.says({});
    return (await this.send('GET', '/me', { token })).status;
  }

  login(user: string, token: string, headers: Record<string, string> = {}) {
    this.says({ body: { user: { id: user, name: 'Ada' }, token } });
    return this.send('POST', '/auth/login', { headers });
  }

  async loggedIn(headers: Record<string, string> = {}) {
    const { user, token } = next();
    expect((await this.login(user, token, headers)).status).toBe(200);
    return { user, token };
  }

  async tokensOf(type: string, attributes: Record<string, AttributeValue>) {
    const filter = { type, attributes: new Map(Object.entries(attributes)), limit: 100 };
    return (await this.gateway.running.tokens.list(filter)).tokens;
  }

  async auditOf(subject: string) {
    const filter = { subject, after: null, limit: 1000 };
    return (await this.gateway.running.tokens.audit.list(filter)).entries;
  }

  async start(): Promise<void> {
    this.#upstream = await startUpstream();
    this.#gateway = await startTestGateway(config(this.#upstream.url));
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.upstream.stop();
  }
}

/** To be called at the top of a test file. */
export function onObserveStage(): ObserveStage {
  const stage = new ObserveStage();
  beforeAll(() => stage.start());
  afterAll(() => stage.stop());
  beforeEach(() => {
    stage.upstream.answer = null;
  });
  return stage;
}
