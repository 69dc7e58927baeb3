/**
 * MCP over HTTP ("streamable HTTP"), behind the same guard, tokens and scopes as the API. Each message has a server of
 * its own and is answered in one piece: there is no session that could be stolen, mixed up, or outlive its token. What
 * speaks the protocol is loaded when it is first asked for, by somebody whose token is right.
 */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import type { AdminScope } from '../../policy/admin-type.ts';
import { wording } from '../../policy/config-fields.ts';
import { StoreFault } from '../../store/fault.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Operator } from './http-auth.ts';
import { type DeskParts, deskOf } from './http-desk.ts';
import { readAs, readJson, readQuery } from './http-input.ts';
import { problemOf, Refused } from './http-problem.ts';
import type { SecretKeeping } from './mcp-secret.ts';
import type { Level, Opened, Room } from './mcp-tool.ts';
import { createSecretShelf, type SecretShelf } from './secret-shelf.ts';

export const mcpPath = '/mcp';
const secretsPath = `${mcpPath}/secrets/`;

export type McpParts = DeskParts & {
  readonly config: () => LoadedConfig;
  readonly fault: (fault: StoreFault, requestId: string) => void;
  readonly bug: (error: unknown, requestId: string) => void;
};

export type McpRequest = {
  readonly request: Request;
  readonly path: string;
  readonly search: string;
  readonly operator: Operator;
  readonly requestId: string;
  /** The url by which the caller has reached this listener. */
  readonly at: string;
};

/** @throws Refused */
export type McpDoor = (asked: McpRequest) => Promise<Response>;

export function isForMcp(path: string): boolean {
  return path === mcpPath || path.startsWith(secretsPath);
}

export function createMcpDoor(parts: McpParts): McpDoor {
  const shelf = createSecretShelf();
  return async (asked) => {
    // Nothing is told unasked, so there is no stream to GET, and no session to DELETE.
    if (asked.request.method !== 'POST') throw new Refused({ code: 'method_not_allowed', allow: ['POST'] });
    return asked.path === mcpPath ? speak(asked, parts, shelf) : fetchSecret(asked, shelf);
  };
}

const levels: readonly Level[] = ['read', 'propose', 'apply'];

function levelsIn(text: string): ReadonlySet<Level> {
  return new Set(levels.filter((level) => text.split(',').includes(level)));
}

/** What stands in the url that a client is given: the words of `postern mcp`. */
const querySchema = v.object({
  allow: v.optional(
    v.pipe(
      v.string(),
      v.check(
        (text) => levelsIn(text).size === new Set(text.split(',')).size,
        wording('', 'write read,propose,apply or some of them'),
      ),
      v.transform(levelsIn),
    ),
    levels.join(','),
  ),
  secrets: v.optional(v.picklist(['link', 'reveal'], wording('', 'write link or reveal')), 'link'),
  attribute: v.optional(v.array(v.string()), []),
});

const manifest = new URL('../../package.json', import.meta.url);
let version: string | null = null;

async function speak(asked: McpRequest, parts: McpParts, shelf: SecretShelf): Promise<Response> {
  const { request, search, requestId } = asked;
  const said = readAs(querySchema, readQuery(new URLSearchParams(search), ['attribute']));
  const message = await readJson(request);
  if (Array.isArray(message)) {
    const hint = 'send each in a request of its own';
    throw new Refused({ code: 'payload_invalid', detail: 'more than one message', hint });
  }
  const [{ createMcpServer }, { checkOwn }, { ToolRefused }, { WebStandardStreamableHTTPServerTransport }] =
    await Promise.all([
      import('./mcp-server.ts'),
      import('./mcp-token-params.ts'),
      import('./mcp-tool.ts'),
      import('@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'),
    ]);
  const config = parts.config();
  const own = checkOwn(config.policy.types, said.attribute);
  if (!own.ok) throw new Refused(problemOf(own.complaint));
  const room: Room = {
    ...roomOf(asked, parts, config, (text) => new ToolRefused(text)),
    levels: levelsOf(asked.operator, said.allow),
    own: said.attribute,
    secrets: said.secrets === 'reveal' ? { kind: 'reveal' } : linksOn(shelf, asked),
  };
  version ??= String(JSON.parse(readFileSync(manifest, 'utf8')).version);
  const { server, settled } = createMcpServer(room, version, (error) => parts.bug(error, requestId));
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  try {
    return await transport.handleRequest(request, { parsedBody: message });
  } finally {
    await settled();
    await server.close();
  }
}

function roomOf(
  { operator, requestId, at }: McpRequest,
  parts: McpParts,
  config: LoadedConfig,
  refused: (message: string) => Error,
): Omit<Room, 'levels' | 'own' | 'secrets'> {
  const { policy, triggerKeys } = config;
  const desk = deskOf(parts, config, operator, 'for_good');
  const opened: Opened = {
    policy,
    triggerKeys,
    atDesk: async (_access, work) => {
      try {
        return await work(desk);
      } catch (error) {
        if (!(error instanceof StoreFault)) throw error;
        parts.fault(error, requestId);
        throw refused('the store cannot be reached right now; try again in a moment');
      }
    },
  };
  const commandTail = ['--url', at];
  return { open: () => opened, now: parts.now, commandTail, announces: false };
}

/** Whoever may write applies; whoever may only read what would be written proposes. */
function levelsOf({ scopes }: Operator, allowed: ReadonlySet<Level>): Room['levels'] {
  const open = (scope: AdminScope): readonly Level[] => {
    if (scope.endsWith(':read')) return scopes.includes(scope) ? ['read'] : [];
    if (scopes.includes(scope)) return ['propose', 'apply'];
    return scopes.includes(scope.replace(/:write$/, ':read')) ? ['propose'] : [];
  };
  return (scope) => new Set(open(scope).filter((level) => allowed.has(level)));
}

function linksOn(shelf: SecretShelf, { operator, at }: McpRequest): SecretKeeping {
  return {
    kind: 'link',
    place: () => {
      const place = shelf.reserve(operator.record.id);
      return place === null ? null : { ...place, url: `${at}${secretsPath}${place.id}` };
    },
  };
}

function fetchSecret({ path, operator }: McpRequest, shelf: SecretShelf): Response {
  const secret = shelf.take(operator.record.id, path.slice(secretsPath.length));
  if (secret !== null) {
    return new Response(`${secret}\n`, { headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
  }
  const hint = 'it was fetched before, or not within ten minutes: end what was made, and make another';
  throw new Refused({ code: 'record_not_found', detail: 'No secret waits here for this token.', hint });
}
