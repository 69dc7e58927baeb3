/** Tens of thousands of tokens kept elsewhere, brought in by the real command and used at a real gateway, on either store. */
import { createHash } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../gateway/open-store.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import { loaded } from '../fixtures/config.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { startUpstream } from '../fixtures/upstream.ts';
import { bcryptTokens, tokenText } from './bcrypt-rows.ts';
import { Terminal } from './terminal.ts';

const isFull = process.env.FULL === '1';
const ROWS = 10_000;
const DEAR = 20;
/** How many bcrypt rows are used. Comparing is the same on both, so the second need not pay for as many again. */
const used = isFull
  ? { SQLite: { cheap: ROWS, dear: DEAR }, PostgreSQL: { cheap: ROWS, dear: DEAR } }
  : { SQLite: { cheap: 500, dear: 5 }, PostgreSQL: { cheap: 100, dear: 2 } };
/** As many comparisons at once as the verifier's queue surely takes. */
const AT_ONCE = 8;

const config = (upstream: string) => `
upstreams:
  app: { url: ${upstream} }
token_types:
  user: { prefix: usr_, grantable: [events:read], attributes: { team: optional } }
  legacy: { prefix: old_, hash: { use: bcrypt, cost: 10, lookup_chars: 12, then: sha256 }, scopes: [events:write] }
scopes:
  events:read: Read events
  events:write: Send events
apis:
  main:
    to: app
    routes:
      GET /events: { allow: { user: events:read, legacy: any_scope } }
`;

const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');
const users = Array.from({ length: ROWS }, (_, index) => tokenText('usr_', index));
const isCheapUsed = (index: number) => index < AT_ONCE || isSpread(index, ROWS, used.SQLite.cheap);
const [cheap, dear] = await Promise.all([
  bcryptTokens('old_', ROWS, 4, isCheapUsed),
  bcryptTokens('old_dear_', DEAR, 10, (index) => index < used.SQLite.dear),
]);

const bad: readonly (readonly [line: number, text: string, message: string])[] = [
  [1, '{"type":', 'not JSON; write one JSON object a line'],
  [700, '{"type":"user","sha256":"abc"}', 'sha256 is wrong; write 64 hex digits'],
  [
    12_345,
    JSON.stringify({ type: 'legacy', bcrypt: cheap[0]?.bcrypt }),
    'lookup is missing or has another length; write the first 12 characters of the token',
  ],
  [20_024, '{"type":"gone"}', 'unknown token type; known here: user, legacy'],
];

function rowsFile(): string {
  const rows = [
    ...users.map((token, index) => ({
      type: 'user',
      sha256: sha256(token),
      scopes: ['events:read'],
      attributes: { team: `team-${index % 50}` },
    })),
    ...[...cheap, ...dear].map(({ token, bcrypt }) => ({
      type: 'legacy',
      bcrypt,
      lookup: token.slice(0, 12),
      label: sha256(token),
    })),
  ].map((row) => JSON.stringify(row));
  for (const [line, text] of bad) rows.splice(line - 1, 0, text);
  return `${rows.join('\n')}\n`;
}

/** A token that differs in its last character: found by the same first characters, and wrong. */
const wrong = (token: string): string => token.slice(0, -1) + (token.endsWith('0') ? '1' : '0');

type Find = (token: string) => TokenRecord | null | Promise<TokenRecord | null>;

/** What each token's record is, some at once. */
async function findAll(find: Find, tokens: readonly string[], atOnce = AT_ONCE) {
  const found: (TokenRecord | null)[] = [];
  for (let start = 0; start < tokens.length; start += atOnce) {
    found.push(...(await Promise.all(tokens.slice(start, start + atOnce).map(find))));
  }
  return found;
}

async function storeOf(kind: 'SQLite' | 'PostgreSQL', terminal: Terminal): Promise<string> {
  if (kind === 'SQLite') return `store: { url: "sqlite:${terminal.path('data/postern.db')}" }`;
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  return `store: { url: "${database.url}" }`;
}

test.each(['SQLite', 'PostgreSQL'] as const)(
  '20,020 imported rows on %s: every token works, and no other; twice is once; bad rows are named',
  { timeout: isFull ? 300_000 : 60_000 },
  async (kind) => {
    const upstream = await startUpstream();
    onTestFinished(upstream.stop);
    const terminal = new Terminal();
    const store = await storeOf(kind, terminal);
    const yaml = config(upstream.url);
    terminal.write('gateway.config.yaml', `version: 1\n${store}\n${yaml}`);
    const file = terminal.write('rows.jsonl', rowsFile());
    const problems = bad.map(([line, , message]) => ({ line, message }));

    const started = performance.now();
    const told = await terminal.spawn('token', 'import', '--file', file, '--json');
    const seconds = (performance.now() - started) / 1000;
    expect(JSON.parse(told.stdout)).toEqual({ imported: 2 * ROWS + DEAR, skipped: 0, problems });
    expect(told).toMatchObject({ code: 1, stderr: '' });
    if (isFull) console.log(`${kind}: ${Math.round((2 * ROWS) / seconds)} rows/s, the start included`);
    const again = await terminal.json('token', 'import', '--file', file);
    expect(again).toEqual({ imported: 0, skipped: 2 * ROWS + DEAR, problems });

    const gateway = await startTestGateway(yaml, store);
    let isStopped = false;
    onTestFinished(() => (isStopped ? undefined : gateway.stop()));
    const types = [...gateway.running.config().policy.types.values()];
    const find: Find = (token) => gateway.running.tokens.find(token, types);
    const statuses = (tokens: readonly string[]) =>
      Promise.all(tokens.map(async (token) => (await ask(gateway.url, token)).status));

    // Through the gate: as many bcrypt tokens at once as its queue takes, and no more.
    const first = cheap.slice(0, AT_ONCE).map(({ token }) => token);
    expect(await statuses([...users.slice(0, 100), ...first])).toEqual(Array(108).fill(200));
    expect(await statuses([...users.slice(0, 100), ...first].map(wrong))).toEqual(Array(108).fill(401));

    const found = await findAll(find, users, 500);
    expect(found.map((record) => record?.attributes.get('team'))).toEqual(
      users.map((_, index) => `team-${index % 50}`),
    );
    const strangers = spread(users, isFull ? ROWS : 1000).map(wrong);
    expect(await findAll(find, strangers, 500)).toEqual(Array(strangers.length).fill(null));

    const some = used[kind];
    // The wrong ones first: beside a row that has its digest, nothing is left to compare.
    const others = [...dear.slice(0, 2), ...spread(cheap, some.cheap / 5)].map(({ token }) => wrong(token));
    expect(await findAll(find, others)).toEqual(Array(others.length).fill(null));
    const legacy = [...dear.slice(0, some.dear), ...spread(cheap, some.cheap)].map(({ token }) => token);
    const labels = legacy.map(sha256);
    expect((await findAll(find, legacy)).map((record) => record?.label)).toEqual(labels);
    isStopped = true;
    await gateway.stop();

    // The first use has kept the digest: nobody pays for bcrypt again.
    await expectFoundByDigest(`version: 1\n${store}\n${yaml}`, types, legacy, labels);
  },
);

const ask = (url: string, token: string) =>
  fetch(`${url}/events`, { headers: { Authorization: `Bearer ${token}` } });

/** Some of the items, from all over the list. Those of a fewer that divides the more are among these. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  return items.filter((_, index) => isSpread(index, items.length, count));
}

function isSpread(index: number, length: number, count: number): boolean {
  return index % Math.floor(length / count) === 0;
}

async function expectFoundByDigest(
  yaml: string,
  types: readonly TokenType[],
  tokens: readonly string[],
  labels: readonly string[],
): Promise<void> {
  const store = await openStore(loaded(yaml).store, { now: Date.now });
  try {
    const found = await findAll((token) => store.find(token, types), tokens);
    expect(found.map((record) => record?.label)).toEqual(labels);
    expect(store.verifierCompleted()).toBe(0);
  } finally {
    await store.close();
  }
}
