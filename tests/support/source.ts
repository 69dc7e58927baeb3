/** Reads a source file as the rules of the house see it: imports, functions, words. Never runs it. */
import { posix } from 'node:path';
import { parseAst } from 'vitest/node';

export type Import = {
  /** A file of ours as a path from the root, else a package or `node:` name. */
  readonly from: string;
  /** `static` and `lazy` run the target; `type` is gone before anything runs. */
  readonly kind: 'static' | 'lazy' | 'type';
  readonly line: number;
};

export type Word = { readonly word: string; readonly line: number };

export type SourceFile = {
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly imports: readonly Import[];
  readonly functions: readonly { readonly line: number; readonly lineCount: number }[];
  /**
   * What the code does, comments and strings left out: `await`, `new X`, `X` where a name is used as
   * a value or type, `a.b` for a member, `` x`` `` for a tagged template, and bare numbers.
   */
  readonly words: readonly Word[];
  readonly defaultExportLine: number | null;
  /** Whether it holds nothing but what other files export. */
  readonly isBarrel: boolean;
};

type Node = { readonly type: string; readonly start: number; readonly end: number } & Record<string, unknown>;

/** @throws SyntaxError for text that is not TypeScript. */
export function readSource(path: string, text: string): SourceFile {
  const program = parseAst(text, { lang: 'ts' }, path) as unknown as Node;
  const lineAt = lineFinder(text);
  const imports: Import[] = [];
  const functions: { line: number; lineCount: number }[] = [];
  const words: Word[] = [];
  let defaultExportLine: number | null = null;
  visit(program, null, '', (node, parent, key) => {
    const line = lineAt(node.start);
    const imported = importOf(node);
    if (imported !== null) imports.push({ ...imported, from: resolved(path, imported.from), line });
    if (functionTypes.has(node.type)) functions.push({ line, lineCount: lineAt(node.end) - line + 1 });
    if (exportsDefault(node)) defaultExportLine = line;
    const word = wordOf(node, parent, key);
    if (word !== null) words.push({ word, line });
  });
  const body = childrenOf(program).map(({ node }) => node);
  return {
    path,
    text,
    lineCount: text.replace(/\n$/, '').split('\n').length,
    imports,
    functions,
    words,
    defaultExportLine,
    isBarrel: body.some(exportsElsewhere) && body.every((node) => exportsElsewhere(node) || isImport(node)),
  };
}

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function childrenOf(node: Node): { key: string; node: Node }[] {
  return Object.entries(node).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).filter(isNode).map((child) => ({ key, node: child })),
  );
}

type Visitor = (node: Node, parent: Node | null, key: string) => void;

function visit(node: Node, parent: Node | null, key: string, visitor: Visitor): void {
  visitor(node, parent, key);
  for (const child of childrenOf(node)) visit(child.node, node, child.key, visitor);
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1;
}

/** `import { type A }` is kept by type stripping as an import that runs: only `import type` is a type. */
function importOf(node: Node): Pick<Import, 'from' | 'kind'> | null {
  switch (node.type) {
    case 'ImportDeclaration':
      return { from: textOf(node.source), kind: node.importKind === 'type' ? 'type' : 'static' };
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      if (!isNode(node.source)) return null;
      return { from: textOf(node.source), kind: node.exportKind === 'type' ? 'type' : 'static' };
    case 'ImportExpression':
      return { from: textOf(node.source), kind: 'lazy' };
    case 'TSImportType':
      return { from: textOf(node.source ?? node.argument), kind: 'type' };
    default:
      return null;
  }
}

/** What a computed import names can not be known: it is its own kind of foreign package. */
function textOf(source: unknown): string {
  const value = isNode(source) ? (isNode(source.literal) ? source.literal.value : source.value) : undefined;
  return typeof value === 'string' ? value : '(computed)';
}

function resolved(path: string, from: string): string {
  return from.startsWith('.') ? posix.join(posix.dirname(path), from) : from;
}

function isImport(node: Node): boolean {
  return node.type === 'ImportDeclaration';
}

function exportsElsewhere(node: Node): boolean {
  if (node.type === 'ExportAllDeclaration') return true;
  return node.type === 'ExportNamedDeclaration' && node.declaration === null;
}

function exportsDefault(node: Node): boolean {
  if (node.type === 'ExportDefaultDeclaration') return true;
  return node.type === 'ExportSpecifier' && isNode(node.exported) && node.exported.name === 'default';
}

/** A name where it is only a key or a member says nothing: `headers.Response` is caught as a member. */
function wordOf(node: Node, parent: Node | null, key: string): string | null {
  switch (node.type) {
    case 'AwaitExpression':
      return 'await';
    case 'ForOfStatement':
      return node.await === true ? 'await' : null;
    case 'NewExpression':
      return `new ${nameOf(node.callee)}${Array.isArray(node.arguments) && node.arguments.length === 0 ? '()' : ''}`;
    case 'MemberExpression':
      return `${nameOf(node.object)}.${nameOf(node.property)}`;
    case 'TaggedTemplateExpression':
      return `${nameOf(node.tag)}\`\``;
    case 'Literal':
      return typeof node.value === 'number' ? String(node.value) : null;
    case 'Identifier': {
      const isLabel = (key === 'property' || key === 'key') && parent !== null && parent.computed !== true;
      return isLabel ? null : nameOf(node);
    }
    default:
      return null;
  }
}

/** The last name of an expression: of `a.b.c` it is c. */
function nameOf(value: unknown): string {
  if (!isNode(value)) return '?';
  if (value.type === 'MemberExpression') return nameOf(value.property);
  return typeof value.name === 'string' ? value.name : '?';
}
