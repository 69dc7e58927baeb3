/** What the admin API says when it says no: RFC 9457 bodies and RFC 6750 challenges, in one place. */
import { STATUS_CODES } from 'node:http';
import type { Checked, Complaint } from '../../policy/token-input.ts';
import type { Problem as ConfigProblem } from '../config/problems.ts';

const codes = {
  request_malformed: [400, 'The request is malformed.'],
  body_malformed: [400, 'The body is not one JSON object in UTF-8.'],
  payload_invalid: [400, 'The request says something that cannot be done here.'],
  type_unsaid: [400, 'It is not said which token type is meant.'],
  credential_ambiguous: [400, 'The credential was sent in more than one way.'],
  credential_missing: [401, 'An admin token is required.'],
  invalid_token: [401, 'The token is not valid.'],
  host_not_allowed: [403, 'This listener does not answer to that Host.'],
  origin_not_allowed: [403, 'This cannot be used from this origin.'],
  scope_missing: [403, 'The token lacks a scope.'],
  route_not_found: [404, 'There is nothing here.'],
  record_not_found: [404, 'There is no such record.'],
  method_not_allowed: [405, 'This path does not have that method.'],
  state_conflict: [409, 'What is there does not allow it.'],
  activations_full: [409, 'As many as may be active are active already.'],
  idempotency_key_in_use: [409, 'A request with this Idempotency-Key is under way.'],
  precondition_failed: [412, 'It is not what it was.'],
  body_too_large: [413, 'The body is larger than 64 KiB.'],
  body_encoding: [415, 'The body must be application/json, without a content coding.'],
  config_refused: [422, 'The config was refused, and the one before stays in force.'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used for another request.'],
  too_many_failures: [429, 'Too many bad tokens from this address.'],
  internal_error: [500, 'Something went wrong here.'],
  store_unavailable: [503, 'The store cannot be reached right now.'],
  tails_full: [503, 'As many read the tail as may.'],
} as const satisfies Readonly<Record<string, readonly [status: number, detail: string]>>;

/** Those that only pages for people say. */
const pageCodes = {
  form_not_ours: [403, 'This form is not of your session. Go back, reload the page, and send it again.'],
  sign_in_busy: [503, 'Too many sign in at once.'],
} as const satisfies Readonly<Record<string, readonly [status: number, detail: string]>>;

export type ProblemCode = keyof typeof codes | keyof typeof pageCodes;

const allCodes: Readonly<Record<ProblemCode, readonly [status: number, detail: string]>> = {
  ...codes,
  ...pageCodes,
};

/** Of the API. */
export const problemCodes = Object.keys(codes) as readonly ProblemCode[];

/** A no, before it is HTTP. */
export type Problem = {
  readonly code: ProblemCode;
  /** In place of the code's own words. */
  readonly detail?: string;
  /** What was written. It may be a secret: only whoever asks to see it again is told. */
  readonly given?: string;
  /** What to do instead. */
  readonly hint?: string;
  /** The field it is about: a key of the body, `scopes.2`, or a parameter or a header field by its name. */
  readonly path?: string;
  /** The methods the path has, for Allow. */
  readonly allow?: readonly string[];
  /** The scope that is lacking, for the challenge. */
  readonly scope?: string;
  readonly retryAfterMs?: number;
  /** Everything that is wrong with a config. */
  readonly problems?: readonly ConfigProblem[];
};

/** Ends a request with a problem, from wherever it is noticed. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.name = 'Refused';
    this.problem = problem;
  }
}

export function problemOf({ message, given, hint, path, kind }: Complaint): Problem {
  const code = kind === undefined ? 'payload_invalid' : kinds[kind];
  return {
    ...{ code, detail: message, hint },
    ...(given === null ? {} : { given }),
    ...(path === undefined ? {} : { path }),
  };
}

/** @throws Refused with the complaint. */
export function agreed<T>(checked: Checked<T>): T {
  if (checked.ok) return checked.value;
  throw new Refused(problemOf(checked.complaint));
}

/** What kind of complaint a code stands for; undefined: one about how something was written, or none at all. */
export function kindOfCode(code: string): Complaint['kind'] {
  return (Object.keys(kinds) as (keyof typeof kinds)[]).find((kind) => kinds[kind] === code);
}

const kinds = {
  unknown: 'record_not_found',
  conflict: 'state_conflict',
  stale: 'precondition_failed',
  full: 'activations_full',
  forbidden: 'scope_missing',
  unsaid: 'type_unsaid',
} as const satisfies Readonly<Record<NonNullable<Complaint['kind']>, ProblemCode>>;

export function statusOfProblem(code: ProblemCode): number {
  return allCodes[code][0];
}

/** @param repeats whether to say again what was written. */
export function problemResponse(problem: Problem, requestId: string, repeats = false): Response {
  const { code, given, hint, path, allow, problems } = problem;
  const [status, words] = allCodes[code];
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail: problem.detail ?? words,
    instance: `urn:uuid:${requestId}`,
    code,
    ...(path === undefined ? {} : { path }),
    ...(given === undefined || !repeats ? {} : { given }),
    ...(hint === undefined ? {} : { hint }),
    ...(problems === undefined ? {} : { problems }),
  };
  const headers = new Headers({ 'Content-Type': 'application/problem+json' });
  const challenge = challengeOf(problem);
  if (challenge !== null) headers.set('WWW-Authenticate', challenge);
  if (allow !== undefined) headers.set('Allow', allow.join(', '));
  const wait = retryAfterOf(problem);
  if (wait !== null) headers.set('Retry-After', wait);
  return new Response(`${JSON.stringify(body)}\n`, { status, headers });
}

/** Whole seconds; null: there is nothing to wait for. */
function retryAfterOf({ code, retryAfterMs }: Problem): string | null {
  const waitMs = retryAfterMs ?? (statusOfProblem(code) === 503 ? 1000 : null);
  return waitMs === null ? null : String(Math.max(1, Math.ceil(waitMs / 1000)));
}

/** The same for people. */
export function problemWords(problem: Problem) {
  const [status, words] = allCodes[problem.code];
  return {
    status,
    title: STATUS_CODES[status] ?? 'Error',
    detail: problem.detail ?? words,
    hint: problem.hint ?? null,
    retryAfter: retryAfterOf(problem),
  };
}

/** RFC 6750 §3: a bare challenge tells nothing to a caller who presented nothing. */
function challengeOf({ code, scope }: Problem): string | null {
  const realm = 'Bearer realm="postern-admin"';
  if (code === 'credential_missing') return realm;
  if (code === 'credential_ambiguous') return `${realm}, error="invalid_request"`;
  if (code === 'invalid_token') return `${realm}, error="invalid_token"`;
  if (code !== 'scope_missing') return null;
  return `${realm}, error="insufficient_scope"${scope === undefined ? '' : `, scope="${scope}"`}`;
}
