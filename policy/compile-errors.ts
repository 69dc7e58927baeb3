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
    styles.set(name, compileStyle(at, name, style, basisOf(at, name)));
  }
  return styles;
}

/** What a style starts from: all that its `like`, and theirs, say; null: nothing. A mistake was reported. */
function basisOf(at: Compilation, name: string): StyleConfig | null {
  const chain: StyleConfig[] = [];
  const seen = new Set([name]);
  for (let next = at.config.errors[name]?.like; next !== undefined; ) {
    const isFirst = chain.length === 0;
    if (seen.has(next)) {
      const message = `error style "${name}" is like itself`;
      if (isFirst || next === name) {
        errorInValue(at, ['errors', name, 'like'], message, 'remove like from one of them');
      }
      return null;
    }
    if (isFirst && !resolves(at, 'errors', next, ['errors', name, 'like'])) return null;
    const style: StyleConfig | undefined = Object.hasOwn(at.config.errors, next)
      ? at.config.errors[next]
      : undefined;
    if (style === undefined) return null;
    seen.add(next);
    chain.unshift(style);
    next = style.like;
  }
  return chain.length === 0 ? null : chain.reduce(over);
}

/** Both, and where they differ the second. */
function over(basis: StyleConfig, style: StyleConfig): StyleConfig {
  const wordings = Object.entries(style.for).map(([code, wording]) => {
    const before = Object.hasOwn(basis.for, code) ? basis.for[code] : undefined;
    return [code, { ...before, ...wording }] as const;
  });
  return {
    ...basis,
    ...style,
    status: { ...basis.status, ...style.status },
    codes: { ...basis.codes, ...style.codes },
    for: { ...basis.for, ...Object.fromEntries(wordings) },
  };
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

function compileStyle(
  at: Compilation,
  name: string,
  written: StyleConfig,
  basis: StyleConfig | null,
): ErrorStyle {
  const path = ['errors', name];
  const errorsBefore = at.problems.errors.length;
  for (const key of ['status', 'codes', 'for'] as const) {
    for (const code of Object.keys(written[key])) checkCode(at, [...path, key, code], code);
  }
  const style = basis === null ? written : over(basis, written);
  const own = new Map<string, Template>();
  for (const [code, { body }] of Object.entries(style.for)) {
    if (body === undefined) continue;
    // What the basis says was read, and its mistakes told, where it stands.
    const isOwn = Object.hasOwn(written.for, code) && written.for[code]?.body !== undefined;
    own.set(code, readBody(body, [...path, 'for', code, 'body'], isOwn ? at.problems.errors : []));
  }
  const general =
    style.body === undefined
      ? null
      : readBody(style.body, [...path, 'body'], written.body === undefined ? [] : at.problems.errors);
  if (written.content_type !== undefined && general === null && own.size === 0) {
    const hint = 'remove it, or write a body';
    errorInKey(at, [...path, 'content_type'], 'content_type without a body', hint);
  }
  const wordings = new Map<string, Wording>();
  for (const [code, { outside }] of at.around.refusals) {
    const given = statusIn(style, code, outside);
    if (given !== null && isWritten(written, given.place)) checkStatus(at, path, code, given);
    wordings.set(code, {
      status: given?.status ?? null,
      code: entryOf(style.codes, code, outside) ?? null,
      body: own.get(code) ?? own.get(outside) ?? general,
    });
  }
  if (at.problems.errors.length === errorsBefore) checkAlike(at, path, { style, written }, wordings);
  const contentType = style.content_type ?? 'application/json';
  return { name, contentType, challenge: style.challenge !== 'off', wordings };
}

/** Whether a style says something itself, and not what it is like. */
function isWritten(written: StyleConfig, place: ConfigPath): boolean {
  let at: unknown = written;
  for (const key of place) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return false;
    at = Reflect.get(at, key);
  }
  return true;
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
  { style, written }: { readonly style: StyleConfig; readonly written: StyleConfig },
  wordings: ReadonlyMap<string, Wording>,
): void {
  const [first = '', ...others] = deadTokens;
  for (const code of others) {
    if (same(wordings.get(code), wordings.get(first))) continue;
    const message = `${code} would look different from ${first}, and tell whoever holds a dead token that it once lived`;
    const named = deadTokens.find((one) => keyNaming(written, one) !== null) ?? code;
    errorInKey(at, placeOf(path, written, named), message, 'write invalid_token, which is all five of them');
    return;
  }
  if (wordings.get('type_not_allowed')?.status !== 401) return;
  const { status = null } = wordings.get(first) ?? {};
  if (status !== null && status !== 401) {
    const message = `type_not_allowed is 401 and invalid_token ${status}, but they must look the same`;
    errorInKey(at, placeOf(path, written, 'type_not_allowed'), message, 'write 401 for both, or for neither');
    return;
  }
  for (const key of ['codes', 'for'] as const) {
    const said = Object.hasOwn(style[key], 'type_not_allowed') ? style[key].type_not_allowed : undefined;
    const part = key === 'codes' ? 'code' : 'body';
    const like = wordings.get(first)?.[part];
    if (said === undefined || (typeof said === 'object' && said.body === undefined)) continue;
    if (same(wordings.get('type_not_allowed')?.[part], like)) continue;
    const message = 'type_not_allowed is 401 here, so it must look like invalid_token';
    const hint = 'remove this; what invalid_token says stands for both';
    const place = [key, 'type_not_allowed'];
    errorInKey(at, isWritten(written, place) ? [...path, ...place] : path, message, hint);
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
