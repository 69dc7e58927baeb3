/** A line for a terminal that uses a token, to see it work: at a row it may call, by the plainest way there is. */
import { effectiveScopes, holds } from '../../policy/scopes.ts';
import { attributesShown, hiddenValue } from '../../policy/secret-attributes.ts';
import type { AttributeValue, Source, TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { Method, Policy, Route, Segment } from '../../policy/types.ts';

export type CurlLine = {
  /** The row's id. */
  readonly row: string;
  readonly line: string;
  /** The attribute whose value stands in the line as hidden, for it is a secret; null: the line is whole. */
  readonly lacks: string | null;
};

/** A DELETE that is pasted does what it says, so there is none of it. */
const order: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH'];

export type CurlAsking = {
  readonly record: TokenRecord;
  /** Its text. */
  readonly token: string;
  /** `http://127.0.0.1:8080` */
  readonly gate: string;
  /** Whether whoever reads it knows the secrets among its attributes: who gave it those does. */
  readonly knowsSecrets: boolean;
};

/** null: no row takes it that a line could show. */
export function curlFor(policy: Policy, asking: CurlAsking): CurlLine | null {
  const { record, knowsSecrets } = asking;
  const type = policy.types.get(record.type);
  if (type === undefined) return null;
  const scopes = effectiveScopes(record, type);
  const told = new Map(Object.entries(attributesShown(record.attributes, type)));
  const attributes = knowsSecrets ? record.attributes : told;
  const lines = policy.routes
    .filter((route) => isOpen(route, record.type, scopes))
    .sort((one, other) => plainness(one) - plainness(other))
    .map((route) => lineFor(route, type, { ...asking, record: { ...record, attributes } }));
  return lines.find((line) => line !== null) ?? null;
}

function isOpen(route: Route, type: string, scopes: readonly string[]): boolean {
  if (route.access === 'public' || route.websocket || route.serve !== null) return false;
  const cell = route.access.get(type);
  return cell !== undefined && holds(cell, scopes) && order.includes(route.method);
}

/** Less is plainer. */
function plainness({ method, paths, bind, bundlePins }: Route): number {
  const params = (paths[0] ?? []).filter(({ kind }) => kind !== 'literal').length;
  return order.indexOf(method) * 100 + bundlePins.length * 50 + params * 4 - bind.length;
}

function lineFor(route: Route, type: TokenType, asking: CurlAsking): CurlLine | null {
  const { record, token, gate, knowsSecrets } = asking;
  const path = pathFor(route, record.attributes);
  const source = route.sources.find((one) => type.sources.some((other) => isSame(one, other)));
  if (path === null || source === undefined) return null;
  const isRead = route.method === 'GET';
  const [origin] = record.origins;
  const [host] = route.hosts;
  const isHostPlain = host === undefined || /^[A-Za-z0-9.:[\]-]+$/.test(host);
  if (!isHostPlain) return null;
  const query = source.kind === 'query' ? `?${source.name}=${encodeURIComponent(token)}` : '';
  const csrf = isRead || source.kind !== 'cookie' ? undefined : type.csrf;
  const parts = [
    'curl -i',
    ...(isRead ? [] : [`-X ${route.method}`]),
    ...presented(source, token),
    ...(csrf === undefined
      ? []
      : [`-H ${quoted(`${csrf.header}: ${textOf(record.attributes.get(csrf.attribute))}`)}`]),
    ...(origin === undefined || route.originPin === null ? [] : [`-H ${quoted(`Origin: ${origin}`)}`]),
    ...(host === undefined ? [] : [`-H ${quoted(`Host: ${host}`)}`]),
    ...(isRead ? [] : [`-H ${quoted('Content-Type: application/json')}`, `-d '{}'`]),
    quoted(`${gate}${path}${query}`),
  ];
  const line = parts.join(' ');
  const isWhole = knowsSecrets || type.csrf === undefined || !line.includes(hiddenValue);
  return { row: route.id, line, lacks: isWhole ? null : type.csrf.attribute };
}

function isSame(one: Source, other: Source): boolean {
  return one.kind === other.kind && (one.kind === 'bearer' || (other as { name?: string }).name === one.name);
}

function presented(source: Source, token: string): readonly string[] {
  switch (source.kind) {
    case 'bearer':
      return [`-H ${quoted(`Authorization: Bearer ${token}`)}`];
    case 'header':
      return [`-H ${quoted(`${source.name}: ${token}`)}`];
    case 'cookie':
      return [`-b ${quoted(`${source.name}=${token}`)}`];
    case 'query':
      return [];
  }
}

/** null: the token lacks what the path must say. */
function pathFor({ paths, bind }: Route, attributes: ReadonlyMap<string, AttributeValue>): string | null {
  const segments: string[] = [];
  for (const segment of paths[0] ?? []) {
    const text = segmentFor(segment, bind, attributes);
    if (text === '') return null;
    segments.push(text);
  }
  return `/${segments.join('/')}`;
}

/** '': there is nothing to write. */
function segmentFor(
  segment: Segment,
  bind: Route['bind'],
  attributes: ReadonlyMap<string, AttributeValue>,
): string {
  if (segment.kind === 'literal') return segment.text;
  const bound = bind.find(({ param }) => param === segment.name);
  if (bound === undefined) return 'example';
  return encodeURIComponent(textOf(attributes.get(bound.attribute)));
}

function textOf(value: AttributeValue | undefined): string {
  return [value ?? ''].flat()[0] ?? '';
}

/** For a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
