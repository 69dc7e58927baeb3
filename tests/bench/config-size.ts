/**
 * What the size of a config costs: `node tests/bench/config-size.ts`. From a file's text to the Policy, and what a
 * request then pays to find its row and be decided on, with 5 rows and with 500; the rounds of both take turns.
 * "same 5" asks both for the same five rows; "all 500" asks for every row in turn, which a CPU's caches like less.
 * With sizes behind it, it prints only what the whole decision costs at those, as JSON.
 */
import { compileText, largeConfig } from '../support/large-config.ts';
import { medianOf } from '../support/median.ts';
import { measureDecisions, whole } from './decision.ts';

const COMPILES = 15;
const SIZES = [5, 500] as const;

function compileLine(rows: number): string {
  const text = largeConfig(rows);
  const started = performance.now();
  compileText(text);
  const cold = performance.now() - started;
  const warm = Array.from({ length: COMPILES }, () => {
    const before = performance.now();
    compileText(text);
    return performance.now() - before;
  });
  const figures = [cold, medianOf(warm), Math.min(...warm)].map((ms) => ms.toFixed(1).padStart(8));
  return `${`${rows} rows, ${text.length} bytes`.padEnd(34)}${figures.join('')}`;
}

function main(): void {
  console.log(`${'text to Policy, ms'.padEnd(34)}   first  median    best`);
  for (const rows of SIZES) console.log(compileLine(rows));
  const measured = measureDecisions(SIZES);
  const heads = measured.map(({ rows, all }) => `${rows} rows, ${all ? `all ${rows}` : 'same 5'}`);
  console.log(
    `\n${'µs of CPU per call, median of 5'.padEnd(34)}${heads.map((head) => head.padStart(19)).join('')}`,
  );
  const [first] = measured;
  for (const [name, least] of Object.entries(first?.us ?? {})) {
    const cells = measured.map(({ us }) => {
      const figure = us[name] ?? Number.NaN;
      return `${figure.toFixed(3)} (${(figure / least).toFixed(2)})`.padStart(19);
    });
    console.log(`${name.padEnd(34)}${cells.join('')}`);
  }
}

const asked = process.argv.slice(2).map(Number);
if (asked.length === 0) main();
else console.log(JSON.stringify(measureDecisions(asked, { calls: 100_000, only: [whole] })));
