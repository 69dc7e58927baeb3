/** What `leaks:` says: where reports of leaked tokens come in, whose signature is believed, and what is done. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { adminTypeName } from '../../policy/admin-type.ts';
import { closed, name, oneOf, plain, text, wording } from '../../policy/config-fields.ts';
import {
  type ConfigProblem,
  inKey,
  inValue,
  parsed,
  suggest,
  unreadable,
} from '../../policy/config-problem.ts';
import { type LeakRule, leakResponses } from '../../policy/leak-response.ts';
import { jwksPath } from '../../policy/own-paths.ts';
import { type LeakKeys, readLeakKeys } from '../leak-notice.ts';
import { isLinkLocal, isLoopback } from './address.ts';
import type { FileConfig } from './schema.ts';

/** Whose signatures are believed: those of a file, as it was when the config was read, or those that a url names. */
export type LeakKeySource =
  | { readonly kind: 'given'; readonly keys: LeakKeys }
  | { readonly kind: 'fetched'; readonly url: string };

export type LeakSettings = {
  readonly path: string;
  readonly keys: LeakKeySource;
  /** By token type. */
  readonly respond: ReadonlyMap<string, LeakRule['respond']>;
  /** To a leak of any other type. */
  readonly otherwise: LeakRule['respond'];
};

const pathDefault = '/_postern/leaks';
const anyType = 'default';

function parsePath(path: string) {
  const hint = `write ${pathDefault}, or another word after /_postern/`;
  if (!/^\/_postern(?:\/[A-Za-z0-9_-]{1,64}){1,4}$/.test(path)) {
    return unreadable(`"${path}" is no path under /_postern`, hint);
  }
  return parsed(path);
}

export const leaksSchema = v.pipe(
  closed({
    path: v.optional(
      text(`Where reports are taken, on the address of the gate; never ${jwksPath}.`, parsePath, [
        pathDefault,
      ]),
      pathDefault,
    ),
    keys: v.pipe(
      closed({
        url: v.optional(plain('https://… of the key set.')),
        file: v.optional(plain('A file that holds the key set; relative to this one.')),
      }),
      v.check(
        ({ url, file }) => (url === undefined) !== (file === undefined),
        wording('the keys are at not exactly one place', 'write { url: https://… } or { file: PATH }'),
      ),
      v.description('Whose signatures are believed: {"public_keys":[{"key_identifier","key"}]}.'),
    ),
    respond: v.optional(
      v.pipe(
        v.record(name('A token type, or default.'), oneOf('What is done.', leakResponses)),
        v.description('By token type; default: any other (quarantine).'),
      ),
      {},
    ),
  }),
  v.description('Takes reports of leaked tokens as GitHub sends them. Left out: none is taken.'),
);

type Reading = {
  readonly config: FileConfig;
  readonly folder: string;
  readonly errors: ConfigProblem[];
};

/** null: no reports are taken. */
export function resolveLeaks({ config, folder, errors }: Reading): LeakSettings | null {
  const { leaks } = config;
  if (leaks === undefined) return null;
  const respond = new Map(Object.entries(leaks.respond));
  const otherwise = respond.get(anyType) ?? 'quarantine';
  respond.delete(anyType);
  errors.push(...flawsOfTypes(config, respond));
  const { url, file } = leaks.keys;
  if (url !== undefined) {
    const flaw = urlFlaw(url);
    if (flaw !== null) errors.push(inValue(['leaks', 'keys', 'url'], ...flaw));
    return { path: leaks.path, keys: { kind: 'fetched', url }, respond, otherwise };
  }
  const keys = keysOf(resolve(folder, file ?? ''));
  if (!('message' in keys)) return { path: leaks.path, keys: { kind: 'given', keys }, respond, otherwise };
  errors.push(inValue(['leaks', 'keys', 'file'], keys.message, keys.hint));
  return null;
}

function flawsOfTypes(
  { token_types: types, leaks }: FileConfig,
  respond: LeakSettings['respond'],
): readonly ConfigProblem[] {
  const flaws: ConfigProblem[] = [];
  if (Object.hasOwn(types, anyType) && leaks?.respond[anyType] !== undefined) {
    const message = 'default means every other token type, and one is called so';
    flaws.push(inKey(['leaks', 'respond', anyType], message, 'give that token type another name'));
  }
  for (const type of respond.keys()) {
    if (type === adminTypeName) continue;
    const path = ['leaks', 'respond', type];
    const known = Object.hasOwn(types, type) ? types[type] : undefined;
    if (known === undefined) {
      const names = [...Object.keys(types), adminTypeName, anyType];
      flaws.push(
        inKey(path, `unknown token type "${type}"`, suggest(type, names, 'define it under token_types:')),
      );
    } else if (known.verify === 'upstream' || known.format === 'signed') {
      const message = `tokens of type "${type}" are not kept here, so none can be found`;
      flaws.push(inKey(path, message, 'remove it'));
    }
  }
  return flaws;
}

type Flaw = { readonly message: string; readonly hint: string };

const keySetHint = 'save what https://api.github.com/meta/public_keys/secret_scanning answers';

function keysOf(file: string): LeakKeys | Flaw {
  let json: string;
  try {
    json = readFileSync(file, 'utf8');
  } catch {
    const hint = 'create it, readable by this user; a relative path starts at the folder of this config';
    return { message: `cannot read the file ${file}`, hint };
  }
  const keys = readLeakKeys(json);
  return typeof keys === 'string' ? { message: `the file ${file} ${keys}`, hint: keySetHint } : keys;
}

/** Whoever can change what it answers can end any token. */
function urlFlaw(written: string): readonly [message: string, hint: string] | null {
  const hint = 'write https://HOST/PATH';
  const url = URL.canParse(written) ? new URL(written) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return ['not an http url', hint];
  if (url.username !== '' || url.password !== '') return ['the url holds credentials', 'leave them out'];
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) return ['the host is link-local, where clouds keep their metadata', hint];
  if (url.protocol === 'https:' || isLoopback(host)) return null;
  return ['over http anybody on the way could name keys of their own', `${hint}, or http:// to this host`];
}
