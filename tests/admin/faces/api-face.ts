/** The admin HTTP API, by a client that shows its user what was not understood. */
import { adminRoutes, findRoute } from '../../../gateway/admin/http-routes.ts';
import type { AdminFixture } from '../../fixtures/admin.ts';
import { alertOf } from './cli-face.ts';
import {
  type Face,
  factsOf,
  type Json,
  listedOf,
  type Made,
  madeOf,
  type NewToken,
  no,
  type Ops,
  rowOf,
  usedOf,
} from './face.ts';

export function apiFace({ ask: send }: Pick<AdminFixture, 'ask'>, token: string): Face {
  const used = new Set<string>();
  const ask = async (line: string, body?: unknown): Promise<Json> => {
    const [method = '', target = ''] = line.split(' ');
    const found = findRoute(method, target.replace(/\?.*/, ''));
    if (found.kind === 'found') used.add(found.route.name);
    const said = { token, headers: { Prefer: 'given' }, ...(body === undefined ? {} : { body }) };
    const { status, json } = await send(line, said);
    if (status < 400) return json;
    const { detail, given, hint } = json;
    if (typeof hint !== 'string') throw new Error(`no remedy: ${detail}`);
    return no(`${detail} ${given === undefined ? '' : JSON.stringify(given)}; ${hint}`);
  };
  const told =
    <T>(read: (json: Json) => T) =>
    async (line: string, body?: unknown) => {
      const json = await ask(line, body);
      return 'no' in json ? json : read(json);
    };
  const [made, facts] = [told<Made>(madeOf), told(factsOf)];
  const at = (id: string, verb: string) => `POST /v1/tokens/${id}/${verb}`;
  const pin = (subject: string) => `/v1/pins/app/${encodeURIComponent(subject)}`;
  const query = ({ type, attribute }: { type: string; attribute: string }) =>
    new URLSearchParams({ type, attribute });
  const ops: Ops = {
    create: (said) => made('POST /v1/tokens', bodyOf(said)),
    tryCreate: (said) =>
      told(({ scopes, token: secret, dry_run: isDry }) => ({ scopes, secret, isDry }))(
        'POST /v1/tokens?dry_run=true',
        bodyOf(said),
      ).then((one) => {
        if ('no' in one) return one;
        if (one.secret !== null || !one.isDry) throw new Error('a dry run that is none');
        return { scopes: one.scopes };
      }),
    show: ({ id }) => facts(`GET /v1/tokens/${id}`),
    list: async (of) => (await ask(`GET /v1/tokens?${query(of)}`)).tokens.map(listedOf),
    pages: async (of, limit) => {
      const pages: string[][] = [];
      for (let after: string | null = ''; after !== null; ) {
        const page = await ask(`GET /v1/tokens?${query(of)}&limit=${limit}${after && `&after=${after}`}`);
        pages.push(page.tokens.map(({ id }: Json) => id));
        after = page.next;
      }
      return pages;
    },
    rotate: ({ id }, overlap) => made(at(id, 'rotate'), { overlap }),
    rotateWhenQuiet: ({ id }, overlap) => made(at(id, 'rotate'), { overlap, retire: 'when_quiet' }),
    regenerate: ({ type, attributes }) => made('POST /v1/tokens/regenerate', { type, attributes }),
    update: ({ id }, { expires, ...change }) =>
      facts(`PATCH /v1/tokens/${id}`, {
        ...change,
        ...(expires === undefined ? {} : { expires_in: expires }),
      }),
    disable: ({ id }) => facts(at(id, 'disable'), {}),
    enable: ({ id }) => facts(at(id, 'enable'), {}),
    revoke: ({ id }, reason) => facts(at(id, 'revoke'), { reason }),
    setPin: (subject, value) =>
      told(({ value, before }) => ({ value, before }))(`PUT ${pin(subject)}`, { value }),
    showPin: (subject) => told(({ value }) => ({ value }))(`GET ${pin(subject)}`),
    resetPin: (subject, reason) =>
      told(({ value, before }) => ({ value, before }))(`POST ${pin(subject)}/reset`, { reason }),
    activate: (subject, pattern) =>
      told(({ activation_id: id, trigger_token: secret }) => ({ id, secret }))('POST /v1/probes', {
        ...{ for: subject, label_pattern: pattern, ttl_seconds: 600 },
      }),
    probes: async (subject) =>
      (await ask(`GET /v1/probes?for=${subject}`)).activations.map((one: Json) => one.label_pattern),
    deactivate: (subject, id) =>
      told((one) => ({ off: one.deactivated_at !== null }))(`POST /v1/probes/${id}/deactivate`, {
        for: subject,
      }),
    usage: ({ id }) => told(usedOf)(`GET /v1/tokens/${id}/usage?by=route&since=7d`),
    alerts: async () => (await ask('GET /v1/alerts?limit=1000')).alerts.map(alertOf),
    acknowledge: (id) =>
      told(({ acknowledged_at: time }) => ({ open: time === null }))(`POST /v1/alerts/${id}/acknowledge`, {}),
    audit: async (subject) =>
      (await ask(`GET /v1/audit?subject=${encodeURIComponent(subject)}`)).entries.map(rowOf),
    tryPurge: async (what) => (await ask(`POST /v1/${what}/purge?dry_run=true`, {})).purged,
    verify: async () => (await ask('GET /v1/audit/verify')).ok,
    matrix: () => ask('GET /v1/config/matrix'),
    explain: (method, path, as) => ask('POST /v1/config/explain', { method, path, as }),
  };
  const offers = async () => adminRoutes.map(({ name }) => name);
  return { name: 'admin API', actor: /^token:tok_/, ops, offers, used };
}

function bodyOf({ expires, ...token }: NewToken) {
  return { ...token, ...(expires === undefined ? {} : { expires_in: expires }) };
}
