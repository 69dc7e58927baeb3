/** What two rows ask beyond their cells: limits, pins, binds and the rest, each by whether more or less passes. */
import type { Change, Verdict } from './diff.ts';
import { compareValues, textOf } from './diff-values.ts';
import type { Bind, Limit, Route } from './types.ts';
import { formatDuration } from './units.ts';

/** Judged here, or in how a row is reached and who may use it. */
const judged = new Set([
  'id',
  'api',
  'method',
  'pattern',
  'hosts',
  'paths',
  'access',
  'limits',
  'originPin',
  'bind',
  'bodyBytesMax',
]);

export function compareRules(was: Route, is: Route): readonly Change[] {
  const row = is.id;
  return [
    ...compareNamed(row, 'limit', byName(was.limits), byName(is.limits), limitVerdict, limitText),
    ...compareNamed(row, 'bind', binds(was), binds(is), () => 'changed', bindText),
    ...originPinChange(was, is),
    ...bodyChange(was, is),
    ...compareValues(row, '', was, is, judged),
  ];
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
    if (was !== undefined && is !== undefined && textOf(was) === textOf(is)) return [];
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

const strictness = { open: 0, local: 1, closed: 2 } as const;

/** Loosened: no request that passed is refused. null: neither that nor its reverse. */
function limitVerdict(was: Limit, is: Limit): Verdict | null {
  const { quota: _q, windowMs: _w, onRedisDown: _r, ...wasRest } = was;
  const { quota: _q2, windowMs: _w2, onRedisDown: _r2, ...isRest } = is;
  if (textOf(wasRest) !== textOf(isRest)) return null;
  const steps = [
    is.quota - was.quota,
    was.windowMs - is.windowMs,
    strictness[was.onRedisDown] - strictness[is.onRedisDown],
  ];
  if (steps.every((step) => step >= 0)) return 'loosened';
  return steps.every((step) => step <= 0) ? 'tightened' : null;
}

function limitText({ quota, windowMs, per, onRedisDown }: Limit): string {
  const parts = per.map((part) => (part.kind === 'attribute' ? `attribute.${part.name}` : part.kind));
  return `${quota}/${formatDuration(windowMs)} per ${parts.join('+')}, ${onRedisDown}`;
}

function bindText({ param, attribute, refuseAs }: Bind): string {
  return `{${param}} is ${attribute}, else ${refuseAs}`;
}

function originPinChange({ originPin: was }: Route, { originPin: is, id: row }: Route): readonly Change[] {
  const [from, to] = [was, is].map((pin) => (pin === null ? 'off' : `${pin.whenMissing} without Origin`));
  if (from === undefined || to === undefined || textOf(was) === textOf(is)) return [];
  const strict = (pin: Route['originPin']) => (pin === null ? 0 : pin.whenMissing === 'allow' ? 1 : 2);
  const step = strict(is) - strict(was);
  const verdict = step > 0 ? 'tightened' : step < 0 ? 'loosened' : 'changed';
  return [{ verdict, row, what: 'pin origin', from, to }];
}

function bodyChange({ bodyBytesMax: was }: Route, { bodyBytesMax: is, id: row }: Route): readonly Change[] {
  if (was === is) return [];
  const looser = is === null || (was !== null && is > was);
  const text = (bytes: number | null) => (bytes === null ? 'none' : `${bytes} B`);
  return [
    { verdict: looser ? 'loosened' : 'tightened', row, what: 'body max', from: text(was), to: text(is) },
  ];
}
