/** A config with every kind of row that there is, for comparing two answers about the same request. */

/** What signs triggers there; its file is the test's to write. */
export const triggerSecret = 'the key that signs triggers, kept here';

/** `origin` is the upstream behind every row. */
export const agreementConfig = (origin: string): string => `
upstreams:
  app: { url: ${origin} }
  deep: { url: ${origin}/base }
token_types:
  user: { prefix: usr_, sources: [bearer, header:X-User-Token], grantable: [items:read, items:write, items:delete, files:read, files:write, people:read], attributes: { user: required, projects: list } }
  service: { prefix: svc_, aliases: [oldsvc_], grantable: [items:read, items:write, reports:read, events:write, admin:all], attributes: { tenant: required, regions: list } }
  sdk: { prefix: sdk_, sources: [header:X-Sdk-Token, query:token], scopes: [events:write], attributes: { project: required } }
  session: { sources: [cookie:session], grantable: [items:read, people:read, people:write], attributes: { csrf: required }, csrf: { header: X-CSRF-Token, equals: token.attribute.csrf } }
  guest: { verify: upstream, prefix: gst_, sources: [header:X-Guest, query:guest] }
  visitor: { verify: upstream, sources: [cookie:visitor] }
  probe: { prefix: prb_, format: signed, use: annotate, sources: [header:X-Probe, query:probe], key: { env: AGREEMENT_PROBE_KEY } }
  partner: { prefix: prt_, sources: [query:key], grantable: [reports:read, items:read], attributes: { tenant: optional } }
scopes:
  items:read: Read items
  items:write: Change items
  items:delete: Delete items
  files:read: Read files
  files:write: Change files
  people:read: Read people
  people:write: Change people
  reports:read: Read reports
  events:write: Send events
  admin:all: Everything
cors:
  any: { origins: any, methods: [GET, POST], headers: [Content-Type, X-Sdk-Token], expose: [Retry-After] }
  listed: { origins: [https://app.example.com, http://localhost:3000], methods: [GET, PUT, DELETE], credentials: true }
pins:
  site: { kind: origin, when_missing: deny }
  relay: { kind: origin, allow: [https://app.example.com, http://localhost:3000], when_missing: deny }
  embed: { kind: origin, allow: [https://app.example.com], when_missing: allow }
  trial: { kind: origin, allow: [https://app.example.com], when_missing: deny, mode: monitor, until: 2999-01-01 }
  here: { kind: cidr, allow: [127.0.0.0/8, "::1/128"] }
  office: { kind: cidr, allow: [203.0.113.0/24] }
  soon: { kind: cidr, allow: [203.0.113.0/24], mode: monitor, until: 2999-01-01 }
limits:
  plenty: { rate: 1000000/1m, per: [token], on_redis_down: local }
  seldom: { rate: 1/1m, per: [route], mode: monitor, until: 2999-01-01, on_redis_down: local }
  visitors: { rate: 1000000/1m, per: [address, route], on_redis_down: local }
errors:
  plain: { status: { type_not_allowed: 401, method_not_allowed: 404, cors_origin_not_allowed: 400, route_not_found: 410, path_ambiguous: 422, request_malformed: 421, expectation_failed: 428 }, body: { message: "{detail}" } }
  coded: { status: { scope_missing: 404, body_too_large: 422 }, codes: { invalid_token: BAD_TOKEN }, body: { error: "{code}" }, challenge: off, for: { bind_mismatch: { status: 401 } } }
identity:
  reserve: [X-Acme-*]
  headers:
    X-Postern-Token-Id: token.id
    X-Postern-Token-Type: token.type
    X-Postern-Scopes: token.scopes
    X-Postern-Tenant: token.attribute.tenant
    X-Acme-Projects: token.attribute.projects
    X-Acme-User: token.attribute.user
    X-Postern-Route: route.id
    X-Postern-Api: api
    X-Postern-Probe: annotation.probe.label
apis:
  main:
    hosts: [api.test, api.example.com]
    prefixes: ["", /v1]
    to: app
    routes:
      GET /items: { allow: { user: items:read, service: items:read, session: items:read }, limits: [plenty] }
      POST /items: { allow: { user: items:write, service: items:write }, body: { max: 64B } }
      GET /items/{id}: { allow: { user: items:read, service: items:read | admin:all } }
      PUT /items/{id}: { allow: { user: items:read + items:write }, cors: listed, errors: plain }
      DELETE /items/{id}: { allow: { user: items:write + items:delete }, cors: listed }
      GET /items/special: { allow: { service: admin:all } }
      GET /items/{id}/parts: { allow: { user: any_scope, service: any_scope }, pins: [embed, site, here] }
      GET /items/{id}/parts/{part}: { allow: { user: any_scope } }
      PATCH /items/{id}/parts/{part}: { allow: { user: items:write } }
      GET /projects/{project}: { allow: { user: any_scope }, bind: { project: token.attribute.projects } }
      GET /projects/{project}/files/{path...}: { allow: { user: files:read }, bind: { project: token.attribute.projects } }
      PUT /projects/{project}/files/{path...}: { allow: { user: files:write }, bind: { project: { equals: token.attribute.projects, else: 404 } } }
      GET /users/{user}: { errors: plain, allow: { user: people:read }, pins: [here, site], bind: { user: { equals: token.attribute.user, else: 404 } } }
      POST /auth/login: { allow: public, limits: [visitors] }
      POST /auth/logout: { allow: public, credentials: strip }
      POST /auth/verify: { allow: public, observe: { on: 2xx, token: { type: session, from: set-cookie:session, scopes: [], attributes: { csrf: fixed } } } }
  reports:
    hosts: [api.test, reports.test]
    types: [service, partner, user, guest, probe]
    to: deep
    errors: coded
    strict_scheme: true
    routes:
      GET /tenants/{tenant}/report: { allow: { service: reports:read, partner: reports:read }, bind: { tenant: { equals: token.attribute.tenant, else: 404 } } }
      GET /tenants/{tenant}/regions/{region}: { allow: { service: any_scope }, bind: { tenant: token.attribute.tenant, region: token.attribute.regions } }
      POST /tenants/{tenant}/keys: { allow: { service: any_scope, guest: any_scope }, observe: { on: 2xx, token: { type: partner, from: set-cookie:key, scopes: [], attributes: { tenant: "{tenant}" } } } }
      POST /tenants/{tenant}/exports: { allow: { service: reports:read + events:write } }
      GET /tenants: { allow: { service: admin:all }, scopes: { mode: monitor, until: 2999-01-01 }, pins: [soon], limits: [seldom] }
      GET /: { allow: { partner: any_scope, service: any_scope, guest: any_scope } }
  events:
    hosts: [ingest.test, api.test]
    prefixes: ["", /api]
    to: app
    cors: any
    errors: plain
    routes:
      POST /events: { allow: { sdk: events:write, service: events:write }, limits: [plenty] }
      POST /events/batch: { allow: { sdk: events:write }, body: { max: 16B } }
      GET /events/schema: { allow: public }
      GET /events/{id}: { allow: { service: any_scope }, cors: off }
      OPTIONS /events/probe: { allow: public }
      POST /events/probe: { allow: { sdk: any_scope }, errors: off }
  files:
    hosts: [files.test]
    to: deep
    routes:
      GET /{bucket}/{path...}: { allow: { user: files:read, service: any_scope } }
      PUT /{bucket}/{path...}: { allow: { user: files:write }, path_parameters: allow }
      GET /shared/{path...}: { allow: public, pins: [here], path_parameters: allow }
      GET /shared/private/{path...}: { allow: { user: files:read + files:write } }
      DELETE /{bucket}/{key}: { allow: { user: files:write } }
  people:
    hosts: [people.test]
    to: app
    cors: listed
    errors: plain
    routes:
      GET /me: { allow: { session: any_scope } }
      PUT /me: { allow: { session: people:write } }
      GET /people: { allow: { session: people:read, user: people:read } }
      GET /people/{id}: { allow: { session: people:read | people:write } }
      POST /people: { allow: { session: people:read + people:write } }
      OPTIONS /people: { allow: { session: any_scope } }
  open:
    to: app
    errors: plain
    types: [partner, guest, visitor, probe]
    routes:
      GET /visits/{visit}: { allow: { visitor: any_scope, guest: any_scope }, limits: [visitors] }
      POST /visits: { allow: { visitor: any_scope }, pins: [embed] }
      GET /status: { allow: public, limits: [visitors] }
      GET /status/{what}: { allow: public, pins: [trial] }
      POST /hooks/{name...}: { allow: public, pins: [relay], body: { max: 32B } }
      POST /relay: { allow: public, body: { max: 64B, json: true, cut: [json:/token, json:/a/token] } }
      GET /docs/{page}: { allow: public, pins: [office] }
      POST /docs/{page}: { allow: public, pins: [soon], limits: [seldom] }
      GET /items: { allow: { partner: items:read } }
`;

/** Prefixes of an api's rows; what a row's id leaves out. */
export const prefixesOf: Readonly<Record<string, readonly string[]>> = {
  main: ['', '/v1'],
  events: ['', '/api'],
};

export const hostsAsked = [
  'api.test',
  'api.example.com',
  'reports.test',
  'ingest.test',
  'files.test',
  'people.test',
  'nobody.test',
];
