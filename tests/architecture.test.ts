/** The house stands as it is drawn: who may import whom, what a room never says, how long things may be. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  customerNames,
  cycles,
  importViolations,
  shapeViolations,
  tooLongFiles,
  tooLongFunctions,
  wordViolations,
} from './support/house-rules.ts';
import { readSource, type SourceFile } from './support/source.ts';

const root = resolve(import.meta.dirname, '..');
const manifest: { dependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
const packages = Object.keys(manifest.dependencies);

function filesUnder(...rooms: readonly string[]): { path: string; text: string; lineCount: number }[] {
  return (
    rooms
      .flatMap((room) =>
        readdirSync(join(root, room), { recursive: true, withFileTypes: true }).map((entry) => ({
          isFile: entry.isFile(),
          path: join(entry.parentPath, entry.name).slice(root.length + 1),
        })),
      )
      // The bench's peers have packages of their own.
      .filter(({ isFile, path }) => isFile && !/(^|\/)(node_modules\/|package-lock\.json$)/.test(path))
      .map(({ path }) => {
        const text = readFileSync(join(root, path), 'utf8');
        return { path, text, lineCount: text.trimEnd().split('\n').length };
      })
  );
}

const files = filesUnder('policy', 'store', 'gateway');
const sources = files
  .filter(({ path }) => path.endsWith('.ts'))
  .map(({ path, text }) => readSource(path, text));

describe('the house', () => {
  test('has source in every room', () => {
    for (const room of ['policy', 'store', 'gateway']) {
      expect(sources.filter(({ path }) => path.startsWith(`${room}/`)).length).toBeGreaterThan(10);
    }
  });

  test('every import goes where it may', () => {
    expect(importViolations(sources, packages)).toEqual([]);
  });

  test('no file needs itself to start', () => {
    expect(cycles(sources)).toEqual([]);
  });

  test('no file only passes on others, and every export has a name', () => {
    expect(shapeViolations(sources)).toEqual([]);
  });

  test("no room does another's work", () => {
    expect(wordViolations(sources)).toEqual([]);
  });

  test('no file is longer than 350 lines, tests included', () => {
    expect(tooLongFiles([...sources, ...filesUnder('tests')])).toEqual([]);
  });

  test('no function is longer than 70 lines', () => {
    expect(tooLongFunctions(sources)).toEqual([]);
  });

  test('no customer is named in it', () => {
    expect(customerNames(files)).toEqual([]);
  });
});

const planted = (path: string, text: string): readonly SourceFile[] => [readSource(path, text)];
const importsOf = (path: string, text: string) => importViolations(planted(path, text), packages);

describe('the rule of imports catches', () => {
  test.each([
    ['policy/a.ts', "import { x } from '../store/fault.ts';"],
    ['policy/a.ts', "import type { x } from '../store/fault.ts';"],
    ['policy/a.ts', "import type { x } from '../gateway/head.ts';"],
    ['policy/a.ts', "import { createHash } from 'node:crypto';"],
    ['policy/a.ts', "import type { Hash } from 'node:crypto';"],
    ['policy/a.ts', "import { LRUCache } from 'lru-cache';"],
    ['policy/a.ts', "type Q = import('../store/limiter.ts').Limiter;"],
    ['policy/checks/a.ts', "const x = import('../../gateway/head.ts');"],
    ['store/a.ts', "import { holds } from '../policy/scopes.ts';"],
    ['store/a.ts', "import { type Cell } from '../policy/types.ts';"],
    ['store/a.ts', "export { holds } from '../policy/scopes.ts';"],
    ['store/a.ts', "export * from '../policy/scopes.ts';"],
    ['store/a.ts', "import type { Head } from '../gateway/head.ts';"],
    ['store/a.ts', "import { Hono } from 'hono';"],
    ['gateway/a.ts', "import { openSqliteTokens } from '../store/tokens-sqlite.ts';"],
    ['gateway/a.ts', "import { createMemoryLimiter } from '../store/limiter-memory.ts';"],
    ['gateway/a.ts', "const x = import('../store/database.ts');"],
    ['gateway/a.ts', "import { Kysely } from 'kysely';"],
    ['gateway/a.ts', "import { run } from './admin/cli.ts';"],
    ['gateway/a.ts', "import { expect } from 'vitest';"],
    ['gateway/a.ts', "import { smallConfig } from '../tests/fixtures/config.ts';"],
    ['gateway/a.ts', 'const x = (name: string) => import(name);'],
    ['gateway/config/a.ts', "import { createFailureBudget } from '../../store/failure-budget.ts';"],
    ['gateway/admin/a.ts', "import { openSqliteTokens } from '../../store/tokens-sqlite.ts';"],
    ['gateway/admin/cli.ts', "import { walk } from '../walk.ts';"],
    ['gateway/admin/cli.ts', "import type { Rooms } from '../walk.ts';"],
    ['gateway/admin/cli.ts', "const x = import('../server.ts');"],
    ['gateway/admin/cli.ts', "import { forward } from '../forward.ts';"],
    ['gateway/admin/cli.ts', "import { exchange } from '../exchange.ts';"],
    ['gateway/admin/cli.ts', "import { serve } from '../process.ts';"],
    ['gateway/admin/cli.ts', "import { readFacts } from '../request.ts';"],
    ['gateway/admin/cli-mcp.ts', "import { createMcpServer } from './mcp-server.ts';"],
    ['gateway/admin/cli-mcp.ts', "import { Server } from '@modelcontextprotocol/sdk/server/index.js';"],
    ['gateway/site.ts', "import { Server } from '@modelcontextprotocol/sdk/server/index.js';"],
    ['gateway/admin/http-mcp.ts', "import { createMcpServer } from './mcp-server.ts';"],
    ['gateway/tracing.ts', "import { createTracing } from './trace-export.ts';"],
    ['gateway/exchange.ts', "import { trace } from '@opentelemetry/api';"],
  ])('%s: %s', (path, text) => {
    expect(importsOf(path, text)).toEqual([expect.stringMatching(/:1 /)]);
  });

  test.each([
    ['policy/a.ts', "import * as v from 'valibot'; import type { Cell } from './types.ts';"],
    [
      'store/a.ts',
      "import type { Cell } from '../policy/types.ts'; import { createHash } from 'node:crypto';",
    ],
    ['gateway/a.ts', "import { StoreFault } from '../store/fault.ts'; import { Hono } from 'hono';"],
    ['gateway/a.ts', "import type { FailureBudget } from '../store/failure-budget.ts';"],
    ['gateway/main.ts', "import { openSqliteTokens } from '../store/tokens-sqlite.ts';"],
    ['gateway/admin/cli-tokens.ts', "import { openSqliteTokens } from '../../store/tokens-sqlite.ts';"],
    ['gateway/admin/cli.ts', "const x = import('../process.ts'); import { load } from '../config/load.ts';"],
    [
      'gateway/admin/cli.ts',
      "import { explain } from '../explain.ts'; import type { Head } from '../head.ts';",
    ],
  ])('nothing in %s: %s', (path, text) => {
    expect(importsOf(path, text)).toEqual([]);
  });
});

test('the rule of cycles catches a ring, and neither types nor lazy imports', () => {
  const ring = (how: string) => [
    readSource('gateway/a.ts', "import { b } from './b.ts';"),
    readSource('gateway/b.ts', "import { c } from './c.ts';"),
    readSource('gateway/c.ts', how),
  ];
  expect(cycles(ring("import { a } from './a.ts';"))).toEqual([
    'gateway/a.ts → gateway/b.ts → gateway/c.ts → gateway/a.ts',
  ]);
  expect(cycles(ring("import { type A } from './a.ts';"))).toHaveLength(1);
  expect(cycles(ring("import type { A } from './a.ts';"))).toEqual([]);
  expect(cycles(ring("const a = import('./a.ts');"))).toEqual([]);
  expect(cycles(planted('gateway/a.ts', "import { a } from './a.ts';"))).toHaveLength(1);
});

test('the rule of shapes catches barrels and default exports', () => {
  const barrels = [
    "export { a } from './a.ts';",
    "export * from './a.ts';",
    "import { a } from './a.ts'; export { a };",
    "/** Types. */\nexport type { A } from './a.ts';",
  ];
  for (const text of barrels) expect(shapeViolations(planted('store/all.ts', text))).toHaveLength(1);
  for (const text of ['export default 1;', 'const a = 1; export { a as default };']) {
    expect(shapeViolations(planted('store/a.ts', text))).toContain('store/a.ts:1 is a default export');
  }
  const honest = "import { a } from './a.ts'; export const b = a; export type { A } from './a.ts';";
  expect(shapeViolations(planted('store/a.ts', honest))).toEqual([]);
});

describe('the rule of words catches', () => {
  test.each([
    ['policy/a.ts', 'export async function f(x: unknown) {\n await x;\n}'],
    ['policy/a.ts', 'export async function f(x: AsyncIterable<1>) {\n for await (const y of x) g(y);\n}'],
    ['policy/a.ts', '\nconst now = Date.now();'],
    ['policy/a.ts', '\nconst now = new Date();'],
    ['policy/a.ts', '\nconst home = process.env.HOME;'],
    ['policy/a.ts', "\nfetch('http://h');"],
    ['policy/a.ts', '\nexport type A = (x: 1) => Response;'],
    ['store/a.ts', '\nexport const f = (): Response => new Response();'],
    ['store/a.ts', '\nconst status = 401;'],
    ['store/a.ts', '\nconst ok = token.scopes.includes(scope);'],
    ['gateway/a.ts', '\nconst db = new Kysely<Schema>({ dialect });'],
    ['gateway/a.ts', '\nconst redis = new Redis(url);'],
    ['gateway/a.ts', '\nconst rows = sql`select 1`;'],
  ])('%s: %j', (path, text) => {
    const caught = wordViolations(planted(path, text));
    expect(caught.length).toBeGreaterThan(0);
    for (const line of caught) expect(line).toMatch(new RegExp(`^${path}:2 has `));
  });

  test.each([
    ['policy/a.ts', "// await process.env, Date.now()\nconst text = 'fetch(Response)';"],
    ['policy/a.ts', 'const x = { process: 1, fetch: 2 };\nconst at = new Date(0).toISOString();'],
    ['store/a.ts', '/** answered as 401 */\nconst chunk = 500;'],
    ['gateway/main.ts', 'const redis = new Redis(url);'],
  ])('nothing in %s: %j', (path, text) => {
    expect(wordViolations(planted(path, text))).toEqual([]);
  });
});

test('the rule of lengths catches a file of 351 lines and a function of 71', () => {
  const lines = (count: number) => 'x();\n'.repeat(count);
  expect(tooLongFiles(planted('store/a.ts', lines(350)))).toEqual([]);
  expect(tooLongFiles(planted('store/a.ts', lines(351)))).toEqual(['store/a.ts has 351 lines']);
  const makers = [
    (body: string) => `\nfunction f() {\n${body}}`,
    (body: string) => `\nconst f = () => {\n${body}};`,
    (body: string) => `class A {\n  f() {\n${body}}}`,
    (body: string) => `const a = {\n  f() {\n${body}}};`,
  ];
  for (const make of makers) {
    expect(tooLongFunctions(planted('store/a.ts', make(lines(68))))).toEqual([]);
    expect(tooLongFunctions(planted('store/a.ts', make(lines(69))))).toEqual([
      'store/a.ts:2 is a function of 71 lines',
    ]);
  }
});

test('the rule of names catches a customer in code, comments, scripts and any case', () => {
  const name = ['Pio', 'nne'].join('');
  expect(customerNames([{ path: 'store/a.lua', text: `\n-- for ${name}` }])).toEqual([
    `store/a.lua:2 names ${name}`,
  ]);
  expect(customerNames([{ path: 'store/a.ts', text: name.toUpperCase() }])).toHaveLength(1);
  expect(customerNames([{ path: 'store/a.ts', text: 'pioneer' }])).toEqual([]);
});
