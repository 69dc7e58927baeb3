/**
 * `npm run scale`: how Postern's figures change with sizes, as plots and tables; docs/speed.md shows them.
 *
 *     npm run scale -- [--only NAME,NAME] [--quick] [--json FILE] [--svg FOLDER]
 *
 * NAME is a curve's. Without --quick the plots go into docs/speed. What cannot be measured here is left out, and the output says why.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { provide, thisMachine } from '../support/servers.ts';
import { freePort, leaveCoreZero, pinning } from './machine.ts';
import { startUpstream } from './peers/nginx.ts';
import { goalsTable, scaleGoals, table } from './report.ts';
import { bodiesCurve } from './scale/bodies.ts';
import { connectionsCurve } from './scale/connections.ts';
import type { Curve, Figures } from './scale/curve.ts';
import { doorsCurve } from './scale/doors.ts';
import { floodCurve } from './scale/flood.ts';
import { limitSizeCurve, limitsCurve } from './scale/limits.ts';
import { plotSvg } from './scale/plot.ts';
import { rowsCurve } from './scale/rows.ts';
import type { Stand } from './scale/stand.ts';
import { tokensCurve } from './scale/tokens.ts';

const curves: Readonly<Record<string, (stand: Stand) => Promise<Curve>>> = {
  rows: rowsCurve,
  tokens: tokensCurve,
  connections: connectionsCurve,
  bodies: bodiesCurve,
  limits: limitsCurve,
  'limit-size': limitSizeCurve,
  flood: floodCurve,
  doors: doorsCurve,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
  },
});
/** A smoke test puts its plots in nobody's place. */
const plotFolder = values.svg ?? (values.quick ? null : resolve(import.meta.dirname, '../../docs/speed'));
const wanted = values.only?.split(',').map((name) => name.trim());
for (const name of wanted ?? []) {
  if (!(name in curves)) throw new Error(`there is no curve "${name}": ${Object.keys(curves).join(', ')}`);
}

function titleOf({ name, plot }: Curve): string {
  return `${name}: ${plot?.title ?? 'no plot'}`;
}

function print(curve: Curve): void {
  const lines = [table(curve.table.head, curve.table.rows), ...curve.notes.map((note) => `\n${note}`)];
  console.log(`\n## ${titleOf(curve)}\n\n${lines.join('\n')}`);
  if (curve.plot === null || plotFolder === null) return;
  mkdirSync(plotFolder, { recursive: true });
  writeFileSync(join(plotFolder, `${curve.name}.svg`), plotSvg(curve.plot));
}

async function main(): Promise<void> {
  for (const program of ['wrk', 'nginx']) {
    const found = provide(thisMachine, program, program, `put ${program} on PATH`);
    if (found.state === 'missing')
      throw new Error(`nothing can be measured without ${program}: ${found.remedy}`);
  }
  leaveCoreZero();
  const begun = Date.now();
  const seconds = () => Math.round((Date.now() - begun) / 1000);
  const folder = mkdtempSync(join(tmpdir(), 'postern-scale-'));
  // nginx gives up root, and its worker must get in.
  chmodSync(folder, 0o755);
  // The servers that are started here put what they keep into the same folder.
  process.env.TMPDIR = folder;
  const stand: Stand = {
    folder,
    upstreamPort: await freePort(),
    isQuick: values.quick,
    rounds: values.quick ? 1 : 3,
    seconds: values.quick ? 1 : 2,
    warmSeconds: values.quick ? 0 : 4,
    say: (text) => process.stderr.write(`${String(seconds()).padStart(5)} s  ${text}\n`),
  };
  const upstream = await startUpstream(stand);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Gigabytes must not stay behind a run that was cut short.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      remove();
      void upstream.stop().finally(() => process.exit(1));
    });
  }
  const done: Curve[] = [];
  let figures: Figures = {};
  try {
    for (const [name, measure] of Object.entries(curves)) {
      if (wanted?.includes(name) === false) continue;
      stand.say(name);
      try {
        const curve = await measure(stand);
        done.push(curve);
        figures = { ...figures, ...curve.figures };
        print(curve);
      } catch (error) {
        // The others are still worth having.
        process.exitCode = 1;
        console.log(
          `\n## ${name}\n\nnot measured: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
  } finally {
    await upstream.stop();
    remove();
  }
  const cores = pinning.on
    ? 'gateways on core 0, everything else on core 1'
    : `nothing pinned: ${pinning.why}`;
  const how = `${values.quick ? 'quick, only a smoke test; ' : ''}${cores}; node ${process.versions.node}; ${seconds()} s in all`;
  console.log(`\n${how}\n\n${goalsTable(scaleGoals(figures))}`);
  if (values.json === undefined) return;
  const file = resolve(values.json);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ how, figures, curves: done }, null, 2)}\n`);
}

await main();
