/** Bundle pins and read bodies: what `pins`, `limits` and a row's `body` mean together, and what cannot hold. */
import { bufferBytesMax } from './body.ts';
import type { BodyRule, BundlePin, PinSource } from './body-types.ts';
import { typesOf } from './compile-access.ts';
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { compileCut } from './compile-cut.ts';
import { checkAttributeExists } from './compile-rules.ts';
import type { ConfigPath } from './config-problem.ts';
import type { PinConfig, RowConfig } from './config-schema.ts';
import { isReserved } from './identity.ts';
import { compileQuery } from './json-pointer.ts';
import type { TokenType } from './token-types.ts';
import type { IdentityRule, Limit, Method, Route } from './types.ts';

type BundlePinConfig = Extract<PinConfig, { kind: 'bundle_id' }>;

export function compileBundlePin(
  at: Compilation,
  name: string,
  pin: BundlePinConfig,
  identity: IdentityRule,
): BundlePin {
  const path = ['pins', name];
  if (name === 'off') errorInKey(at, path, 'a pin cannot be called off', 'rename it; off means none');
  if (pin.belongs_to.kind === 'attribute')
    checkAttributeExists(at, [...path, 'belongs_to'], pin.belongs_to.name);
  const { from } = pin;
  const spelt = from.map((source) => (source.kind === 'json' ? source.pointer : source.name));
  for (const [index, source] of from.entries()) {
    const where = [...path, 'from', ...(from.length > 1 ? [index] : [])];
    if (spelt.indexOf(spelt[index] ?? '') !== index) {
      errorInValue(at, where, 'the same source stands twice', 'remove one');
    } else if (source.kind === 'header' && isReserved(identity, source.name)) {
      const message = `the header ${source.name} is an identity header, removed before it is read`;
      errorInValue(at, where, message, 'choose a name that Postern does not reserve');
    }
  }
  checkNoCredential(at, path, from);
  return {
    kind: 'bundle_id',
    name,
    from,
    firstUse: pin.first_use,
    belongsTo: pin.belongs_to,
    whenMissing: pin.when_missing,
    revealMasked: pin.reveal === 'masked',
  };
}

/** What holds a token must never be kept as an id, nor shown as one. */
function checkNoCredential(at: Compilation, path: ConfigPath, from: readonly PinSource[]): void {
  for (const source of from) {
    if (source.kind !== 'header') continue;
    for (const [type, { sources }] of Object.entries(at.config.token_types)) {
      if (!sources.some((own) => own.kind === 'header' && own.name === source.name)) continue;
      const message = `the header ${source.name} holds tokens of type "${type}", not an id`;
      errorInValue(at, [...path, 'from'], message, 'choose another header');
    }
  }
}

/** The bundle pins a row names. That the names exist, and the origin pins among them, is checked elsewhere. */
export function compileBundlePinsOf(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  pins: ReadonlyMap<string, BundlePin>,
  types: ReadonlyMap<string, TokenType>,
): readonly BundlePin[] {
  if (row.pins === undefined || !Array.isArray(row.pins)) return [];
  const named: BundlePin[] = [];
  for (const [index, name] of row.pins.entries()) {
    const pin = pins.get(name);
    if (pin === undefined) continue;
    resolves(at, 'pins', name, [...path, 'pins', index]);
    const where = [...path, 'pins', index];
    if (named.includes(pin)) errorInValue(at, where, `pin "${name}" stands twice`, 'remove one');
    else named.push(pin);
    checkOwner(at, where, row, pin, types);
  }
  return named;
}

function checkOwner(
  at: Compilation,
  where: ConfigPath,
  row: RowConfig,
  { name, belongsTo }: BundlePin,
  types: ReadonlyMap<string, TokenType>,
): void {
  if (row.allow === 'public') {
    const hint = 'remove the pin, or allow token types instead of public';
    errorInValue(at, where, `pin "${name}" belongs to a token, and a public row has none`, hint);
    return;
  }
  if (belongsTo.kind === 'token') return;
  const attribute = belongsTo.name;
  for (const type of typesOf(row, types)) {
    const rule = type.attributes.get(attribute);
    if (rule?.required === true && !rule.list) continue;
    const lack = rule?.list === true ? 'is a list' : 'need not be there';
    const message = `pin "${name}" belongs to attribute.${attribute}, which ${lack} on token type "${type.name}"`;
    const hint = `write ${attribute}: required under token_types.${type.name}.attributes, or give ${type.name} a row of its own`;
    errorInValue(at, where, message, hint);
  }
}

/** What is asked of the body, and the place in the config that asks it. */
type Asking = { readonly what: string; readonly where: ConfigPath; readonly pointers: readonly string[] };

/**
 * The cap of a row, and the rule of one that reads its body: it says `json: true`, names a limit whose cost or
 * a pin whose id is in the body.
 */
export function compileBody(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  method: Method,
  limits: readonly Limit[],
  pins: readonly BundlePin[],
): Pick<Route, 'body' | 'bodyBytesMax'> {
  const max = row.body?.max ?? at.around.bodyBytesMax;
  const bodyBytesMax = max === 'none' ? null : max;
  const askings = askingsOf(path, row, limits, pins);
  const cut = compileCut(at, path, row);
  const [first] = askings;
  if (first === undefined) return { body: null, bodyBytesMax };
  for (const { what, where } of askings) {
    if (method !== 'GET' && method !== 'DELETE' && method !== 'OPTIONS') continue;
    const hint = 'remove it; a body means nothing to such a request (RFC 9110 §9.3)';
    errorInValue(at, where, `${what} is in the body, and ${method} has none`, hint);
  }
  const where = row.body?.max === undefined ? first.where : [...path, 'body', 'max'];
  if (bodyBytesMax === null) {
    const message = `max: none cannot be read whole, and ${first.what} is in the body`;
    errorInValue(at, where, message, 'write the longest body to take: max: 8MiB');
  } else if (bodyBytesMax > bufferBytesMax) {
    const message = `a body of ${bodyBytesMax} bytes cannot be held, and ${first.what} is in the body`;
    errorInValue(at, where, message, 'write body: { max: 64MiB } or less; all bodies together have 64 MiB');
  }
  const pointers = [...new Set(askings.flatMap((asking) => asking.pointers))];
  const query = compileQuery(pointers, cut);
  const body: BodyRule = { bytesMax: bodyBytesMax ?? bufferBytesMax, query };
  return { body: cut.length === 0 ? body : { ...body, cut }, bodyBytesMax };
}

function askingsOf(
  path: ConfigPath,
  row: RowConfig,
  limits: readonly Limit[],
  pins: readonly BundlePin[],
): readonly Asking[] {
  const askings: Asking[] = [];
  if (row.body?.json === true)
    askings.push({ what: 'the required JSON', where: [...path, 'body', 'json'], pointers: [] });
  for (const { name, costAt } of limits) {
    if (costAt === undefined) continue;
    const where = [...path, 'limits', row.limits.indexOf(name)];
    askings.push({ what: `the cost of limit "${name}"`, where, pointers: [costAt] });
  }
  const named: readonly string[] = Array.isArray(row.pins) ? row.pins : [];
  for (const { name, from } of pins) {
    const pointers = from.flatMap((source) => (source.kind === 'json' ? [source.pointer] : []));
    if (pointers.length === 0) continue;
    askings.push({
      what: `the id of pin "${name}"`,
      where: [...path, 'pins', named.indexOf(name)],
      pointers,
    });
  }
  return askings;
}
