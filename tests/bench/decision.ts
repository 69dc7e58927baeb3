/** What a decision costs alone, without HTTP: µs of CPU per call with configs of several sizes, in turns. */
import { decide } from '../../policy/decide.ts';
import { chooseRow, rowSet } from '../../policy/rows.ts';
import type { Policy } from '../../policy/types.ts';
import { type Asked, byBearer, compileText, largeConfig, requestsTo } from '../support/large-config.ts';
import { medianOf } from '../support/median.ts';
import { noon } from '../support/policy.ts';

/** Each with a token of its own, so that only what is asked of the config differs. */
const requestsMin = 500;
const smallest = 5;

type Subject = {
  readonly rows: number;
  readonly all: boolean;
  readonly policy: Policy;
  readonly asked: readonly Asked[];
};
type Work = (subject: Subject, asked: Asked) => unknown;

export type Decision = {
  readonly rows: number;
  /** Whether every row is asked for in turn, or always the same five. */
  readonly all: boolean;
  /** Medians, by what is done. */
  readonly us: Readonly<Record<string, number>>;
};

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

/** The name of what a request pays: its row is found, and it is decided on. */
export const whole = 'find, choose, decide';

function subjectsOf(rows: number): readonly Subject[] {
  const policy = compileText(largeConfig(rows));
  const same = { rows, all: false, policy, asked: requestsTo(policy, smallest, requestsMin) };
  if (rows === smallest) return [same];
  return [same, { ...same, all: true, asked: requestsTo(policy, rows, Math.max(requestsMin, rows)) }];
}

/** µs of CPU per call of one round. */
function round(work: Work, subject: Subject, calls: number): number {
  const { asked } = subject;
  const before = process.cpuUsage();
  for (let n = 0; n < calls; ) {
    for (let index = 0; index < asked.length && n < calls; index++, n++) {
      const one = asked[index];
      if (one !== undefined && work(subject, one) === false) throw new Error('a no');
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

/** Five rows first, then each size with the same five and with all of its rows. */
export function measureDecisions(
  sizes: readonly number[],
  { rounds = 5, calls = 400_000, only = Object.keys(works) } = {},
): readonly Decision[] {
  const subjects = sizes.flatMap(subjectsOf);
  const us = subjects.map((): Record<string, number> => ({}));
  for (const name of only) {
    const work = works[name];
    if (work === undefined) continue;
    const figures = subjects.map((): number[] => []);
    for (let n = -1; n < rounds; n++) {
      for (const [index, subject] of subjects.entries()) {
        const figure = round(work, subject, calls);
        if (n >= 0) figures[index]?.push(figure);
      }
    }
    for (const [index, list] of figures.entries()) Object.assign(us[index] ?? {}, { [name]: medianOf(list) });
  }
  return subjects.map(({ rows, all }, index) => ({ rows, all, us: us[index] ?? {} }));
}
