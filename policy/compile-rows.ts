/** From `apis` to Routes, and to the paths the matcher is prepared with. */

import type { AnnotationType } from './annotation-types.ts';
import { apiTypeNames, compileAccess, compileBinds, compileRowLimits } from './compile-access.ts';
import { checkOpensNothing } from './compile-annotations.ts';
import { compileBody, compileBundlePinsOf } from './compile-bundle-pins.ts';
import {
  type Compilation,
  errorInKey,
  errorInValue,
  hasBroken,
  isBroken,
  resolves,
} from './compile-context.ts';
import { namedStyle } from './compile-errors.ts';
import { compileScopesMonitor } from './compile-monitor.ts';
import { compileObserve } from './compile-observe.ts';
import { compileRowPins, type Pins } from './compile-pins.ts';
import { compileScheme } from './compile-scheme.ts';
import { compileServe } from './compile-serve.ts';
import { serveBody } from './compile-serve-row.ts';
import { checkUnverifiedRow } from './compile-unverified.ts';
import { checkWebsocket } from './compile-websocket.ts';
import type { ConfigPath } from './config-problem.ts';
import { parseRowKey, type RowKey } from './config-rows.ts';
import type { ApiConfig, RowConfig } from './config-schema.ts';
import type { ErrorStyle } from './error-style.ts';
import { isOwnPattern } from './own-paths.ts';
import type { RowPath } from './routes.ts';
import type { Source, TokenType } from './token-types.ts';
import type { Cors, IdentityRule, Limit, Route } from './types.ts';

/** What rows refer to, compiled before them. */
export type Parts = {
  readonly types: ReadonlyMap<string, TokenType>;
  readonly annotations: ReadonlyMap<string, AnnotationType>;
  readonly identity: IdentityRule;
  readonly limits: ReadonlyMap<string, Limit>;
  readonly cors: ReadonlyMap<string, Cors>;
  readonly errors: ReadonlyMap<string, ErrorStyle>;
  readonly pins: Pins;
};

/** One row compiled, with every path it answers to and where the config says so. */
export type CompiledRow = {
  readonly route: Route;
  readonly paths: readonly RowPath[];
  readonly configPath: ConfigPath;
};

/** What is the same for every row of an api. */
type ApiFrame = {
  readonly name: string;
  readonly config: ApiConfig;
  readonly hosts: readonly string[];
  readonly sources: readonly Source[];
  /** As a part of each route. */
  readonly annotate: Pick<Route, 'annotate'>;
  readonly scheme: Pick<Route, 'strictScheme'>;
  /** Of rows that name none. */
  readonly errors: ErrorStyle | null;
};

export function compileRows(at: Compilation, parts: Parts): readonly CompiledRow[] {
  const apis = Object.entries(at.config.apis);
  if (apis.length === 0 && !hasBroken(at, 'apis')) {
    errorInKey(
      at,
      ['apis'],
      'there is no api, so every request would be 404',
      'define one: apis: { main: { … } }',
    );
  }
  return apis.flatMap(([name, config]) => compileApi(at, name, config, parts));
}

function compileApi(at: Compilation, name: string, config: ApiConfig, parts: Parts): readonly CompiledRow[] {
  const path = ['apis', name];
  const rows = Object.entries(config.routes);
  if (rows.length === 0 && !hasBroken(at, 'apis', name, 'routes')) {
    const hint = 'write a row: POST /ingest: { allow: { project: events:write } }';
    errorInKey(at, [...path, 'routes'], `api "${name}" has no routes, so it answers nothing`, hint);
  }
  for (const [index, type] of (config.types ?? []).entries()) {
    resolves(at, 'token_types', type, [...path, 'types', index]);
  }
  checkListedOnce(at, [...path, 'hosts'], config.hosts ?? []);
  checkListedOnce(
    at,
    [...path, 'prefixes'],
    config.prefixes.map((prefix) => prefix.text),
  );
  checkListedOnce(at, [...path, 'types'], config.types ?? []);
  if (config.to !== undefined) resolves(at, 'upstreams', config.to, [...path, 'to']);
  if (config.cors !== undefined) resolves(at, 'cors', config.cors, [...path, 'cors']);
  const types = apiTypeNames(at, Object.values(config.routes), config.types);
  const errors = namedStyle(at, path, config.errors, parts.errors);
  const sources = sourcesOf(types, parts);
  const annotate = annotateOf(types, parts);
  const scheme = compileScheme(at, name, config, sources);
  const frame = { name, config, hosts: config.hosts ?? [], sources, annotate, scheme, errors };
  return rows.flatMap(([key, row]) => {
    const parsedKey = parseRowKey(key);
    return parsedKey.ok ? [compileRow(at, frame, key, parsedKey.value, row, parts)] : [];
  });
}

function compileRow(
  at: Compilation,
  api: ApiFrame,
  key: string,
  { method, pattern, segments }: RowKey,
  row: RowConfig,
  parts: Parts,
): CompiledRow {
  const path = ['apis', api.name, 'routes', key];
  const known = { types: parts.types, limits: parts.limits, apiTypes: api.config.types ?? null };
  const access = compileAccess(at, path, row, known);
  if (row.credentials !== undefined && row.allow !== 'public') {
    const hint = 'remove it; where a token is judged, credentials never go on';
    errorInKey(at, [...path, 'credentials'], 'credentials is for public rows', hint);
  }
  const paths = api.config.prefixes.map((prefix) => [...prefix.segments, ...segments]);
  const limits = compileRowLimits(at, path, row, known);
  const bundlePins = compileBundlePinsOf(at, path, row, parts.pins.bundle, parts.types);
  checkOpensNothing(at, path, row);
  checkUnverifiedRow(at, path, row, { types: parts.types, limits, bundlePins });
  const route: Route = {
    id: `${api.name} ${method} ${pattern}`,
    api: api.name,
    method,
    pattern,
    hosts: api.hosts,
    paths,
    upstream: row.serve === undefined ? chooseUpstream(at, path, api, row) : (row.confirm?.to ?? ''),
    serve: compileServe(at, path, row, { method, segments }, parts),
    access,
    sources: api.sources,
    ...api.annotate,
    ...api.scheme,
    bind: compileBinds(at, path, row, segments, known),
    ...compileRowPins(at, path, row, parts.pins),
    ...compileScopesMonitor(at, path, row),
    limits,
    observe: compileObserve(at, path, row, { method, segments }, parts),
    cors: chooseCors(at, path, api, row, parts.cors),
    errors: row.errors === undefined ? api.errors : namedStyle(at, path, row.errors, parts.errors),
    ...(row.serve === undefined
      ? compileBody(at, path, row, method, limits, bundlePins)
      : serveBody(at, path, row.serve, limits, bundlePins)),
    bundlePins,
    credentials: row.allow === 'public' ? (row.credentials ?? 'pass') : 'strip',
    pathParameters: row.path_parameters === 'allow',
    websocket: row.websocket,
  };
  if (paths.some(isOwnPattern)) {
    errorInKey(at, path, "paths under /_postern are Postern's own", 'choose another path for the row');
  }
  checkWebsocket(at, path, row, route);
  return { route, paths: paths.map((segments) => ({ route, segments })), configPath: path };
}

/** The types' sources in order, each once; cookies last, because they are sent without being asked. */
function sourcesOf(typeNames: readonly string[], parts: Parts): readonly Source[] {
  const sources = new Map<string, Source>();
  for (const name of typeNames) {
    for (const source of parts.types.get(name)?.sources ?? []) {
      const key = source.kind === 'bearer' ? 'bearer' : `${source.kind}:${source.name}`;
      if (!sources.has(key)) sources.set(key, source);
    }
  }
  const ordered = [...sources.values()];
  return [
    ...ordered.filter(({ kind }) => kind !== 'cookie'),
    ...ordered.filter(({ kind }) => kind === 'cookie'),
  ];
}

/** Only what `types` lists: no row names it. */
function annotateOf(typeNames: readonly string[], parts: Parts): Pick<Route, 'annotate'> {
  const annotate = typeNames.flatMap((name) => parts.annotations.get(name) ?? []);
  return annotate.length === 0 ? {} : { annotate };
}

function chooseUpstream(at: Compilation, path: ConfigPath, api: ApiFrame, row: RowConfig): string {
  if (row.to !== undefined) {
    resolves(at, 'upstreams', row.to, [...path, 'to']);
    return row.to;
  }
  if (api.config.to !== undefined) return api.config.to;
  if (isBroken(at, 'apis', api.name, 'to')) return '';
  const hint = 'write to: UPSTREAM on the row, or once on the api';
  errorInKey(at, path, 'the row does not say which upstream it goes to', hint);
  return '';
}

function chooseCors(
  at: Compilation,
  path: ConfigPath,
  api: ApiFrame,
  row: RowConfig,
  blocks: ReadonlyMap<string, Cors>,
): Cors | null {
  if (row.cors === 'off') return null;
  if (row.cors !== undefined) {
    return resolves(at, 'cors', row.cors, [...path, 'cors']) ? (blocks.get(row.cors) ?? null) : null;
  }
  return api.config.cors === undefined ? null : (blocks.get(api.config.cors) ?? null);
}

function checkListedOnce(at: Compilation, path: ConfigPath, entries: readonly string[]): void {
  for (const [index, entry] of entries.entries()) {
    if (entries.indexOf(entry) !== index)
      errorInValue(at, [...path, index], `"${entry}" stands twice`, 'remove one');
  }
}
