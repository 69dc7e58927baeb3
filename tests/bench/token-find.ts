/** Prints what a look-up costs on SQLite: µs per find at some table sizes, and the event loop's longest gap under bcrypt. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenType } from '../../policy/token-types.ts';
import { digestOf } from '../../store/secret.ts';
import type { TokenStore } from '../../store/token-store.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { longestGapMs } from '../store/event-loop.ts';
import { importedToken, newToken, PEPPERED, PIPED, tokenType, USER } from '../store/token-types.ts';

const FINDS = 100_000;
const ROUNDS = 5;
const TABLE_SIZES = [1_000, 100_000];
const FORMAT_ROWS = 2_000;

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
try {
  for (const size of TABLE_SIZES) await measureFinds(size);
  await measureFormats();
  await measureGap();
} finally {
  rmSync(folder, { recursive: true });
}

async function measureFinds(size: number): Promise<void> {
  const store = await openSqliteTokens({ path: join(folder, `${size}.db`), now: Date.now });
  const texts = Array.from({ length: size }, (_, n) => `usr_${digestOf(String(n)).slice(0, 48)}`);
  await store.import(
    texts.map((text) =>
      importedToken(
        USER,
        { sha256: digestOf(text) },
        { scopes: ['events:write'], attributes: new Map([['project', 'p-1']]) },
      ),
    ),
  );
  const misses = texts.map((text) => text.toUpperCase());
  const hit = medianMicros(store, texts, USER);
  const miss = medianMicros(store, misses, USER);
  console.log(
    `sha256, ${size} rows: hit ${hit.toFixed(1)} µs, miss ${miss.toFixed(1)} µs (median of ${ROUNDS})`,
  );
  await store.close();
}

/** The same number of rows of each format in one table; a miss is asked under every pepper. */
async function measureFormats(): Promise<void> {
  const path = join(folder, 'formats.db');
  const open = (...list: string[]) =>
    openSqliteTokens({ path, now: Date.now, peppers: new Map([[PEPPERED.name, list]]) });
  const [old, current, third] = [
    'old pepper '.repeat(3),
    'current pepper '.repeat(3),
    'third pepper '.repeat(3),
  ];
  const types = [USER, PIPED, PEPPERED];
  const made = new Map<TokenType, string[]>(types.map((type) => [type, []]));
  const store = await open(current);
  for (const [type, texts] of made) {
    while (texts.length < FORMAT_ROWS) {
      const creations = Array.from({ length: 100 }, () => store.create(newToken(type)));
      for (const { plaintext } of await Promise.all(creations)) texts.push(plaintext);
    }
  }
  for (const [type, texts] of made) report(store, type.name, type, texts);
  await store.close();
  const two = await open(current, old);
  report(two, 'peppered, 2 peppers', PEPPERED, made.get(PEPPERED) ?? []);
  await two.close();
  const three = await open(current, old, third);
  report(three, 'peppered, 3 peppers', PEPPERED, made.get(PEPPERED) ?? []);
  await three.close();
}

function report(store: TokenStore, label: string, type: TokenType, texts: readonly string[]): void {
  const hit = medianMicros(store, texts, type);
  const miss = medianMicros(
    store,
    texts.map((text) => `${text}x`),
    type,
  );
  console.log(`${label}, ${FORMAT_ROWS} rows: hit ${hit.toFixed(1)} µs, miss ${miss.toFixed(1)} µs`);
}

function medianMicros(store: TokenStore, texts: readonly string[], type: TokenType): number {
  const types = [type];
  const rounds = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    // 7919 is prime: the tokens come in no order that the page cache would like.
    for (let n = 0; n < FINDS; n++) store.find(texts[(n * 7919) % texts.length] ?? '', types);
    return ((performance.now() - started) * 1_000) / FINDS;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
}

async function measureGap(): Promise<void> {
  const type = tokenType('project', 'prj_', { use: 'bcrypt', cost: 10, lookupChars: 12, thenSha256: true });
  const path = join(folder, 'bcrypt.db');
  const store = await openSqliteTokens({ path, now: Date.now, verifier: { threads: 1, queueMax: 16 } });
  const { plaintext } = await store.create(newToken(type));
  const asked = Array.from({ length: 16 }, (_, n) => store.find(`${plaintext.slice(0, 20)}${n}`, [type]));
  const started = performance.now();
  const gapMs = await longestGapMs(Promise.all(asked));
  const eachMs = (performance.now() - started) / asked.length;
  console.log(
    `bcrypt cost 10, 16 queued, 1 thread: ${eachMs.toFixed(0)} ms each, longest loop gap ${gapMs.toFixed(1)} ms`,
  );
  await store.close();
}
