/** A row's key, `METHOD /path`, and an api's prefixes: read, never matched, here. */
import { type Parsed, parsed, unreadable } from './config-problem.ts';
import type { Method, Segment } from './types.ts';

export const methods: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

export type RowKey = {
  readonly method: Method;
  readonly pattern: string;
  readonly segments: readonly Segment[];
};

const literalBytes = /^[A-Za-z0-9\-._~!$&'()*+,=:@]*$/;
/** What stands in those alone: `.*`, `[0-9]+`, `(?:a)`, an end `$`. */
const regularExpression = /[.)\]][*+]|\(\?|.\$$/;
const parameter = /^\{([A-Za-z_][A-Za-z0-9_]{0,63})(\.\.\.)?\}$/;

/** `GET /projects/{project}/files/{path...}` to its parts. */
export function parseRowKey(key: string): Parsed<RowKey> {
  const parts = /^(\S+) (\S+)$/.exec(key);
  const [, method, pattern] = parts ?? [];
  if (method === undefined || pattern === undefined) {
    return unreadable(
      `"${key}" is not a row`,
      'write METHOD, one space and the path: GET /projects/{project}',
    );
  }
  const known = methods.find((name) => name === method);
  if (known === undefined) return unreadable(methodFlaw(method), methodHint(method));
  const segments = parsePattern(pattern);
  return segments.ok ? parsed({ method: known, pattern, segments: segments.value }) : segments;
}

/** A prefix is '' or literal segments without a final slash: `/api`, `/api/v2`. */
export function parsePrefix(text: string): Parsed<readonly Segment[]> {
  if (text === '') return parsed([]);
  const hint = 'write "" or a path without a final slash: /api';
  if (!text.startsWith('/') || text.endsWith('/')) return unreadable(`"${text}" is not a prefix`, hint);
  const segments = parsePattern(text);
  if (!segments.ok) return segments;
  if (segments.value.some((segment) => segment.kind !== 'literal')) {
    return unreadable(`prefix "${text}" has a parameter`, 'parameters belong to rows; a prefix is literal');
  }
  return segments;
}

/** What is the same for two patterns that match the same paths: `{a}` and `{b}` are alike. */
export function shapeOf(segments: readonly Segment[]): string {
  return segments
    .map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind === 'param' ? '{}' : '{...}'))
    .join('/');
}

function parsePattern(pattern: string): Parsed<readonly Segment[]> {
  if (!pattern.startsWith('/')) {
    const bare = pattern.replace(/^\^\/?/, '').replace(/\$$/, '');
    return unreadable(`the path "${pattern}" does not start with /`, `write /${bare}`);
  }
  if (pattern.includes('//')) {
    return unreadable(`"${pattern}" has an empty segment`, 'no request with // gets this far; write one /');
  }
  const texts = pattern.slice(1).split('/');
  const segments: Segment[] = [];
  const names = new Set<string>();
  for (const [index, text] of texts.entries()) {
    const segment = parseSegment(text);
    if (!segment.ok) return segment;
    if (segment.value.kind === 'rest' && index !== texts.length - 1) {
      return unreadable(
        `${text} is not the last segment of "${pattern}"`,
        'what follows it could never match',
      );
    }
    if (segment.value.kind !== 'literal') {
      if (names.has(segment.value.name)) {
        return unreadable(
          `parameter {${segment.value.name}} stands twice in "${pattern}"`,
          'name them apart',
        );
      }
      names.add(segment.value.name);
    }
    segments.push(segment.value);
  }
  return parsed(segments);
}

function parseSegment(text: string): Parsed<Segment> {
  const [, name, rest] = parameter.exec(text) ?? [];
  if (name !== undefined) return parsed({ kind: rest === undefined ? 'param' : 'rest', name });
  if (/[{}]/.test(text)) {
    return unreadable(
      `"${text}" is not a parameter`,
      'a parameter is a whole segment: {name}, or {name...} for the rest of the path',
    );
  }
  if (text === '*' || text === '**' || /^:[A-Za-z_]\w*$/.test(text)) {
    const name = text.replace(/\W/g, '') || 'name';
    const hint =
      text === '**'
        ? 'write {rest...} for the rest of the path'
        : `write {${name}} for one segment, {${name}...} for the rest`;
    return unreadable(`"${text}" would be taken as it stands`, hint);
  }
  if (regularExpression.test(text)) {
    return unreadable(
      `"${text}" would be taken as it stands, and not as a regular expression`,
      'write {name} for one segment, {name...} for the rest',
    );
  }
  if (text === '.' || text === '..') {
    return unreadable(
      `"${text}" is a dot segment`,
      'no request with dot segments gets this far; leave it out',
    );
  }
  if (!literalBytes.test(text)) {
    const hint =
      "use only letters, digits and - . _ ~ ! $ & ' ( ) * + , = : @; for anything else use a parameter";
    return unreadable(`"${text}" holds a byte no path may hold here`, hint);
  }
  return parsed({ kind: 'literal', text });
}

function methodFlaw(method: string): string {
  if (method === 'HEAD') return 'HEAD has no rows of its own';
  if (method === 'TRACE' || method === 'CONNECT') return `${method} is always refused`;
  return `"${method}" is not a method`;
}

function methodHint(method: string): string {
  if (method === 'HEAD') return 'HEAD uses the GET row; write that one';
  if (method === 'TRACE' || method === 'CONNECT') return 'remove the row';
  const upper = methods.find((name) => name === method.toUpperCase());
  return upper === undefined ? `use one of ${methods.join(', ')}` : `write ${upper}`;
}

/** `{name}` alone, as values of a row name its parameters; null: it is something else. */
export function parameterName(text: string): string | null {
  const [, name, rest] = parameter.exec(text) ?? [];
  return name === undefined || rest !== undefined ? null : name;
}
