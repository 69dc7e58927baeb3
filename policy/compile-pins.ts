/** From `pins` to what rows point at, kind by kind, and which of them a row enforces. */
import type { BundlePin } from './body-types.ts';
import { compileBundlePin } from './compile-bundle-pins.ts';
import {
  type Compilation,
  errorInKey,
  errorInValue,
  isBroken,
  resolves,
  warnInKey,
  warnInValue,
} from './compile-context.ts';
import { compileMonitor } from './compile-monitor.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import type { OriginList, OriginPin } from './pin-types.ts';
import type { CidrPin, IdentityRule, Route } from './types.ts';

/** By name; a name is in one of them alone. */
export type Pins = {
  readonly origin: ReadonlyMap<string, OriginPin>;
  readonly originList: ReadonlyMap<string, OriginList>;
  readonly cidr: ReadonlyMap<string, CidrPin>;
  readonly bundle: ReadonlyMap<string, BundlePin>;
};

/** What a row enforces, a key per kind. */
export type RowPins = Pick<Route, 'originPin' | 'originList' | 'addressPin'>;

/** What guards rows that name no origin pin, where the config does not define exactly one. */
const strictOriginPin: OriginPin = { kind: 'origin', name: 'origin', whenMissing: 'deny' };

export function compilePins(at: Compilation, identity: IdentityRule): Pins {
  const origin = new Map<string, OriginPin>();
  const originList = new Map<string, OriginList>();
  const cidr = new Map<string, CidrPin>();
  const bundle = new Map<string, BundlePin>();
  for (const [name, pin] of Object.entries(at.config.pins)) {
    const path = ['pins', name];
    const monitor = compileMonitor(at, path, pin);
    switch (pin.kind) {
      case 'origin':
        if (pin.allow === undefined) {
          origin.set(name, { kind: 'origin', name, whenMissing: pin.when_missing, ...monitor });
        } else {
          const [allow, whenMissing] = [[...new Set(pin.allow)], pin.when_missing];
          originList.set(name, { kind: 'origin_list', name, allow, whenMissing, ...monitor });
        }
        break;
      case 'cidr':
        warnOfEverybody(at, path, name, pin.allow);
        cidr.set(name, { kind: 'cidr', name, allow: pin.allow, ...monitor });
        break;
      case 'bundle_id':
        bundle.set(name, { ...compileBundlePin(at, name, pin, identity), ...monitor });
        break;
    }
  }
  return { origin, originList, cidr, bundle };
}

function warnOfEverybody(at: Compilation, path: ConfigPath, name: string, allow: CidrPin['allow']): void {
  for (const [index, { groups, bits }] of allow.entries()) {
    if (bits > 0) continue;
    const message = `pin "${name}" takes every ${groups.length === 2 ? 'v4' : 'v6'} address`;
    warnInValue(at, [...path, 'allow', index], message, 'write the networks that are meant');
  }
}

/** The origin pin without a list stands on every row, unless it is switched off; the others where they are named. */
export function compileRowPins(at: Compilation, path: ConfigPath, row: RowConfig, pins: Pins): RowPins {
  const standing = defaultPin(pins);
  if (row.pins === undefined) return { originPin: standing, addressPin: null };
  if (!Array.isArray(row.pins)) {
    const off = compileSwitches(at, path, row, pins);
    return { originPin: off ? null : standing, addressPin: null };
  }
  const named = row.pins.map((name, index) => ({ name, where: [...path, 'pins', index] }));
  const known = named.filter(({ name, where }) => resolves(at, 'pins', name, where));
  if (row.allow === 'public') checkNobodysPin(at, known, pins);
  const originList = theOne(at, known, pins.originList, onlyOne.originList);
  return {
    originPin: theOne(at, known, pins.origin, onlyOne.origin) ?? standing,
    ...(originList && { originList }),
    addressPin: theOne(at, known, pins.cidr, onlyOne.cidr),
  };
}

/** It would look like a guard and be none. */
function checkNobodysPin(at: Compilation, named: readonly Named[], { origin }: Pins): void {
  for (const { name, where } of named) {
    if (!origin.has(name)) continue;
    const hint = 'remove it, or list the origins of the row in allow: of the pin';
    errorInValue(at, where, `pin "${name}" is about the list on a token, and a public row has none`, hint);
  }
}

const onlyOne = {
  origin: ['a row takes one origin pin', 'keep one; a token has one list of origins'],
  originList: ['a row takes one origin pin with allow', 'keep one, and list all its origins there'],
  cidr: ['a row takes one cidr pin', 'keep one, and list all its networks there'],
} as const;

type Named = { readonly name: string; readonly where: ConfigPath };

/** The one pin of a kind that a row names; null: it names none. */
function theOne<Pin>(
  at: Compilation,
  named: readonly Named[],
  ofKind: ReadonlyMap<string, Pin>,
  [message, hint]: readonly [message: string, hint: string],
): Pin | null {
  let found: Pin | null = null;
  for (const { name, where } of named) {
    const pin = ofKind.get(name);
    if (pin === undefined) continue;
    if (found !== null) errorInValue(at, where, message, hint);
    found ??= pin;
  }
  return found;
}

/** `{ site: off }`. @returns whether the origin pin is off. */
function compileSwitches(at: Compilation, path: ConfigPath, row: RowConfig, pins: Pins): boolean {
  let off = false;
  for (const name of Object.keys(row.pins ?? {})) {
    const where = [...path, 'pins', name];
    if (!isOriginPin(at, name, pins)) {
      if (Object.hasOwn(at.config.pins, name)) {
        at.used.add(`pins/${name}`);
        const hint = 'remove it; only an origin pin without allow stands on rows that do not name it';
        errorInKey(at, where, `pin "${name}" is nowhere but on rows that name it`, hint);
      } else {
        const hint = suggest(name, pins.origin.keys(), `write ${strictOriginPin.name}: off`);
        errorInKey(at, where, `unknown pin "${name}"`, hint);
      }
      continue;
    }
    at.used.add(`pins/${name}`);
    if (row.allow !== 'public') {
      const message = `pin "${name}" is off here: origins on a token are not enforced on this row`;
      warnInKey(at, where, message, 'remove it unless the row must take any origin');
    }
    off = true;
  }
  return off;
}

/** The pin of rows that name none: the only one there is, else the strict one. */
function defaultPin({ origin }: Pins): OriginPin {
  const [only] = origin.values();
  return origin.size === 1 && only !== undefined ? only : strictOriginPin;
}

/** Where no origin pin is defined, the strict one stands under its own name. */
function isOriginPin(at: Compilation, name: string, { origin }: Pins): boolean {
  if (origin.has(name) || isBroken(at, 'pins', name)) return true;
  return origin.size === 0 && name === strictOriginPin.name && !Object.hasOwn(at.config.pins, name);
}
