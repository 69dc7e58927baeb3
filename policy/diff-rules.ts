/** What two rows ask beyond their cells: limits, pins, binds and the rest, each by whether more or less passes. */

import { comparePins } from './diff-pins.ts';
import { compareValues, isSame, textOf } from './diff-values.ts';
import type { Change, Verdict } from './diff-verdicts.ts';
import { monitorStep, monitorText, stepBetween, verdictOfSteps } from './diff-verdicts.ts';
import { formatUntil } from './monitor.ts';
import { formatLimit, formatObserve } from './rule-text.ts';
import type { Bind, Limit, Route } from './types.ts';

/** Judged here, or in how a row is reached and who may use it. */
const judged = new Set([
  'id',
  'method',
  'pattern',
  'hosts',
  'paths',
  'access',
  'limits',
  'originPin',
  'originList',
  'addressPin',
  'bundlePins',
  'scopesMonitorUntil',
  'bind',
  'bodyBytesMax',
  'body',
  'websocket',
  'observe',
  'strictScheme',
]);

export function compareRules(was: Route, is: Route): readonly Change[] {
  const row = is.id;
  const bodyReaders = [
    ...compareNamed(row, 'limit', byName(was.limits), byName(is.limits), limitVerdict, limitText),
    ...comparePins(was, is),
  ];
  return [
    ...rowChange(was, is),
    ...websocketChange(was, is),
    ...schemeChange(was, is),
    ...scopesChange(was, is),
    ...bodyReaders,
    ...compareNamed(row, 'bind', binds(was), binds(is), () => 'changed', bindText),
    ...bodySizeChange(was, is),
    ...bodyCutChange(was, is),
    ...bodyReadingChange(was, is, bodyReaders.length > 0 || was.bodyBytesMax !== is.bodyBytesMax),
    ...observeChange(was, is),
    ...compareValues(row, '', was, is, judged),
  ];
}

/** The path had another row: its name is part of buckets, and upstreams may be told it. */
function rowChange({ id: from, pattern: was }: Route, { id: to, pattern: is }: Route): readonly Change[] {
  if (from === to && was === is) return [];
  const named = from === to ? [was, is] : [from, to];
  return [{ verdict: 'changed', row: to, what: 'row', from: named[0] ?? '', to: named[1] ?? '' }];
}

function websocketChange({ websocket: was }: Route, { websocket: is, id: row }: Route): readonly Change[] {
  if (was === is) return [];
  const text = (granted: boolean) => (granted ? 'granted' : 'refused');
  return [{ verdict: is ? 'opened' : 'closed', row, what: 'websocket', from: text(was), to: text(is) }];
}

/** In words where they differ, else as it is: what is not told is not missed. */
function observeChange({ observe: was }: Route, { observe: is, id: row }: Route): readonly Change[] {
  if (isSame(was, is)) return [];
  const text = (rule: Route['observe']) => rule?.entries.map(formatObserve).join('; ') ?? 'none';
  const [from, to] = text(was) === text(is) ? [textOf(was), textOf(is)] : [text(was), text(is)];
  return [{ verdict: 'changed', row, what: 'observe', from, to }];
}

function schemeChange({ strictScheme: was }: Route, { strictScheme: is, id: row }: Route): readonly Change[] {
  if ((was === true) === (is === true)) return [];
  const text = (strict?: boolean) => (strict === true ? 'Bearer to the letter' : 'in any case');
  const verdict = is === true ? 'tightened' : 'loosened';
  return [{ verdict, row, what: 'scheme', from: text(was), to: text(is) }];
}

function scopesChange(before: Route, { scopesMonitorUntil: is, id: row }: Route): readonly Change[] {
  const was = before.scopesMonitorUntil;
  if (was === is) return [];
  const text = (until?: number) =>
    until === undefined ? 'enforced' : `monitored until ${formatUntil(until)}`;
  const verdict = verdictOfSteps([monitorStep(was, is)]);
  return [{ verdict, row, what: 'scopes', from: text(was), to: text(is) }];
}

/** What is new asks more, what is gone asked for something; what both have is for `verdictOf`. */
function compareNamed<T>(
  row: string,
  kind: string,
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  verdictOf: (was: T, is: T) => Verdict | null,
  text: (item: T) => string,
): readonly Change[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name): Change[] => {
    const [was, is] = [before.get(name), after.get(name)];
    const from = was === undefined ? 'none' : text(was);
    const to = is === undefined ? 'none' : text(is);
    if (isSame(was, is)) return [];
    const verdict =
      was === undefined ? 'tightened' : is === undefined ? 'loosened' : (verdictOf(was, is) ?? 'changed');
    return [{ verdict, row, what: `${kind} ${name}`, from, to }];
  });
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function binds({ bind }: Route): ReadonlyMap<string, Bind> {
  return new Map(bind.map((one) => [one.param, one]));
}

/** Loosened: no request that passed is refused. null: neither that nor its reverse. */
function limitVerdict(was: Limit, is: Limit): Verdict | null {
  const { quota: _q, windowMs: _w, onRedisDown: _r, monitorUntil: _m, ...wasRest } = was;
  const { quota: _q2, windowMs: _w2, onRedisDown: _r2, monitorUntil: _m2, ...isRest } = is;
  if (!isSame(wasRest, isRest)) return null;
  return verdictOfSteps([
    is.quota - was.quota,
    was.windowMs - is.windowMs,
    stepBetween(was.onRedisDown, is.onRedisDown, ['open', 'local', 'closed']),
    monitorStep(was.monitorUntil, is.monitorUntil),
  ]);
}

function limitText(limit: Limit): string {
  return `${formatLimit(limit)}${monitorText(limit.monitorUntil)}`;
}

function bindText({ param, attribute, refuseAs }: Bind): string {
  return `{${param}} is ${attribute}, else ${refuseAs}`;
}

function bodySizeChange(
  { bodyBytesMax: was }: Route,
  { bodyBytesMax: is, id: row }: Route,
): readonly Change[] {
  if (was === is) return [];
  const looser = is === null || (was !== null && is > was);
  const text = (bytes: number | null) => (bytes === null ? 'none' : `${bytes} B`);
  return [
    { verdict: looser ? 'loosened' : 'tightened', row, what: 'body max', from: text(was), to: text(is) },
  ];
}

/** Whose member is cut out is kept from saying it; and a body in which it could be meant twice is refused. */
function bodyCutChange({ body: before }: Route, { body: after, id: row }: Route): readonly Change[] {
  const [was, is] = [before?.cut ?? [], after?.cut ?? []];
  const more = is.some((pointer) => !was.includes(pointer));
  const fewer = was.some((pointer) => !is.includes(pointer));
  if (!more && !fewer) return [];
  const verdict = verdictOfSteps([more ? -1 : 0, fewer ? 1 : 0]);
  const text = (pointers: readonly string[]) =>
    pointers.map((pointer) => `json:${pointer}`).join(' ') || 'none';
  return [{ verdict, row, what: 'body cut', from: text(was), to: text(is) }];
}

/**
 * Whether a body must be JSON. @param isTold a limit, pin or size differs, and with it what is looked for in the
 * body: that needs no line of its own.
 */
function bodyReadingChange(
  { body: was }: Route,
  { body: is, id: row }: Route,
  isTold: boolean,
): readonly Change[] {
  const text = (body: Route['body']) => (body === null ? 'anything' : 'JSON');
  if ((was === null) !== (is === null)) {
    const verdict = is === null ? 'loosened' : 'tightened';
    return [{ verdict, row, what: 'body', from: text(was), to: text(is) }];
  }
  // What is cut out has a line of its own, and in which order it is named is nothing to tell.
  if (isTold || !isSame(was?.cut, is?.cut)) return [];
  return compareValues(row, 'body ', { ...was }, { ...is });
}
