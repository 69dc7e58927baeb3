/** A config of as many rows as wanted, of three products, with something of everything; and requests to its rows. */
import { loadConfigText } from '../../gateway/config/load.ts';
import { formatProblem } from '../../gateway/config/problems.ts';
import { decide } from '../../policy/decide.ts';
import { chooseRow, rowSet } from '../../policy/rows.ts';
import type { Presentation, TokenRecord } from '../../policy/token-types.ts';
import type { Match, Policy, RequestFacts } from '../../policy/types.ts';
import { factsOf, noon, tokenOf } from './policy.ts';

const products = ['shop', 'desk', 'maps'] as const;

const hostOf = (product: string): string => `${product}.example.com`;

/** What a row says beside its cells, by turns. */
const extras = [
  'limits: [reads]',
  'limits: [writes, bursts], body: { max: 64KiB, json: true }',
  'pins: [office], limits: [reads]',
  'bind: { tenant: { equals: token.attribute.tenant, else: 404 } }, errors: short',
  'cors: off, limits: [deletes]',
];

const methods = ['GET', 'POST', 'GET', 'PATCH', 'DELETE'];

type Row = {
  readonly product: string;
  readonly method: string;
  readonly pattern: string;
  readonly extra: string;
};

/** Each of five kinds of row for each product, then the same of the next resource: any five in turn are one of each kind. */
function rowOf(n: number): Row {
  const turn = n % methods.length;
  const method = methods[turn] ?? '';
  const things = `/tenants/{tenant}/things-${Math.floor(n / (methods.length * products.length))}`;
  const pattern = turn < 2 ? things : `${things}/{id}`;
  return { product: products[n % products.length] ?? '', method, pattern, extra: extras[turn] ?? '' };
}

/** A small config's rows are also in every larger one. @param rows at least 3. */
export function largeConfig(rows: number): string {
  const all = Array.from({ length: rows }, (_, n) => rowOf(n));
  const apis = products.map((product) => {
    const lines = all.flatMap(({ product: owner, method, pattern, extra }) => {
      if (owner !== product) return [];
      const verb = method === 'GET' ? 'read' : 'write';
      const cells = `${product}_service: ${product}:${verb}, user: ${product}:${verb} | ${product}:admin, session: any_scope`;
      return `      ${method} ${pattern}: { allow: { ${cells} }, ${extra} }`;
    });
    return `  ${product}:
    hosts: [${hostOf(product)}]
    prefixes: ["", /api]
    types: [${product}_service, user, session]
    to: ${product}
    cors: pages
    errors: messages
    routes:
${lines.join('\n')}`;
  });
  const each = (line: (product: string) => string): string => products.map(line).join('\n');
  return `version: 1
upstreams:
${each((product) => `  ${product}: { url: http://127.0.0.1:9001 }`)}
token_types:
${each((product) => `  ${product}_service: { prefix: ${product}_live_, grantable: [${product}:read, ${product}:write, ${product}:admin], attributes: { tenant: required } }`)}
  user: { prefix: usr_, grantable: [${products.flatMap((product) => [`${product}:read`, `${product}:write`, `${product}:admin`]).join(', ')}], attributes: { tenant: required, projects: list } }
  session: { prefix: ses_, hash: { use: bcrypt, cost: 10, lookup_chars: 12, then: sha256 }, sources: [cookie:session], csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }, grantable: [shop:read], attributes: { tenant: required, csrf: required } }
scopes:
${each((product) => ['read', 'write', 'admin'].map((verb) => `  ${product}:${verb}: May ${verb} in ${product}`).join('\n'))}
cors:
  pages: { origins: [https://pages.example.com], methods: [GET, POST, PATCH, DELETE], headers: [Authorization, Content-Type, X-CSRF-Token], credentials: true }
pins:
  office: { kind: cidr, allow: [192.0.2.0/24, "2001:db8::/32"] }
  site: { kind: origin, when_missing: allow }
limits:
  reads: { rate: 600/1m, per: [token], on_redis_down: local }
  writes: { rate: 60/1m, per: [token, route], on_redis_down: local }
  bursts: { rate: 20/1s, per: [attribute.tenant], on_redis_down: open }
  deletes: { rate: 10/1m, per: [address], on_redis_down: closed }
errors:
  messages: { status: { type_not_allowed: 401 }, body: { message: "{detail}" } }
  short: { codes: { bind_mismatch: not_found }, body: { error: "{code}" } }
identity:
  reserve: [X-Postern-*]
  headers: { X-Postern-Token-Id: token.id, X-Postern-Scopes: token.scopes, X-Postern-Tenant: token.attribute.tenant, X-Postern-Route: route.id }
apis:
${apis.join('\n')}
`;
}

/** @throws Error that names every problem. */
export function compileText(text: string): Policy {
  const loading = loadConfigText(text, '/nowhere/gateway.config.yaml', {});
  if (!loading.ok) throw new Error(loading.problems.map(formatProblem).join('\n'));
  return loading.config.policy;
}

/** A request to one row with a token that may use it. */
export type Asked = {
  readonly facts: RequestFacts;
  readonly match: Match;
  readonly token: TokenRecord;
};

export const byBearer: Presentation = { source: { kind: 'bearer' }, csrf: [] };

/** `count` requests, each with a token of its own, to the first `rows` rows in turn: of any config with at least as many. */
export function requestsTo(policy: Policy, rows: number, count: number): readonly Asked[] {
  return Array.from({ length: count }, (_, index): Asked => {
    const { product, method, pattern } = rowOf(index % rows);
    const path = pattern.replace('{tenant}', 'acme').replace('{id}', '7f3a');
    const facts = factsOf({ method, host: hostOf(product), path, address: '192.0.2.7' });
    const token = tokenOf({
      id: `tok_${index}`,
      type: `${product}_service`,
      scopes: [`${product}:read`, `${product}:write`],
      attributes: new Map([['tenant', 'acme']]),
    });
    const found = rowSet(policy, facts);
    const match = found.ok ? chooseRow(found.value, facts) : found;
    if (!match.ok) throw new Error(`${method} ${path}: ${match.denial.reason}`);
    const decided = decide(policy, match.value, facts, token, noon, undefined, byBearer);
    if (!decided.ok) throw new Error(`${method} ${path}: ${decided.denial.reason}`);
    return { facts, match: match.value, token };
  });
}
