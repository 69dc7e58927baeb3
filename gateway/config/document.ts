/**
 * YAML text to a plain value, and from any path of keys back to its line and column.
 * Never interprets what it reads; refuses what YAML can do and a config must not (threats of
 * alias bombs, merge keys, prototype names, several documents).
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from 'yaml';
import type { ConfigPath } from '../../policy/config-problem.ts';

export type Position = { readonly line: number; readonly column: number };

/** A problem whose place is already known. */
export type Flaw = Position & { readonly path: ConfigPath; readonly message: string; readonly hint: string };

export type ConfigDocument = {
  readonly value: unknown;
  /** Line and column, 1-based, of the key or its value; of the nearest parent if there is no such key. */
  readonly positionOf: (path: ConfigPath, at?: 'key' | 'value') => Position;
};

export type Reading =
  | { readonly ok: true; readonly document: ConfigDocument }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

export const configBytesMax = 1_000_000;
const aliasUsesMax = 50;
const depthMax = 32;
/** One missing bracket can make a thousand. */
const syntaxFlawsMax = 20;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

export function readDocument(text: string): Reading {
  if (Buffer.byteLength(text) > configBytesMax) {
    return refused('the file is larger than 1 MB', 'a config is a few kilobytes; is this the right file?');
  }
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      version: '1.2',
      merge: false,
      uniqueKeys: true,
      prettyErrors: false,
      lineCounter: lines,
    });
  } catch {
    return refused(...tooDeep);
  }
  const syntax = syntaxFlaws(document, lines, text);
  if (syntax.length > 0) return { ok: false, flaws: syntax };
  if (document.contents === null) return refused('the file is empty', 'start with version: 1');
  const plain = toPlain(document, lines);
  if (plain.flaws.length > 0) return { ok: false, flaws: plain.flaws };
  const positionOf: ConfigDocument['positionOf'] = (path, at = 'value') => locate(document, lines, path, at);
  return { ok: true, document: { value: plain.value, positionOf } };
}

function refused(message: string, hint: string): Reading {
  return { ok: false, flaws: [{ path: [], line: 1, column: 1, message, hint }] };
}

const tooDeep = ['the file is nested too deeply', 'a config nests less than ten levels'] as const;

const syntaxWordings: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  DUPLICATE_KEY: ['this key is written twice', 'keep one; YAML would silently forget the other'],
  TAB_AS_INDENT: ['a tab is used to indent', 'indent with spaces'],
  BAD_INDENT: ['the indentation does not fit', 'indent with two spaces per level, the same within a block'],
  MULTIPLE_DOCS: ['the file holds more than one document', 'remove the --- line and what follows'],
  TAG_RESOLVE_FAILED: ['a YAML tag is used', 'write the plain value, without !tag'],
  RESOURCE_EXHAUSTION: tooDeep,
};

const noBreakSpace = [
  'the line has a no-break space, as pages and chats put in',
  'write plain spaces in its place',
] as const;

/** What the parser's code alone would say of something else. */
function odd(
  { code, message, pos }: YAMLError,
  text: string,
): readonly [message: string, hint: string] | null {
  // It stands at the first line below that is not indented enough to be inside.
  if (code === 'BAD_INDENT' && message.startsWith('Flow ')) {
    return ['a { or [ before this line is not closed', 'close it; what is in it may also be indented deeper'];
  }
  const line = text.slice(text.lastIndexOf('\n', pos[0] - 1) + 1).split('\n', 1)[0] ?? '';
  return /^[^#"']*\u{a0}/u.test(line) ? noBreakSpace : null;
}

function syntaxFlaws(document: Document.Parsed, lines: LineCounter, text: string): readonly Flaw[] {
  const flaws = [...document.errors, ...document.warnings].slice(0, syntaxFlawsMax).map((error): Flaw => {
    const fallback = [
      `not valid YAML: ${error.message.split('\n')[0]}`,
      'check quotes, brackets and indentation',
    ];
    const [message = '', hint = ''] = odd(error, text) ?? syntaxWordings[error.code] ?? fallback;
    const path = error.code === 'DUPLICATE_KEY' ? (keyPathAt(document.contents, error.pos[0], []) ?? []) : [];
    return { path, ...positionAt(lines, error.pos[0]), message, hint };
  });
  const { version, explicit } = document.directives?.yaml ?? {};
  if (explicit === true && version !== '1.2') {
    const message = `the file asks for YAML ${version}`;
    flaws.push({
      path: [],
      line: 1,
      column: 1,
      message,
      hint: 'remove the %YAML line; configs are YAML 1.2',
    });
  }
  return flaws;
}

/** The path of the key that starts at this offset. */
function keyPathAt(node: unknown, offset: number, path: ConfigPath): ConfigPath | null {
  const range = (node as Node | null | undefined)?.range;
  if (range === null || range === undefined || offset < range[0] || offset > range[2]) return null;
  if (isSeq(node)) return firstOf(node.items, (item, index) => keyPathAt(item, offset, [...path, index]));
  if (!isMap(node)) return null;
  return firstOf(node.items, (pair) => {
    const below = [...path, keyText(pair.key) ?? ''];
    return startOf(pair.key) === offset ? below : keyPathAt(pair.value, offset, below);
  });
}

function firstOf<T, R>(items: readonly T[], find: (item: T, index: number) => R | null): R | null {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== null) return found;
  }
  return null;
}

/** Own conversion rather than `toJS`: it counts aliases, names bad keys, and makes null-prototype objects. */
function toPlain(document: Document.Parsed, lines: LineCounter): { value: unknown; flaws: readonly Flaw[] } {
  const flaws: Flaw[] = [];
  let aliasUses = 0;

  function flaw(path: ConfigPath, node: unknown, message: string, hint: string): null {
    flaws.push({ path, ...positionAt(lines, startOf(node) ?? 0), message, hint });
    return null;
  }

  function plainOf(node: unknown, path: ConfigPath): unknown {
    if (path.length > depthMax) return flaw(path, node, ...tooDeep);
    if (isAlias(node)) {
      aliasUses += 1;
      if (aliasUses > aliasUsesMax) {
        if (aliasUses > aliasUsesMax + 1) return null;
        return flaw(path, node, `aliases are used more than ${aliasUsesMax} times`, 'write the values out');
      }
      const target = node.resolve(document);
      if (target !== undefined) return plainOf(target, path);
      return flaw(path, node, 'an alias has no anchor', `define it before, with &${node.source}`);
    }
    if (isMap(node)) return plainMap(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => plainOf(item, [...path, index]));
    return isScalar(node) ? node.value : null;
  }

  function plainMap(items: readonly { key: unknown; value: unknown }[], path: ConfigPath): object {
    const value: Record<string, unknown> = Object.create(null);
    for (const pair of items) {
      const key = keyText(pair.key);
      if (key === null) flaw(path, pair.key, 'a key is not a plain text', 'write one word, or quote it');
      else if (key.includes('\u{a0}')) flaw(path, pair.key, ...noBreakSpace);
      else if (forbiddenKeys.has(key)) {
        flaw([...path, key], pair.key, `the key "${key}" is not allowed anywhere`, 'choose another name');
      } else value[key] = plainOf(pair.value, [...path, key]);
    }
    return value;
  }

  return { value: plainOf(document.contents, []), flaws };
}

function keyText(key: unknown): string | null {
  if (!isScalar(key)) return null;
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function locate(
  document: Document.Parsed,
  lines: LineCounter,
  path: ConfigPath,
  at: 'key' | 'value',
): Position {
  let node: unknown = document.contents;
  let keyStart = startOf(node) ?? 0;
  for (const key of path) {
    const inner = isAlias(node) ? node.resolve(document) : node;
    if (isMap(inner)) {
      const pair = inner.items.find((item) => keyText(item.key) === String(key));
      if (pair === undefined) return positionAt(lines, keyStart);
      keyStart = startOf(pair.key) ?? keyStart;
      node = pair.value;
    } else if (isSeq(inner) && typeof key === 'number' && inner.items[key] !== undefined) {
      node = inner.items[key];
      keyStart = startOf(node) ?? keyStart;
    } else return positionAt(lines, keyStart);
  }
  const isBlock = isCollection(node) && node.flow !== true;
  return positionAt(lines, at === 'value' && !isBlock ? (startOf(node) ?? keyStart) : keyStart);
}

function startOf(node: unknown): number | null {
  return (node as Node | null | undefined)?.range?.[0] ?? null;
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}
