/** Whatever is given to a tool, its answer is one, and nothing changes that was not allowed to. */
import { CallToolResultSchema, type Tool } from '@modelcontextprotocol/sdk/types.js';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { commandLine, shownText } from '../../gateway/admin/mcp-text.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { mcpHere } from '../fixtures/mcp.ts';
import { mcpDesk } from './mcp-desk.ts';

const odd = fc.constantFrom(
  '',
  ' ',
  '\0',
  '\ud800',
  '../../x',
  'tok_',
  "'; drop table tokens; --",
  '__proto__',
  '*',
);
const word = fc.oneof(
  odd,
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('prj_a', 'project=prj_a', 'app'),
);
const value = fc.oneof(
  { weight: 6, arbitrary: word },
  { weight: 2, arbitrary: fc.array(word, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.integer() },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);
const argumentsFor = ({ inputSchema }: Tool) => {
  const names = Object.keys(inputSchema.properties ?? {}).filter((name) => name !== 'dryRun');
  const some = fc.subarray([...names, 'constructor', 'token_id']);
  return some.chain((chosen) => fc.record(Object.fromEntries(chosen.map((name) => [name, value]))));
};
/** Such that most are taken. */
const likelyFor = (tool: Tool, ids: readonly string[]) => {
  const mostly = (right: fc.Arbitrary<unknown>, wrong: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrong });
  const some = (...right: readonly string[]) => fc.subarray([...right]);
  const texts: Record<string, fc.Arbitrary<unknown>> = {
    tokenId: mostly(fc.constantFrom(...ids), word),
    label: mostly(fc.constant('CI'), word),
    scopes: mostly(some('events:read', 'events:write'), fc.constant(['events:none'])),
    projects: mostly(some('a', 'b c'), fc.array(word)),
    allowedOrigins: mostly(some('https://a.example', 'http://b.example:81/x?y'), some('null', '*')),
    expiresInSeconds: mostly(fc.integer({ min: 1, max: 3e9 }), fc.constantFrom(0, 4e9)),
    retireWhenQuiet: mostly(fc.boolean(), fc.constantFrom(0, 'true')),
    overlapSeconds: mostly(fc.integer({ min: 0, max: 3e8 }), fc.constantFrom(-1, 4e8)),
    pin: mostly(fc.constant('app'), fc.constant('ap')),
    subject: mostly(fc.constant('project=prj_a'), fc.constantFrom('project=prj_b', 'project=')),
    reason: mostly(fc.constant('gone'), fc.constant('')),
    labelPattern: mostly(fc.constant('pay.*'), fc.constantFrom(' ', '\u00e4')),
  };
  const owner = mostly(fc.constant('prj_a'), fc.constantFrom('prj_b', ''));
  const names = Object.keys(tool.inputSchema.properties ?? {});
  const { required = [] } = tool.inputSchema;
  return fc.record(
    Object.fromEntries(
      names.flatMap((name) =>
        texts[name] === undefined && !required.includes(name) ? [] : [[name, texts[name] ?? owner]],
      ),
    ),
    { requiredKeys: [...required].filter((name) => names.includes(name)) },
  );
};

/** A folder, and its store, which stays open: whoever calls could write to it, were it not for the tools. */
async function desk() {
  const terminal = await mcpDesk();
  const store = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
  onTestFinished(() => store.close());
  const config = terminal.path('gateway.config.yaml');
  const maker = await mcpHere(config, { allow: ['apply'], store });
  const ids: string[] = [];
  for (let count = 0; count < 8; count++) {
    const { token } = await maker.ask('create_project_token', { project: 'prj_a', label: `${count}` });
    ids.push(token.id);
  }
  await store.disable(ids[0] ?? '', 'tests');
  const everything = { limit: 1000, after: null, subject: null };
  const state = async () =>
    JSON.stringify([
      await store.list({ limit: 1000 }),
      await store.pins.list({ ...everything, pin: null }),
      await store.audit.list(everything),
    ]);
  return { config, store, ids, state };
}

describe('whatever is given', () => {
  test('without apply, every answer is well-formed and nothing changes', async () => {
    const { config, store, state } = await desk();
    const mcp = await mcpHere(config, { allow: ['read', 'propose'], store });
    const tools = await mcp.tools();
    const before = await state();
    const any = fc
      .constantFrom(...tools)
      .chain((tool) => fc.tuple(fc.constant(tool.name), argumentsFor(tool)));
    await fc.assert(
      fc.asyncProperty(any, async ([name, args]) => {
        // The client holds structured answers to their output schemas.
        const answer = CallToolResultSchema.parse(await mcp.call(name, args));
        expect(answer.content.every((one) => one.type === 'text' && one.text !== '')).toBe(true);
        expect(answer.isError === true).toBe(answer.structuredContent === undefined);
        const { applied = false } = answer.structuredContent ?? {};
        expect(applied).toBe(false);
        const told = JSON.stringify(answer);
        expect(told.split('\\n').map(shownText).join('\\n')).toBe(told);
      }),
      { numRuns: 400 },
    );
    expect(mcp.stderr()).toBe('');
    expect(await state()).toBe(before);
  });

  test('a dry run says yes to just what is then done', async () => {
    const { config, store, ids } = await desk();
    const mcp = await mcpHere(config, { allow: ['propose', 'apply'], store });
    const tools = await mcp.tools();
    const any = fc
      .constantFrom(...tools)
      .chain((tool) => fc.tuple(fc.constant(tool.name), likelyFor(tool, ids)));
    let done = 0;
    await fc.assert(
      fc.asyncProperty(any, async ([name, args]) => {
        const dry = await mcp.call(name, { ...args, dryRun: true });
        const real = await mcp.call(name, args);
        expect(dry.isError).toBe(real.isError);
        if (real.isError) {
          expect(real).toEqual(dry);
          return;
        }
        done++;
        expect([dry.structuredContent?.applied, real.structuredContent?.applied]).toEqual([false, true]);
      }),
      { numRuns: 200 },
    );
    expect(done).toBeGreaterThan(20);
    expect(mcp.stderr()).toBe('');
  });

  test('a command line is read by a shell as it was meant', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (words) => {
        const line = commandLine(words);
        if (line === null) return;
        const read: string[] = [];
        for (const [, piece = ''] of line.matchAll(/((?:'[^']*'|\\'|[^'\\ ])+)(?: |$)/g)) {
          read.push(piece.replace(/'([^']*)'|\\(')/g, (_all, inner, quote) => inner ?? quote));
        }
        expect(read).toEqual(words);
      }),
    );
    expect(commandLine(['a\u202eb'])).toBeNull();
  });
});

test('who holds few scopes has few tools', async () => {
  const terminal = await mcpDesk();
  const holds = (scope: string) => scope === 'pins:read';
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), {
    allow: ['read', 'propose', 'apply'],
    holds,
  });
  expect((await mcp.tools()).map(({ name }) => name)).toEqual(['list_pins']);
  expect(await mcp.refused('list_tokens')).toMatch(/^no tool is called/);
});
