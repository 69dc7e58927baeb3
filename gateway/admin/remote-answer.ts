/** What the admin API answered, in the words of a terminal: a view, a complaint, or one line that says what to do. */
import * as v from 'valibot';
import { type Checked, complain, ofField } from '../../policy/token-input.ts';
import type { Problem } from '../config/problems.ts';
import { howToLogIn } from './cli-place.ts';
import { CommandFailed, ConfigFailed, exitCodes, visible } from './cli-shell.ts';
import { kindOfCode, type ProblemCode } from './http-problem.ts';
import type { AdminRoute, View } from './http-route.ts';
import type { Api, ApiAnswer, NoAnswer } from './remote.ts';

const problemSchema = v.object({
  code: v.string(),
  detail: v.string(),
  path: v.optional(v.string()),
  given: v.optional(v.string()),
  hint: v.optional(v.string()),
  problems: v.optional(
    v.array(
      v.object({
        ...{ file: v.string(), path: v.string(), line: v.number(), column: v.number() },
        ...{ message: v.string(), hint: v.string() },
      }),
    ),
  ),
});

/** @returns null: it is a yes. @throws ConfigFailed where the gateway's config was refused; CommandFailed where it is not about what was asked, but about who asked, or where. */
export function refusedIn(answer: ApiAnswer, api: Api): Checked<never> | null {
  const problem = problemIn(answer);
  if (problem === null) return null;
  const { code, detail, path, given = null, hint, problems } = problem;
  if (problems !== undefined) throw new ConfigFailed(problems.map(shown));
  const kind = kindOfCode(code);
  if (hint !== undefined) {
    const complaint = complain(detail, given, hint, kind);
    return path === undefined ? complaint : ofField(path, complaint);
  }
  const message = `${detail.charAt(0).toLowerCase()}${detail.slice(1).replace(/\.$/, '')}`;
  throw refused(`${message}; ${remedyOf(code, answer, api)}`);
}

function problemIn({ status, headers, text }: ApiAnswer): v.InferOutput<typeof problemSchema> | null {
  if (status < 400 || typeOf(headers) !== 'application/problem+json') return null;
  const problem = v.safeParse(problemSchema, jsonOf(text));
  return problem.success ? problem.output : null;
}

/** Without parameters, which a proxy may have added. */
function typeOf(headers: ApiAnswer['headers']): string {
  return (headers['content-type'] ?? '').replace(/[ \t]*;.*$/, '').toLowerCase();
}

function remedyOf(code: string, { headers }: ApiAnswer, api: Api): string {
  const wait = `try again in ${headers['retry-after'] ?? 1} s`;
  const another =
    api.from === 'login' ? `${howToLogIn(api.origin)} with another` : 'put another into POSTERN_ADMIN_TOKEN';
  const remedies: Partial<Record<ProblemCode, string>> = {
    credential_missing: another,
    invalid_token: `it may have ended: ${another}`,
    scope_missing: `ask by one that has it: ${another}`,
    host_not_allowed: `write the name in --url into admin.hosts of the config, or use 127.0.0.1 there`,
    origin_not_allowed: `this token is tied to web pages: ${another}`,
    body_too_large: 'send less, or work beside the store: --config FILE',
    too_many_failures: wait,
    idempotency_key_in_use: wait,
    store_unavailable: wait,
    internal_error: "the gateway's log says more",
    route_not_found:
      'give the address that admin.address of the config names, and see that the gateway is of the same version',
  };
  const remedy = (remedies as Readonly<Record<string, string | undefined>>)[code];
  return remedy ?? 'see that the gateway is of the same version as this command line';
}

/** @throws CommandFailed where it is no answer of an admin API, or not of one that this command line knows. */
export function viewIn(
  { status, headers, text }: ApiAnswer,
  { status: usual, answer }: AdminRoute,
  api: Api,
): View {
  const json = status === usual && typeOf(headers) === 'application/json' ? jsonOf(text) : undefined;
  if (json === undefined) throw foreign(status, api);
  const { issues } = v.safeParse(answer, json);
  if (typeof json === 'object' && json !== null && (issues ?? []).every(isMore)) return json as View;
  throw refused(
    `${api.origin} answered what this command line cannot read; see that it is the address of admin.address in the config, and use the version that the gateway is of`,
  );
}

/** Whoever answers there, it is no admin API. */
export function foreign(status: number, { origin }: Api): CommandFailed {
  if (status >= 300 && status < 400) {
    return refused(
      `${origin} leads elsewhere (${status}), and a token is not sent after it; give the address itself: --url`,
    );
  }
  const what = `${origin} answered ${status}, as no admin API does`;
  return refused(`${what}; give the address that admin.address of the config names`);
}

/** A newer gateway may say more than is known here. */
function isMore({ expected, issues }: v.BaseIssue<unknown>): boolean {
  return expected === 'never' || (issues ?? []).some(isMore);
}

/** Nobody can tell by it whether what was asked was done, now or, where it had been asked before, then. */
export function isLost({ status }: ApiAnswer, isAgain: boolean): boolean {
  return status >= 500 || (isAgain && (status === 401 || status === 429));
}

/** The same request came before this one, and is not done yet. */
export function isUnderWay(answer: ApiAnswer): boolean {
  return problemIn(answer)?.code === 'idempotency_key_in_use';
}

/** @param isAgain whether it had been sent before, and the answer lost. */
export function unanswered(
  { code, isSent }: NoAnswer,
  { origin }: Api,
  { method, once }: Pick<AdminRoute, 'method' | 'once'>,
  isAgain: boolean,
): CommandFailed {
  if (once !== null && isAgain) {
    return refused(
      `${origin} gave no answer twice (${code}): a token may have been made whose text nobody has; look with token list, and revoke it`,
    );
  }
  if (isSent && method !== 'GET') {
    return refused(
      `the answer of ${origin} was lost (${code}): it may have been done; look before you try again`,
    );
  }
  const hint = /CERT|SSL|TLS|SIGNATURE|ALTNAME/.test(code)
    ? 'let its certificate be trusted: NODE_EXTRA_CA_CERTS=FILE'
    : 'see that the gateway runs, and that admin.address of its config is there';
  return refused(`${origin} does not answer (${code}); ${hint}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refused(message: string): CommandFailed {
  return new CommandFailed(exitCodes.refused, message);
}

/** Another's words, as a terminal may have them. */
function shown({ file, path, message, hint, ...where }: Problem): Problem {
  return {
    ...where,
    file: visible(file),
    path: visible(path),
    message: visible(message),
    hint: visible(hint),
  };
}
