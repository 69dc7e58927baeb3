/** From `errors` to ErrorStyles: every code known, no style that tells callers what they must not learn. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { PolicyConfig } from './config-schema.ts';
import type { ErrorStyle, Template, Wording } from './error-style.ts';
import { readBody } from './error-template.ts';

type StyleConfig = PolicyConfig['errors'][string];

/** They look the same outside; nobody may learn from a style which of them a token was. */
const deadTokens = [
  'token_unknown',
  'token_expired',
  'token_revoked',
  'token_disabled',
  'credential_malformed',
];

/** Statuses that mean a field which only one refusal, or none, has (RFC 9110 §15.5.6, §15.5.8, §15.5.22). */
const statusesWithFields: ReadonlyMap<number, string> = new Map([
  [405, 'Allow'],
  [407, 'Proxy-Authenticate'],
  [426, 'Upgrade'],
]);

export function compileErrors(at: Compilation): ReadonlyMap<string, ErrorStyle> {
  const styles = new Map<string, ErrorStyle>();
  for (const [name, style] of Object.entries(at.config.errors)) {
    if (name === 'off') {
      const hint = 'rename it; off means the default';
      errorInKey(at, ['errors', name], 'an error style cannot be called off', hint);
    }
    styles.set(name, compileStyle(at, name, style));
  }
  return styles;
}

/** The style that an api or a row names; null: the default. */
export function namedStyle(
  at: Compilation,
  path: ConfigPath,
  name: string | undefined,
  styles: ReadonlyMap<string, ErrorStyle>,
): ErrorStyle | null {
  if (name === undefined || name === 'off') return null;
  return resolves(at, 'errors', name, [...path, 'errors']) ? (styles.get(name) ?? null) : null;
}

function compileStyle(at: Compilation, name: string, style: StyleConfig): ErrorStyle {
  const path = ['errors', name];
  const errorsBefore = at.problems.errors.length;
  for (const key of ['status', 'codes', 'for'] as const) {
    for (const code of Object.keys(style[key])) checkCode(at, [...path, key, code], code);
  }
  const own = new Map<string, Template>();
  for (const [code, { body }] of Object.entries(style.for)) {
    if (body !== undefined) own.set(code, readBody(body, [...path, 'for', code, 'body'], at.problems.errors));
  }
  const general =
    style.body === undefined ? null : readBody(style.body, [...path, 'body'], at.problems.errors);
  if (style.content_type !== undefined && general === null && own.size === 0) {
    const hint = 'remove it, or write a body';
    errorInKey(at, [...path, 'content_type'], 'content_type without a body', hint);
  }
  const wordings = new Map<string, Wording>();
  for (const [code, { outside }] of at.around.refusals) {
    const given = statusIn(style, code, outside);
    if (given !== null) checkStatus(at, path, code, given);
    wordings.set(code, {
      status: given?.status ?? null,
      code: entryOf(style.codes, code, outside) ?? null,
      body: own.get(code) ?? own.get(outside) ?? general,
    });
  }
  if (at.problems.errors.length === errorsBefore) checkAlike(at, path, style, wordings);
  const contentType = style.content_type ?? 'application/json';
  return { name, contentType, challenge: style.challenge !== 'off', wordings };
}

/** An entry of the exact code goes before one of the code that callers see. */
function entryOf<T>(entries: Readonly<Record<string, T>>, code: string, outside: string): T | undefined {
  const key = [code, outside].find((name) => Object.hasOwn(entries, name));
  return key === undefined ? undefined : entries[key];
}

/** A status as it was written: under which code, and where in the style. */
type GivenStatus = { readonly status: number; readonly name: string; readonly place: ConfigPath };

/** `for` goes before `status`. */
function statusIn(style: StyleConfig, code: string, outside: string): GivenStatus | null {
  for (const name of [code, outside]) {
    const status = Object.hasOwn(style.for, name) ? style.for[name]?.status : undefined;
    if (status !== undefined) return { status, name, place: ['for', name, 'status'] };
  }
  for (const name of [code, outside]) {
    const status = Object.hasOwn(style.status, name) ? style.status[name] : undefined;
    if (status !== undefined) return { status, name, place: ['status', name] };
  }
  return null;
}

function checkCode(at: Compilation, path: ConfigPath, code: string): void {
  const { refusals } = at.around;
  const meant = [...refusals].filter(([exact, { outside }]) => exact === code || outside === code);
  if (meant.length === 0) {
    const known = new Set([...refusals].flatMap(([exact, { outside }]) => [exact, outside]));
    errorInKey(at, path, `"${code}" is not a refusal code`, suggest(code, known, ''));
  }
}

function checkStatus(
  at: Compilation,
  style: ConfigPath,
  code: string,
  { status, name, place }: GivenStatus,
): void {
  const path = [...style, ...place];
  const kind = at.around.refusals.get(code);
  if (kind === undefined || kind.status === status) return;
  const field = statusesWithFields.get(status);
  if (kind.status >= 500 && status < 500) {
    const message = `${name} says that Postern cannot tell, and ${status} would say that it can`;
    errorInValue(at, path, message, 'write 500 to 599');
  } else if (field !== undefined) {
    const message = `${status} is an answer with ${field}, which ${name} does not have`;
    errorInValue(at, path, message, 'choose another status');
  } else if (code === 'bind_mismatch' && status === 404) {
    const message = 'a bind_mismatch worded as 404 would not look like a path that does not exist';
    errorInValue(at, path, message, 'write else: 404 on the bind; its answer is that of route_not_found');
  }
}

/** The dead tokens look the same, and a type that is refused with 401 looks like them. */
function checkAlike(
  at: Compilation,
  path: ConfigPath,
  style: StyleConfig,
  wordings: ReadonlyMap<string, Wording>,
): void {
  const [first = '', ...others] = deadTokens;
  for (const code of others) {
    if (same(wordings.get(code), wordings.get(first))) continue;
    const message = `${code} would look different from ${first}, and tell whoever holds a dead token that it once lived`;
    const named = deadTokens.find((one) => keyNaming(style, one) !== null) ?? code;
    errorInKey(at, placeOf(path, style, named), message, 'write invalid_token, which is all five of them');
    return;
  }
  if (wordings.get('type_not_allowed')?.status !== 401) return;
  const { status = null } = wordings.get(first) ?? {};
  if (status !== null && status !== 401) {
    const message = `type_not_allowed is 401 and invalid_token ${status}, but they must look the same`;
    errorInKey(at, placeOf(path, style, 'type_not_allowed'), message, 'write 401 for both, or for neither');
    return;
  }
  for (const key of ['codes', 'for'] as const) {
    const written = Object.hasOwn(style[key], 'type_not_allowed') ? style[key].type_not_allowed : undefined;
    const part = key === 'codes' ? 'code' : 'body';
    const like = wordings.get(first)?.[part];
    if (written === undefined || (typeof written === 'object' && written.body === undefined)) continue;
    if (same(wordings.get('type_not_allowed')?.[part], like)) continue;
    const message = 'type_not_allowed is 401 here, so it must look like invalid_token';
    const hint = 'remove this; what invalid_token says stands for both';
    errorInKey(at, [...path, key, 'type_not_allowed'], message, hint);
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function keyNaming(style: StyleConfig, code: string): 'status' | 'codes' | 'for' | null {
  return (['status', 'codes', 'for'] as const).find((key) => Object.hasOwn(style[key], code)) ?? null;
}

function placeOf(path: ConfigPath, style: StyleConfig, code: string): ConfigPath {
  const key = keyNaming(style, code);
  return key === null ? path : [...path, key, code];
}
