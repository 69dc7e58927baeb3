/** The HTTP face of the operations: who asks, for what, in which words; what is done is done elsewhere. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import type { Checked } from '../../policy/token-input.ts';
import type { OnceDone } from '../../store/once.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Reloading } from '../reload.ts';
import { createDashboard, type DashParts } from './dash-app.ts';
import { authenticate, demandScope, type Gatekeeper } from './http-auth.ts';
import { type DeskParts, deskOf, type Manner } from './http-desk.ts';
import { type FaultTellers, problemFrom } from './http-fault.ts';
import { fieldsNamed, reachedAt, strangerFlaw } from './http-guard.ts';
import { guessesOf } from './http-guesses.ts';
import { readAs, readJson, readQuery } from './http-input.ts';
import { readIfMatch, tagOf } from './http-match.ts';
import { createMcpDoor, isForMcp, type McpDoor } from './http-mcp.ts';
import { createOnceGuard, readOnceKey } from './http-once.ts';
import { openApiDocument } from './http-openapi.ts';
import { agreed, problemResponse, Refused } from './http-problem.ts';
import type { AdminRoute, Call, View } from './http-route.ts';
import { adminRoutes, documentPath, findRoute } from './http-routes.ts';
import { tailsFull } from './http-tail.ts';
import type { Reload } from './operations-reload.ts';
import type { TailFilter } from './tail-filter.ts';
import type { TailReaders } from './tail-readers.ts';

export type AdminParts = DeskParts &
  FaultTellers & {
    readonly gatekeeper: Gatekeeper;
    /** What is in force now. */
    readonly config: () => LoadedConfig;
    /** Where the listener is. */
    readonly port: () => number;
    readonly hosts: readonly string[];
    /** The caller's address: failures are counted by it, and sessions and alerts name it. */
    readonly callerOf: (incoming: IncomingMessage) => string;
    /** Whether programs that speak MCP are answered. */
    readonly mcp: boolean;
    readonly tailReaders: TailReaders;
    readonly reloading: Pick<Reloading, 'ask'>;
  };

type Room = Omit<AdminParts, 'mcp'> & {
  readonly once: ReturnType<typeof createOnceGuard>;
  /** null: the config does not ask for it. */
  readonly mcp: McpDoor | null;
};

type Bindings = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };

export function adminApp(parts: DashParts): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();
  const room = { ...parts, once: createOnceGuard(), mcp: parts.mcp ? createMcpDoor(parts) : null };
  const document = JSON.stringify(openApiDocument(adminRoutes));
  const dashboard = createDashboard(parts);
  app.all('*', async (c) => {
    if (!/^\/(?:v1|mcp)(?:[/?]|$)/.test(c.env.incoming.url ?? '')) return dashboard(c.req.raw, c.env);
    const response = await answer(c.req.raw, c.env, document, room);
    if (response === RESPONSE_ALREADY_SENT) return response;
    response.headers.set('Cache-Control', 'no-store');
    response.headers.set('X-Content-Type-Options', 'nosniff');
    return response;
  });
  return app;
}

/** Never throws. */
async function answer(request: Request, ends: Bindings, document: string, parts: Room): Promise<Response> {
  const requestId = randomUUID();
  try {
    return await serve(request, ends, document, requestId, parts);
  } catch (error) {
    return problemResponse(
      problemFrom(error, requestId, parts),
      requestId,
      repeats(ends.incoming.rawHeaders),
    );
  }
}

/** `Prefer: given` (RFC 7240): a face whose writer is its reader wants to show what was not understood. */
function repeats(rawHeaders: readonly string[]): boolean {
  return fieldsNamed(rawHeaders, 'prefer').some((field) => /(?:^|,)[ \t]*given[ \t]*(?:$|[,;])/i.test(field));
}

async function serve(
  request: Request,
  { incoming, outgoing }: Bindings,
  document: string,
  requestId: string,
  parts: Room,
): Promise<Response> {
  const { rawHeaders, url = '', method = '' } = incoming;
  const stranger = strangerFlaw(rawHeaders, parts.port(), parts.hosts);
  if (stranger !== null) throw new Refused({ code: stranger });
  const [path = '', search = ''] = url.split(/\?(.*)/s);
  if (!path.startsWith('/')) throw new Refused({ code: 'request_malformed' });
  if (method === 'GET' && path === documentPath) return json(200, document);
  const operator = await authenticate(rawHeaders, parts.callerOf(incoming), parts.gatekeeper);
  if (isForMcp(path)) {
    if (parts.mcp === null)
      throw new Refused({ code: 'route_not_found', hint: 'write admin: { mcp: true }' });
    const at = reachedAt(rawHeaders, parts.hosts);
    return parts.mcp({ request, path, search, operator, requestId, at });
  }
  const found = findRoute(method, path);
  if (found.kind === 'nothing') throw new Refused({ code: 'route_not_found' });
  if (found.kind === 'wrong_method') throw new Refused({ code: 'method_not_allowed', allow: found.allow });
  const { route, params } = found;
  demandScope(operator, route.scope);
  const { dry_run: dryRun, ...asked } = readQuery(new URLSearchParams(search), ['attribute']);
  const isDry = readDryRun(route, dryRun);
  const query = readAs(route.query, asked);
  const body = route.body === null ? null : readAs(route.body, await readJson(request));
  const key = isDry ? null : readOnceKey(rawHeaders, route, operator.record.id, [method, path, body]);
  const ifVersions = readIfMatch(rawHeaders, route);
  const callIn = (manner: Manner): Call<unknown, unknown> => {
    const config = parts.config();
    const listen = (filter: TailFilter): void => {
      if (!parts.tailReaders.admit({ tokenId: operator.record.id }, filter, outgoing))
        throw new Refused(tailsFull);
    };
    const reload: Reload = (asked) => parts.reloading.ask({ isDry: manner === 'dry', ...asked });
    const desk = deskOf(parts, config, operator, manner);
    const guesses = guessesOf(parts.gatekeeper.failures, operator.by);
    return { desk, config, operator, params, query, body, ifVersions, listen, reload, guesses };
  };
  if (key === null) {
    const view = agreed(await route.handle(callIn(isDry ? 'dry' : 'for_good')));
    if (outgoing.headersSent) return RESPONSE_ALREADY_SENT;
    return told(route, isDry ? withoutSecrets(view) : view, path, search);
  }
  const { view, isReplayed } = await parts.once({
    store: parts.tokens.once,
    key,
    first: async () => agreed(await route.handle(callIn(key))),
    again: async (before) => agreed(await replayOf(route, callIn('for_good'), before)),
  });
  const response = told(route, view, path, search);
  if (isReplayed) response.headers.set('Idempotent-Replayed', 'true');
  return response;
}

function replayOf(
  { once }: AdminRoute,
  call: Call<unknown, unknown>,
  before: OnceDone,
): Promise<Checked<View>> {
  if (once === null) throw new Error('a route without keys has one');
  return once(call, before);
}

/** @throws Refused where it is not true or false, or nothing is changed anyway. */
function readDryRun({ changes }: AdminRoute, asked: unknown): boolean {
  if (asked === undefined || (changes && asked === 'false')) return false;
  if (changes && asked === 'true') return true;
  const hint = changes ? 'write true or false' : 'leave it out: nothing is changed here';
  throw new Refused({
    code: 'payload_invalid',
    detail: 'dry_run is not what it must be',
    hint,
    path: 'dry_run',
  });
}

const secretKeys: readonly string[] = ['token', 'trigger_token'];

/** What a dry run would have made opens nothing; still, nobody is to take it for something that does. */
function withoutSecrets(view: View): View {
  const shown = Object.entries(view).map(([key, value]) => [key, secretKeys.includes(key) ? null : value]);
  return { ...Object.fromEntries(shown), dry_run: true };
}

function told(route: AdminRoute, view: View, path: string, search: string): Response {
  const response = json(route.status, JSON.stringify(view));
  if (route.versioned === true) response.headers.set('ETag', tagOf(view.version));
  if (typeof view.next === 'string') {
    const next = new URLSearchParams(search);
    next.set('after', view.next);
    response.headers.set('Link', `<${path}?${next}>; rel="next"`);
  }
  return response;
}

function json(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { 'Content-Type': 'application/json' } });
}
