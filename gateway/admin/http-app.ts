/** The HTTP face of the operations: who asks, for what, in which words; what is done is done elsewhere. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import type { Checked } from '../../policy/token-input.ts';
import { StoreFault } from '../../store/fault.ts';
import type { OnceDone } from '../../store/once.ts';
import type { LoadedConfig } from '../config/load.ts';
import { authenticate, demandScope, type Gatekeeper } from './http-auth.ts';
import { type DeskParts, deskOf, type Manner } from './http-desk.ts';
import { fieldsNamed, strangerFlaw } from './http-guard.ts';
import { readAs, readJson, readQuery } from './http-input.ts';
import { createOnceGuard, readOnceKey } from './http-once.ts';
import { openApiDocument } from './http-openapi.ts';
import { type Problem, problemOf, problemResponse, Refused } from './http-problem.ts';
import type { AdminRoute, Call, View } from './http-route.ts';
import { adminRoutes, documentPath, findRoute } from './http-routes.ts';

export type AdminParts = DeskParts & {
  readonly gatekeeper: Gatekeeper;
  /** What is in force now. */
  readonly config: () => LoadedConfig;
  /** Where the listener is. */
  readonly port: () => number;
  readonly hosts: readonly string[];
  /** Told why the store could not answer, for the log. */
  readonly fault: (fault: StoreFault, requestId: string) => void;
  /** Told of what nobody expected, for the log. */
  readonly bug: (error: unknown, requestId: string) => void;
};

type Room = AdminParts & { readonly once: ReturnType<typeof createOnceGuard> };

type Bindings = { readonly incoming: IncomingMessage };

export function adminApp(parts: AdminParts): Hono<{ Bindings: Bindings }> {
  const app = new Hono<{ Bindings: Bindings }>();
  const room = { ...parts, once: createOnceGuard() };
  const document = JSON.stringify(openApiDocument(adminRoutes));
  app.all('*', async (c) => {
    const response = await answer(c.req.raw, c.env.incoming, document, room);
    response.headers.set('Cache-Control', 'no-store');
    response.headers.set('X-Content-Type-Options', 'nosniff');
    return response;
  });
  return app;
}

/** Never throws. */
async function answer(
  request: Request,
  incoming: IncomingMessage,
  document: string,
  parts: Room,
): Promise<Response> {
  const requestId = randomUUID();
  try {
    return await serve(request, incoming, document, parts);
  } catch (error) {
    return problemResponse(problemFrom(error, requestId, parts), requestId, repeats(incoming.rawHeaders));
  }
}

/** `Prefer: given` (RFC 7240): a face whose writer is its reader wants to show what was not understood. */
function repeats(rawHeaders: readonly string[]): boolean {
  return fieldsNamed(rawHeaders, 'prefer').some((field) => /(?:^|,)[ \t]*given[ \t]*(?:$|[,;])/i.test(field));
}

function problemFrom(error: unknown, requestId: string, { fault, bug }: AdminParts): Problem {
  if (error instanceof Refused) return error.problem;
  if (error instanceof StoreFault) {
    const { retryAfterMs } = error;
    fault(error, requestId);
    return { code: 'store_unavailable', ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  }
  bug(error, requestId);
  return { code: 'internal_error' };
}

async function serve(
  request: Request,
  { rawHeaders, url = '', method = '', socket }: IncomingMessage,
  document: string,
  parts: Room,
): Promise<Response> {
  const stranger = strangerFlaw(rawHeaders, parts.port(), parts.hosts);
  if (stranger !== null) throw new Refused({ code: stranger });
  const [path = '', search = ''] = url.split(/\?(.*)/s);
  if (!path.startsWith('/')) throw new Refused({ code: 'request_malformed' });
  if (method === 'GET' && path === documentPath) return json(200, document);
  const operator = await authenticate(rawHeaders, socket.remoteAddress ?? '', parts.gatekeeper);
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
  const callIn = (manner: Manner): Call<unknown, unknown> => {
    const config = parts.config();
    return { desk: deskOf(parts, config, operator, manner), config, operator, params, query, body };
  };
  if (key === null) {
    const view = await done(route.handle(callIn(isDry ? 'dry' : 'for_good')));
    return told(route, isDry ? withoutSecrets(view) : view, path, search);
  }
  const { view, isReplayed } = await parts.once({
    store: parts.tokens.once,
    key,
    first: () => done(route.handle(callIn(key))),
    again: (before) => done(replayOf(route, callIn('for_good'), before)),
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
  throw new Refused({ code: 'payload_invalid', detail: 'dry_run is not what it must be', hint });
}

const secretKeys: readonly string[] = ['token', 'trigger_token'];

/** What a dry run would have made opens nothing; still, nobody is to take it for something that does. */
function withoutSecrets(view: View): View {
  const shown = Object.entries(view).map(([key, value]) => [key, secretKeys.includes(key) ? null : value]);
  return { ...Object.fromEntries(shown), dry_run: true };
}

/** @throws Refused */
async function done(doing: Promise<Checked<View>>): Promise<View> {
  const checked = await doing;
  if (checked.ok) return checked.value;
  throw new Refused(problemOf(checked.complaint));
}

function told(route: AdminRoute, view: View, path: string, search: string): Response {
  const response = json(route.status, JSON.stringify(view));
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
