/**
 * What the size of a config costs: `node tests/bench/config-size.ts`. From a file's text to the Policy, and what a
 * request then pays to find its row and be decided on, with 5 rows and with 500; the rounds of both take turns.
 * "same 5" asks both for the same five rows; "all 500" asks for every row in turn, which a CPU's caches like less.
 */
import { decide } from '../../policy/decide.ts';
import { chooseRow, rowSet } from '../../policy/rows.ts';
import type { Policy } from '../../policy/types.ts';
import { type Asked, byBearer, compileText, largeConfig, requestsTo } from '../support/large-config.ts';
import { medianOf } from '../support/median.ts';
import { noon } from '../support/policy.ts';

const ROUNDS = 5;
const CALLS = 400_000;
/** Each with a token of its own, so that only what is asked of the config differs. */
const REQUESTS = 500;
const COMPILES = 15;
const SIZES = [5, 500] as const;

type Subject = { readonly what: string; readonly policy: Policy; readonly asked: readonly Asked[] };
type Work = (subject: Subject, asked: Asked) => unknown;

const compileMs: string[] = [];
const subjects = SIZES.map((rows): Subject => {
  const text = largeConfig(rows);
  const started = performance.now();
  const policy = compileText(text);
  const cold = performance.now() - started;
  const warm = Array.from({ length: COMPILES }, () => {
    const before = performance.now();
    compileText(text);
    return performance.now() - before;
  });
  const figures = [cold, medianOf(warm), Math.min(...warm)].map((ms) => ms.toFixed(1).padStart(8));
  compileMs.push(`${`${rows} rows, ${text.length} bytes`.padEnd(34)}${figures.join('')}`);
  return { what: `${rows} rows, same 5`, policy, asked: requestsTo(policy, SIZES[0], REQUESTS) };
});
console.log(`${'text to Policy, ms'.padEnd(34)}   first  median    best`);
for (const line of compileMs) console.log(line);

const large = subjects.at(-1);
if (large !== undefined) {
  subjects.push({
    ...large,
    what: `${SIZES[1]} rows, all 500`,
    asked: requestsTo(large.policy, SIZES[1], REQUESTS),
  });
}

const works: Readonly<Record<string, Work>> = {
  find: ({ policy }, { facts }) => policy.find(facts.host, facts.path),
  decide: ({ policy }, { match, facts, token }) =>
    decide(policy, match, facts, token, noon, undefined, byBearer),
  'find, choose, decide': ({ policy }, { facts, token }) => {
    const rows = rowSet(policy, facts);
    const match = rows.ok ? chooseRow(rows.value, facts) : rows;
    return match.ok && decide(policy, match.value, facts, token, noon, undefined, byBearer);
  },
};

/** µs of CPU per call of one round. */
function round(work: Work, subject: Subject): number {
  const { asked } = subject;
  const before = process.cpuUsage();
  for (let n = 0; n < CALLS; ) {
    for (let index = 0; index < asked.length && n < CALLS; index++, n++) {
      const one = asked[index];
      if (one !== undefined && work(subject, one) === false) throw new Error('a no');
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

console.log(
  `\n${'µs of CPU per call, median of 5'.padEnd(34)}${subjects.map(({ what }) => what.padStart(19)).join('')}`,
);
for (const [name, work] of Object.entries(works)) {
  const figures = subjects.map((): number[] => []);
  for (let n = -1; n < ROUNDS; n++) {
    for (const [index, subject] of subjects.entries()) {
      const us = round(work, subject);
      if (n >= 0) figures[index]?.push(us);
    }
  }
  const medians = figures.map(medianOf);
  const cells = medians.map((us) => `${us.toFixed(3)} (${(us / (medians[0] ?? 1)).toFixed(2)})`.padStart(19));
  console.log(`${name.padEnd(34)}${cells.join('')}`);
}
