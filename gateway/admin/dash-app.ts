/** The dashboard: pages for people, over the operations the admin API has. Serves what is not under /v1. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { html } from 'hono/html';
import type { AdminScope } from '../../policy/admin-type.ts';
import { parseHost } from '../../policy/path.ts';
import type { FailureBudget } from '../../store/failure-budget.ts';
import type { LoadedConfig } from '../config/load.ts';
import { openAlertCount } from './dash-alerts.ts';
import { readForm } from './dash-form.ts';
import { framed, type Seat } from './dash-frame.ts';
import { createFormOnce, formKey } from './dash-once.ts';
import type { Making, Shown, Told, Visit } from './dash-page.ts';
import { findPage } from './dash-pages.ts';
import { capital } from './dash-parts.ts';
import {
  cookieOf,
  cookieSecret,
  isFormToken,
  type SignedIn,
  whoIsSignedIn,
  whoIsThere,
} from './dash-session.ts';
import { admit, noteOf, pathAfter, signInPage } from './dash-sign-in.ts';
import { staticAnswer } from './dash-static.ts';
import type { GateWatch } from './dash-watch.ts';
import type { AdminParts } from './http-app.ts';
import { demandScope } from './http-auth.ts';
import { deskOf } from './http-desk.ts';
import { problemFrom } from './http-fault.ts';
import { fieldsNamed, reachedAt, strangerFlaw } from './http-guard.ts';
import { guessesOf } from './http-guesses.ts';
import { type Problem, problemWords, Refused } from './http-problem.ts';
import { tailsFull } from './http-tail.ts';
import { tokenIn } from './operations-token-text.ts';
import { createPasswordCheck } from './passwords.ts';
import type { TailFilter } from './tail-filter.ts';

export type DashParts = AdminParts & {
  /** Tries to sign in, by name. */
  readonly tries: FailureBudget;
  /** Where the gate listens: `http://0.0.0.0:8080`. */
  readonly gate: () => string;
  readonly watch: GateWatch;
};

const safeHeaders = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // Not no-referrer: with that, browsers send `Origin: null` from our own forms.
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
} as const;

type Room = DashParts & {
  readonly passwords: ReturnType<typeof createPasswordCheck>;
  readonly formOnce: ReturnType<typeof createFormOnce>;
};

/** One request, read as far as it can be before anybody is known. */
type Asked = {
  readonly request: Request;
  readonly outgoing: ServerResponse;
  readonly rawHeaders: readonly string[];
  /** The caller's address. */
  readonly peer: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: URLSearchParams;
  readonly secret: string | null;
  /** Whether a proxy in front speaks https with the browser. */
  readonly isSecure: boolean;
};

type Ends = { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };

/** Never rejects. */
export function createDashboard(parts: DashParts): (request: Request, ends: Ends) => Promise<Response> {
  const room: Room = { ...parts, passwords: createPasswordCheck(), formOnce: createFormOnce() };
  return async (request, ends) => {
    const requestId = randomUUID();
    const response = await answer(request, ends, room).catch((error: unknown) =>
      problemPage(problemFrom(error, requestId, room), null),
    );
    if (response === RESPONSE_ALREADY_SENT) return response;
    for (const [name, value] of Object.entries(safeHeaders)) response.headers.set(name, value);
    if (!response.headers.has('Cache-Control')) response.headers.set('Cache-Control', 'no-store');
    return response;
  };
}

/** @throws Refused */
async function answer(request: Request, ends: Ends, room: Room): Promise<Response> {
  const asked = readAsked(request, ends, room);
  const { method, path, query } = asked;
  const asset = method === 'GET' ? staticAnswer(path, request.headers.get('if-none-match')) : null;
  if (asset !== null) return asset;
  if (path === '/sign-in') return method === 'GET' ? signInShown(asked, room) : signIn(asked, room);
  const { tokens, now } = room;
  const { operators } = room.config();
  const { secret } = asked;
  const who = secret === null ? null : await whoIsSignedIn(secret, { tokens, operators, now: now() });
  if (who === null) return signedOut(method, path, withoutTokens(query, room.config().policy));
  const seat = seatOf(who, path, room);
  try {
    const form = method === 'GET' ? new URLSearchParams() : await readForm(request);
    if (method === 'POST' && !isFormToken(form.get('_form'), who.formToken)) {
      throw new Refused({ code: 'form_not_ours' });
    }
    if (path === '/sign-out') return await signOut(asked, who, room);
    return await visited(asked, who, form, room);
  } catch (error) {
    return problemPage(problemFrom(error, randomUUID(), room), seat);
  }
}

function seatOf({ operator, formToken }: SignedIn, path: string, { tokens }: Room): Seat {
  return { operator, formToken, path, openAlerts: () => openAlertCount(tokens.alerts) };
}

/** @throws Refused where it must not be answered, whoever asks. */
function readAsked(request: Request, { incoming, outgoing }: Ends, { port, hosts, callerOf }: Room): Asked {
  const { rawHeaders, url = '', method = '' } = incoming;
  const stranger = strangerFlaw(rawHeaders, port(), hosts);
  if (stranger !== null) throw new Refused({ code: stranger });
  const [path = '', search = ''] = url.split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  // PostgreSQL has no text with a NUL, so nothing is called so.
  const hasNul = [...query.values()].some((value) => value.includes('\0'));
  if (!path.startsWith('/') || hasNul) throw new Refused({ code: 'request_malformed' });
  const plain = method === 'HEAD' ? 'GET' : method;
  if (plain !== 'GET' && plain !== 'POST') {
    throw new Refused({ code: 'method_not_allowed', allow: ['GET', 'POST'] });
  }
  const isSecure = isBehindHttps(rawHeaders, hosts);
  const [origin] = fieldsNamed(rawHeaders, 'origin');
  // Browsers name it on every form that is sent. That it is ours was seen above, but for its scheme.
  if (plain === 'POST' && (origin === undefined || (isSecure && !/^https:/i.test(origin)))) {
    throw new Refused({ code: 'origin_not_allowed' });
  }
  return {
    request,
    outgoing,
    rawHeaders,
    peer: callerOf(incoming),
    method: plain,
    path,
    query,
    secret: cookieSecret(rawHeaders, isSecure),
    isSecure,
  };
}

/** A proxy's word is taken for names of `admin.hosts`: this host's own have none in front. */
function isBehindHttps(rawHeaders: readonly string[], hosts: readonly string[]): boolean {
  const name = parseHost(fieldsNamed(rawHeaders, 'host')[0] ?? '');
  const [proto, second] = fieldsNamed(rawHeaders, 'x-forwarded-proto');
  return name !== null && hosts.includes(name) && second === undefined && proto?.toLowerCase() === 'https';
}

/** For whoever may be signed in but is not: what was asked can wait; what was to be done was not, and is told so. */
function signedOut(method: 'GET' | 'POST', path: string, query: URLSearchParams): Response {
  if (path === '/sign-out') return seeOther('/sign-in?done=out');
  const isSent = method === 'POST';
  const back = new URLSearchParams(isSent ? { done: 'undone' } : {});
  if (path !== '/' && (!isSent || findPage('GET', path).kind === 'found')) {
    back.set('to', isSent || query.size === 0 ? path : `${path}?${query}`);
  }
  return seeOther(back.size === 0 ? '/sign-in' : `/sign-in?${back}`);
}

/** Nobody's text is taken along: not into an address, nor onto a page. */
function withoutTokens(query: URLSearchParams, policy: LoadedConfig['policy']): URLSearchParams {
  return new URLSearchParams([...query].filter(([, value]) => tokenIn(value, policy) === null));
}

function signInShown({ query }: Asked, room: Room): Promise<Response> {
  const view = { to: pathAfter(query.get('to')), note: noteOf(query.get('done')) };
  return doorPage({ ...view, problem: null, name: '' }, room, 200);
}

type DoorView = Omit<Parameters<typeof signInPage>[0], 'hasOperators'>;

async function doorPage(view: DoorView, room: Room, status: number): Promise<Response> {
  const hasOperators = room.config().operators.size > 0;
  const body = signInPage({ ...view, hasOperators });
  return htmlAnswer(await framed({ title: 'Sign in', body, seat: null }), status);
}

async function signIn(asked: Asked, room: Room): Promise<Response> {
  const { request, rawHeaders, peer, isSecure, secret: before } = asked;
  const form = await readForm(request);
  const to = pathAfter(form.get('to'));
  try {
    const presented = { peer, origins: fieldsNamed(rawHeaders, 'origin') };
    const { holder, proof, operator } = await admit(form, presented, room.config().operators, room);
    const { sessions } = room.tokens;
    const old = before === null ? null : await sessions.find(before);
    if (old !== null) await sessions.end(old.id, operator.by);
    const { record, secret } = await sessions.open({ holder, proof, address: peer, by: operator.by });
    const response = seeOther(to);
    // Where a proxy says nothing of https, the browser that speaks it does.
    const needsHttps = /^https:/i.test(presented.origins[0] ?? '');
    const lifeMs = record.expiresAt - record.createdAt;
    response.headers.append('Set-Cookie', cookieOf(secret, isSecure, lifeMs, needsHttps));
    return response;
  } catch (error) {
    const problem = problemFrom(error, randomUUID(), room);
    const { status, retryAfter } = problemWords(problem);
    const name = form.get('with') === 'password' ? (form.get('name') ?? '').slice(0, 64) : '';
    const response = await doorPage({ to, problem, name, note: null }, room, status);
    if (retryAfter !== null) response.headers.set('Retry-After', retryAfter);
    return response;
  }
}

async function signOut({ method, isSecure }: Asked, who: SignedIn, { tokens }: Room): Promise<Response> {
  if (method !== 'POST') throw new Refused({ code: 'method_not_allowed', allow: ['POST'] });
  await tokens.sessions.end(who.session.id, who.operator.by);
  const response = seeOther('/sign-in?done=out');
  response.headers.append('Set-Cookie', cookieOf(null, isSecure, 0));
  return response;
}

/** @throws Refused */
async function visited(asked: Asked, who: SignedIn, form: URLSearchParams, room: Room): Promise<Response> {
  const { method, path } = asked;
  const found = findPage(method, path);
  if (found.kind === 'nothing') throw new Refused({ code: 'route_not_found' });
  if (found.kind === 'wrong_method') throw new Refused({ code: 'method_not_allowed', allow: found.allow });
  demandScope(who.operator, found.page.scope);
  const visit = visitOf(asked, who, form, found.params, room);
  return told(await found.page.handle(visit), seatOf(who, path, room));
}

function visitOf(
  asked: Asked,
  { session, operator, formToken }: SignedIn,
  form: URLSearchParams,
  params: Visit['params'],
  room: Room,
): Visit {
  const { query, rawHeaders, path } = asked;
  const config = room.config();
  const host = fieldsNamed(rawHeaders, 'host')[0] ?? '';
  const once = ({ request, make, again }: Making) => {
    const key = formKey(form.get('key'), operator.by, [path, ...request]);
    return room.formOnce({
      store: room.tokens.once,
      key,
      first: () => make(deskOf(room, config, operator, key)),
      again,
    });
  };
  return {
    desk: deskOf(room, config, operator, 'for_good'),
    config,
    operator,
    session,
    sessions: room.tokens.sessions,
    params,
    query,
    form,
    formToken,
    once,
    gate: reachable(room.gate(), host),
    here: reachedAt(rawHeaders, room.hosts),
    listen: (filter, scope) => listen(asked, filter, scope, room),
    watch: room.watch,
    reload: (isDry) => (asked) => room.reloading.ask({ isDry, ...asked }),
    guesses: guessesOf(room.gatekeeper.failures, operator.by),
  };
}

/** @throws Refused */
function listen(
  { request, outgoing, secret }: Asked,
  filter: TailFilter,
  scope: AdminScope,
  room: Room,
): Response {
  // A HEAD would hold a reader's place and be told nothing.
  if (request.method !== 'GET') throw new Refused({ code: 'method_not_allowed', allow: ['GET'] });
  const stands = async () => {
    const { tokens, now } = room;
    const { operators } = room.config();
    const who = secret === null ? null : await whoIsThere(secret, { tokens, operators, now: now() });
    return who?.operator.scopes.includes(scope) === true;
  };
  for (const [name, value] of Object.entries(safeHeaders)) outgoing.setHeader(name, value);
  if (!room.tailReaders.admit({ stands }, filter, outgoing)) throw new Refused(tailsFull);
  return RESPONSE_ALREADY_SENT;
}

/** Whoever listens everywhere can be reached by the name that this dashboard was called by. */
function reachable(gate: string, host: string): string {
  const name = host.replace(/:[0-9]+$/, '');
  return gate.replace(/^http:\/\/(?:0\.0\.0\.0|\[::\]):/, `http://${name}:`);
}

async function told(said: Told, seat: Seat): Promise<Response> {
  if (said instanceof Response) return said;
  if ('goTo' in said) return seeOther(said.goTo);
  return shownPage(said, seat);
}

async function shownPage({ title, body, status = 200 }: Shown, seat: Seat | null): Promise<Response> {
  return htmlAnswer(await framed({ title, body, seat }), status);
}

/** What somebody wrote is still in the form before: browsers go back to it as it was. */
const sendAgain =
  'Try again in a moment: load the page again, or go back and send the form again. One that makes a token makes one, however often it is sent.';

const sentenceOf = (words: string) => `${capital(words)}${/[.!?]$/.test(words) ? '' : '.'}`;

async function problemPage(problem: Problem, seat: Seat | null): Promise<Response> {
  const { status, title, detail, hint: remedy, retryAfter } = problemWords(problem);
  const hint = problem.code === 'store_unavailable' ? (remedy ?? sendAgain) : remedy;
  const body = html`<div class="${seat === null ? 'door' : 'narrow'}">
<h1>${title}</h1>
<p class="lead">${sentenceOf(detail)}</p>
${hint === null ? '' : html`<p>${sentenceOf(hint)}</p>`}
<p><a href="/">${seat === null ? 'To the sign-in' : 'To the first page'}</a></p>
</div>`;
  const response = await shownPage({ title, body, status }, seat);
  if (problem.allow !== undefined) response.headers.set('Allow', problem.allow.join(', '));
  if (retryAfter !== null) response.headers.set('Retry-After', retryAfter);
  return response;
}

function htmlAnswer(text: string, status: number): Response {
  return new Response(text, { status, headers: { 'Content-Type': 'text/html; charset=utf-8' } });
}

/** RFC 9110 §15.4.4. @param path ours. */
function seeOther(path: string): Response {
  return new Response(null, { status: 303, headers: { Location: path } });
}
