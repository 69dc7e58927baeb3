/**
 * What a look-up costs in a process that was never asked for that token before: `find` of the store that a config names.
 * By itself: CONFIG ROWS COUNT, then how many are asked at once; for each of those it prints a line of JSON.
 */
import { loadConfig } from '../../../gateway/config/load.ts';
import { openStore } from '../../../gateway/open-store.ts';
import { quantile } from '../statistics.ts';
import { tokenOf } from './token-tables.ts';

export type Finds = {
  readonly atOnce: number;
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
};

const [config = '', rowsText, countText, ...ways] = process.argv.slice(2);
const [rows, count] = [Number(rowsText), Number(countText)];
/** Asked for again and again before anything is measured, until the code is compiled; never measured. */
const warmRows = 100;
const warmMs = 600;
const warmFinds = 500;

const loading = loadConfig(config, process.env);
const type = loading.ok ? loading.config.policy.types.get('service') : undefined;
if (!loading.ok || type === undefined) throw new Error('the config does not load');
const store = await openStore(loading.config.store, { now: Date.now });
const types = [type];
const coldRows = rows - warmRows;

async function ask(tokens: readonly string[], atOnce: number): Promise<Finds> {
  const times: number[] = [];
  let next = 0;
  const before = process.cpuUsage();
  const worker = async (): Promise<void> => {
    for (let token = tokens[next++]; token !== undefined; token = tokens[next++]) {
      const began = performance.now();
      const found = store.find(token, types);
      const record = found instanceof Promise ? await found : found;
      times.push((performance.now() - began) * 1000);
      if (record === null) throw new Error('a token that is there was not found');
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(before);
  const [p50Us, p99Us] = [quantile(times, 0.5), quantile(times, 0.99)];
  return { atOnce, cpuUs: (user + system) / tokens.length, p50Us, p99Us };
}

const each = Math.min(count, Math.floor(coldRows / ways.length));
/** 7919 is prime: the tokens come in no order that a cache would like, and none twice. */
const coldToken = (n: number): string => tokenOf((n * 7919) % coldRows);
for (const [turn, way] of ways.entries()) {
  const warm = Array.from({ length: warmFinds }, (_, n) => tokenOf(coldRows + (n % warmRows)));
  for (const untilMs = performance.now() + warmMs; performance.now() < untilMs; )
    await ask(warm, Number(way));
  // What compiles and collects beside us gets to its end.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const tokens = Array.from({ length: each }, (_, n) => coldToken(turn * each + n));
  console.log(JSON.stringify(await ask(tokens, Number(way))));
}
await store.close();
