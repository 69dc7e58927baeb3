/** From a row's `observe` to what its upstream's success changes; refuses what could only change the wrong pin or token. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { compileEnd, compileLearned } from './compile-observe-tokens.ts';
import { checkNoSecret, type ObserveRow } from './compile-observe-values.ts';
import type { ObserveConfig } from './config-observe.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowKey } from './config-rows.ts';
import type { RowConfig } from './config-schema.ts';
import { compileQuery } from './json-pointer.ts';
import { paramsOf, valuesOf } from './observe.ts';
import type { Observe, ObserveRule } from './observe-types.ts';
import { pinOwner } from './pin-value.ts';
import { formatObserve } from './rule-text.ts';
import type { TokenType } from './token-types.ts';
import type { IdentityRule } from './types.ts';

type RowShape = Pick<RowKey, 'method' | 'segments'>;

/** What entries refer to, compiled before. */
type Known = { readonly types: ReadonlyMap<string, TokenType>; readonly identity: IdentityRule };

/** null: nothing is observed, or a mistake was reported. */
export function compileObserve(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  { method, segments }: RowShape,
  { types, identity }: Known,
): ObserveRule | null {
  if (row.observe === undefined) return null;
  const where = [...path, 'observe'];
  if (method === 'GET' || method === 'OPTIONS') {
    const hint = 'observe the row that changes it: POST, PUT, PATCH or DELETE';
    errorInKey(at, where, `${method} changes nothing that could be observed`, hint);
  }
  const params = segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : []));
  const written: readonly ObserveConfig[] = Array.isArray(row.observe) ? row.observe : [row.observe];
  const secrets = new Set(
    written.flatMap(({ token }) => (token?.from.kind === 'json' ? [token.from.pointer] : [])),
  );
  const observing: ObserveRow = { at, row, params, types, identity, secrets };
  const seen = new Set<string>();
  const entries = written.flatMap((entry, index) => {
    const place = Array.isArray(row.observe) ? [...where, index] : where;
    const observed = compileOne(observing, place, entry);
    if (observed === null) return [];
    const target = targetOf(observed);
    if (seen.has(target)) errorInValue(at, place, `${target} is observed twice`, 'remove one');
    seen.add(target);
    return [observed];
  });
  checkPathParameters(at, path, row, entries);
  return ruleOf(entries);
}

function compileOne(observing: ObserveRow, place: ConfigPath, entry: ObserveConfig): Observe | null {
  const { at } = observing;
  const kinds = (['pin', 'token', 'end'] as const).filter((kind) => entry[kind] !== undefined);
  const [kind, second] = kinds;
  if (kind === undefined) {
    const hint = 'write pin: NAME, token: { type: TYPE, from: json:/token } or end: caller';
    errorInValue(at, place, 'observe does not say what changes', hint);
    return null;
  }
  if (second !== undefined) {
    const hint = 'write a list: [{ on: 2xx, … }, { on: 2xx, … }]';
    errorInKey(at, [...place, second], `${kind} and ${second} are two entries`, hint);
    return null;
  }
  for (const key of ['of', 'from'] as const) {
    if (kind === 'pin' || entry[key] === undefined) continue;
    errorInKey(
      at,
      [...place, key],
      `${key} says where a pin's value stands, and this is no pin`,
      `remove ${key}`,
    );
  }
  if (entry.token !== undefined) return compileLearned(observing, [...place, 'token'], entry.token);
  if (entry.end !== undefined) return compileEnd(observing, [...place, 'end'], entry.end);
  return compilePin(observing, place, entry);
}

function compilePin(
  observing: ObserveRow,
  where: ConfigPath,
  { pin: name = '', of, from: pointer }: ObserveConfig,
): Observe | null {
  const { at, row, params } = observing;
  if (row.allow === 'public') {
    const hint = 'allow token types instead of public, or remove observe';
    errorInKey(at, where, 'on a public row anybody could change a pin', hint);
  }
  if (pointer === undefined) {
    const hint = 'write from: json:/NAME, where the answer says it';
    errorInValue(at, where, 'observe does not say where the value of the pin stands', hint);
  }
  if (pointer !== undefined) checkNoSecret(observing, [...where, 'from'], pointer);
  const [only, second] = params;
  const param = of ?? (second === undefined ? only : undefined);
  if (param === undefined) {
    const hint = 'write of: "{PARAMETER}", the path parameter that says whose pin it is';
    errorInValue(at, where, 'observe does not say whose pin changes', hint);
    return null;
  }
  if (!params.includes(param)) {
    const hint = suggest(param, params, `write {${param}} as a segment of the path`);
    errorInValue(at, [...where, 'of'], `the path has no parameter {${param}}`, hint);
  }
  if (!resolves(at, 'pins', name, [...where, 'pin']) || pointer === undefined) return null;
  const pin = at.config.pins[name];
  if (pin?.kind === 'bundle_id')
    return { kind: 'pin', pin: name, owner: pinOwner({ belongsTo: pin.belongs_to }), param, pointer };
  const hint = 'name a pin of kind bundle_id';
  errorInValue(at, [...where, 'pin'], `pin "${name}" remembers nothing an answer could change`, hint);
  return null;
}

/** What no two entries of a row may both change: nobody could say which of them is right. */
function targetOf(entry: Observe): string {
  if (entry.kind === 'pin') return `pin ${entry.pin} of {${entry.param}}`;
  return entry.kind === 'token' ? `a token of type ${entry.type}` : formatObserve(entry);
}

function checkPathParameters(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  entries: readonly Observe[],
): void {
  const entry = entries.find((one) => paramsOf(one).length > 0);
  if (row.path_parameters !== 'allow' || entry === undefined) return;
  const what = entry.kind === 'pin' ? 'a pin that is' : 'tokens that are';
  const message = `an upstream that reads {id} of /{id};x without ;x would change ${what} not observed`;
  errorInKey(at, [...path, 'path_parameters'], message, 'remove it, or observe on a row without it');
}

/** null: there is nothing in it. */
function ruleOf(entries: readonly Observe[]): ObserveRule | null {
  if (entries.length === 0) return null;
  const sources = entries.flatMap((entry) => valuesOf(entry).map(({ from }) => from));
  const secrets = entries.flatMap((entry) => (entry.kind === 'token' ? [entry.from] : []));
  const pointers = new Set([
    ...entries.flatMap((entry) => (entry.kind === 'pin' ? [entry.pointer] : [])),
    ...[...sources, ...secrets].flatMap((one) => (one.kind === 'json' ? [one.pointer] : [])),
  ]);
  return {
    entries,
    query: pointers.size === 0 ? null : compileQuery([...pointers]),
    fields: [...new Set(sources.flatMap((one) => (one.kind === 'header' ? [one.name] : [])))],
    cookies: [...new Set(secrets.flatMap((one) => (one.kind === 'set-cookie' ? [one.name] : [])))],
  };
}
