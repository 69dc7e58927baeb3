/** Rules of `observe` and answers to read by them, for tests of what an answer changes. */
import { expect } from 'vitest';
import { compileQuery } from '../../policy/json-pointer.ts';
import { scanJson } from '../../policy/json-scan.ts';
import { readChanges } from '../../policy/observe.ts';
import type {
  Answered,
  Observe,
  ObservedChanges,
  ObservedSource,
  ObservedToken,
  ObserveRule,
} from '../../policy/observe-types.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { typeOf } from './policy.ts';

export const user = typeOf({
  attributes: new Map([
    ['user', { required: true, list: false }],
    ['client', { required: false, list: false }],
    ['teams', { required: false, list: true }],
  ]),
  scopes: { fixed: ['a'] },
});
const types = new Map([['user', user]]);

export const json = (pointer: string): ObservedSource => ({ kind: 'json', pointer });
export const attribute = (name: string, from: ObservedSource, otherwise: string | null = null) => ({
  name,
  from,
  otherwise,
  list: user.attributes.get(name)?.list === true,
  needed: user.attributes.get(name)?.required === true,
});

export const login: ObservedToken = {
  kind: 'token',
  type: 'user',
  from: { kind: 'json', pointer: '/token' },
  attributes: [
    attribute('user', json('/user/id')),
    attribute('client', { kind: 'header', name: 'x-client' }, 'mobile'),
  ],
  scopes: [],
  label: null,
  lifeMs: 1000,
  insteadOf: [],
};

export const pinAt = (pointer: string): Observe => ({
  kind: 'pin',
  pin: 'app',
  owner: 'project',
  param: 'id',
  pointer,
});

type Asking = {
  readonly answer?: unknown;
  readonly fields?: Answered['fields'];
  readonly cookies?: Answered['cookies'];
  readonly token?: TokenRecord | null;
  readonly params?: Readonly<Record<string, string>>;
};

/** Every pointer in the entries is looked for, as the compiler has it. */
export function ruleOf(entries: readonly Observe[]): ObserveRule {
  const pointers = new Set(
    [...JSON.stringify(entries).matchAll(/"pointer":("(?:[^"\\]|\\.)*")/g)].map(([, text = '""']): string =>
      JSON.parse(text),
    ),
  );
  return { entries, query: compileQuery([...pointers]), fields: [], cookies: [] };
}

export function read(entries: readonly Observe[], asking: Asking = {}): ObservedChanges {
  const rule = ruleOf(entries);
  const {
    answer = {},
    fields = new Map(),
    cookies = new Map(),
    token = null,
    params = { id: 'prj_a' },
  } = asking;
  const scan = scanJson(Buffer.from(JSON.stringify(answer)), rule.query ?? expect.fail());
  if (!scan.ok) return { ok: false, reason: scan.reason };
  const observing = { rule, params: new Map(Object.entries(params)) };
  return readChanges({ types }, { observing, token }, { found: scan.found, fields, cookies });
}

export const nothing = { ok: true, changes: [] };

/** The config has one type, `user`. */
export const observedTypes = { types };
