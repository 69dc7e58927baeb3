/** Programs that speak MCP, by the official client. */
import { parseDuration } from '../../../policy/units.ts';
import type { McpSession } from '../../fixtures/mcp.ts';
import { wordsOf } from '../../fixtures/mcp.ts';
import { alertOf } from './cli-face.ts';
import {
  type Face,
  factsOf,
  type Json,
  listedOf,
  type Made,
  type NewToken,
  no,
  type Ops,
  rowOf,
  usedOf,
} from './face.ts';

export function mcpFace(name: string, actor: RegExp, session: McpSession): Face {
  const used = new Set<string>();
  const ask = async (tool: string, args: object = {}): Promise<Json> => {
    used.add(untyped(tool));
    const answer = await session.call(tool, { ...args });
    return answer.isError === true ? no(wordsOf(answer)) : answer.structuredContent;
  };
  const told =
    <T>(read: (json: Json) => T) =>
    async (tool: string, args: object = {}) => {
      const json = await ask(tool, args);
      return 'no' in json ? json : read(json);
    };
  const made = told<Made>(({ token, secret, replaces, applied }) => {
    if (!applied) throw new Error('it was not done');
    return { made: factsOf(token), secret, ...(replaces === undefined ? {} : { old: factsOf(replaces) }) };
  });
  const named = ({ type, attribute }: { type: string; attribute: string }) => {
    const [name = '', value = ''] = attribute.split('=');
    return { tool: `list_${type}_tokens`, args: { [name]: value } };
  };
  const ops: Omit<Ops, 'regenerate' | 'update' | 'enable' | NotHere> = {
    create: (token) => made(`create_${token.type}_token`, argsOf(token)),
    tryCreate: (token) =>
      told(({ applied, would_have: would }) => {
        if (applied) throw new Error('it was done');
        return { scopes: would.scopes };
      })(`create_${token.type}_token`, { ...argsOf(token), dryRun: true }),
    show: ({ id }) => told(factsOf)('show_token', { tokenId: id }),
    list: async (of) => {
      const { tool, args } = named(of);
      return (await ask(tool, args)).tokens.map(listedOf);
    },
    pages: async (of, limit) => {
      const { tool, args } = named(of);
      const pages: string[][] = [];
      for (let after: string | null = ''; after !== null; ) {
        const page = await ask(tool, { ...args, limit, ...(after === '' ? {} : { after }) });
        pages.push(page.tokens.map(({ id }: Json) => id));
        after = page.next;
      }
      return pages;
    },
    rotate: ({ id, type, attributes }, overlap) =>
      made(`rotate_${type}_token`, { ...attributes, tokenId: id, overlapSeconds: seconds(overlap) }),
    rotateWhenQuiet: ({ id, type, attributes }, overlap) =>
      made(`rotate_${type}_token`, {
        ...{ ...attributes, tokenId: id, overlapSeconds: seconds(overlap), retireWhenQuiet: true },
      }),
    disable: ({ id, type, attributes }) =>
      told(({ token }) => factsOf(token))(`disable_${type}_token`, { ...attributes, tokenId: id }),
    revoke: ({ id, type, attributes }, reason) =>
      told(({ token }) => factsOf(token))(`revoke_${type}_token`, { ...attributes, tokenId: id, reason }),
    showPin: async (subject) => {
      const [pinned] = (await ask('list_pins', { pin: 'app', subject })).pins;
      return { value: pinned.value };
    },
    resetPin: (subject, reason) =>
      told(({ before }) => ({ value: null, before: before.value }))('reset_pin', {
        ...{ pin: 'app', subject, reason },
      }),
    activate: (subject, pattern) =>
      told(({ activation, secret }) => ({ id: activation.activation_id, secret }))('activate_probe', {
        ...{ subject, labelPattern: pattern, ttlSeconds: 600 },
      }),
    probes: async (subject) =>
      (await ask('list_active_probes', { subject })).activations.map((one: Json) => one.label_pattern),
    deactivate: (subject, id) =>
      told(({ applied }) => ({ off: applied }))('deactivate_probe', { subject, activationId: id }),
    usage: ({ id }) => told(usedOf)('token_usage', { tokenId: id, by: 'route', sinceSeconds: 7 * 86_400 }),
    alerts: async () => (await ask('list_alerts', { limit: 1000 })).alerts.map(alertOf),
    audit: async (subject) => (await ask('list_audit', { subject })).entries.map(rowOf),
    matrix: () => told(({ next: _, ...matrix }) => matrix)('show_matrix'),
    explain: (method, path, as) => ask('explain_request', { method, path, as }),
  };
  const offers = async () => (await session.tools()).map((tool) => untyped(tool.name));
  return { name, actor, ops, offers, used };
}

/** Each type has tools of its own, which are alike. */
function untyped(tool: string): string {
  return tool.replace(/_(?:project|user|legacy)_/, '_{type}_');
}

type NotHere = 'setPin' | 'acknowledge' | 'tryPurge' | 'verify';

function seconds(duration: string): number {
  const parsed = parseDuration(duration);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value / 1000;
}

function argsOf({ type: _, label, scopes, attributes = {}, origins, expires }: NewToken) {
  return {
    ...{ label, ...attributes },
    ...(scopes === undefined ? {} : { scopes }),
    ...(origins === undefined ? {} : { allowedOrigins: origins }),
    ...(expires === undefined ? {} : { expiresInSeconds: seconds(expires) }),
  };
}
