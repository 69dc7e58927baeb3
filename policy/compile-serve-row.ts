/** What a `serve` row may be combined with, and the body it reads. */

import type { BodyRule, BundlePin } from './body-types.ts';
import { type Compilation, errorInKey, errorInValue } from './compile-context.ts';
import type { ConfigPath } from './config-problem.ts';
import type { RowConfig } from './config-schema.ts';
import { compileQuery } from './json-pointer.ts';
import { payloadKeysOf } from './serve.ts';
import type { ServeOperation } from './serve-types.ts';
import type { TokenType } from './token-types.ts';
import type { Limit, Method, Route } from './types.ts';

/** What a caller says of a token or a probe is short. */
export const serveBodyBytesMax = 64 * 1024;

export function checkBesides(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  operation: ServeOperation,
  method: Method,
): void {
  if (row.allow === 'public') {
    const hint = 'allow token types instead of public, or remove serve';
    errorInValue(at, [...path, 'allow'], `on a public row anybody could use ${operation}`, hint);
  }
  const excluded = {
    to: 'is answered here and goes to no upstream',
    observe: 'has no upstream to observe',
    body: 'reads at most 64 KiB of JSON, and knows what is in it',
    scopes: 'would let whoever lacks the scope use it meanwhile',
  } as const;
  for (const [key, why] of Object.entries(excluded)) {
    if (!Object.hasOwn(row, key) || row[key as keyof typeof excluded] === undefined) continue;
    errorInKey(at, [...path, key], `a serve row ${why}`, `remove ${key}, or remove serve`);
  }
  if (row.websocket) {
    errorInKey(at, [...path, 'websocket'], 'a serve row has no stream', 'remove websocket, or remove serve');
  }
  checkMethod(at, path, operation, method);
}

function checkMethod(at: Compilation, path: ConfigPath, operation: ServeOperation, method: Method): void {
  const where = [...path, 'serve'];
  if (isRead(operation)) {
    if (method === 'GET') return;
    errorInValue(at, where, `${operation} changes nothing, and ${method} would`, 'write the row with GET');
  } else if (method === 'GET' || method === 'OPTIONS') {
    const hint = 'write the row with POST';
    errorInValue(at, where, `${operation} changes something, and ${method} must not`, hint);
  } else if (method === 'DELETE' && readsBody.has(operation)) {
    errorInValue(at, where, `${operation} reads a body, and DELETE has none`, 'write the row with POST');
  }
}

function isRead(operation: ServeOperation): boolean {
  return operation === 'token.list' || operation === 'probe.list';
}

const readsBody: ReadonlySet<ServeOperation> = new Set([
  'token.create',
  'probe.activate',
  'probe.deactivate',
]);

/**
 * A cookie that any site could have sent, on a row that no upstream sees: `confirm` asks with GET and the cookie
 * alone, so the check that was left to the upstream would be made by nobody.
 */
export function checkCookies(
  at: Compilation,
  path: ConfigPath,
  operation: ServeOperation,
  callers: readonly TokenType[],
): void {
  if (isRead(operation)) return;
  for (const { name, sources, csrf, verify } of callers) {
    const cookie = sources.find(({ kind }) => kind === 'cookie');
    if (cookie === undefined || csrf !== undefined) continue;
    const message = `any site could have a visitor's browser use ${operation} by the cookie of type "${name}"`;
    const hint =
      verify === undefined
        ? `write csrf: { header: X-CSRF-Token, equals: token.attribute.csrf } under token_types.${name}`
        : 'no upstream sees the row to check it: let a type without a cookie use it, or remove serve';
    errorInKey(at, [...path, 'allow', name], message, hint);
  }
}

/** The body of a `serve` row. Its own keys are all there are, so no pin or cost can stand in it. */
export function serveBody(
  at: Compilation,
  path: ConfigPath,
  operation: ServeOperation,
  limits: readonly Limit[],
  pins: readonly BundlePin[],
): Pick<Route, 'body' | 'bodyBytesMax'> {
  for (const [index, { name, costAt }] of limits.entries()) {
    if (costAt === undefined) continue;
    const hint = 'use a limit without cost';
    errorInValue(at, [...path, 'limits', index], `limit "${name}" counts items that no serve row has`, hint);
  }
  for (const { name, from } of pins) {
    if (from.every(({ kind }) => kind !== 'json')) continue;
    const hint = 'pin by a header, or remove the pin from the row';
    errorInKey(at, [...path, 'pins'], `pin "${name}" reads an id that no serve row has in its body`, hint);
  }
  if (isRead(operation)) return { body: null, bodyBytesMax: serveBodyBytesMax };
  const query = compileQuery(payloadKeysOf(operation).map((key) => `/${key}`));
  const body: BodyRule = { bytesMax: serveBodyBytesMax, query, mayBeEmpty: true };
  return { body, bodyBytesMax: serveBodyBytesMax };
}
