/** An answer is as new as its question: nobody joins a query that was sent before they asked. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coalesce } from '../../store/postgres/coalesce.ts';
import { fuzz } from '../support/fuzz.ts';

/** A query on its way; `beganAt` is what the clock said when it was sent. */
type Query = {
  readonly keys: readonly string[];
  readonly beganAt: number;
  readonly end: (error?: Error) => void;
};

/** Answers each key with when its query was sent; queries end when they are told to. */
function stand(inFlightMax: number, keysMax: number) {
  const clock = { now: 0 };
  const open: Query[] = [];
  let most = 0;
  const ask = coalesce<number>({
    inFlightMax,
    keysMax,
    ask: (keys) =>
      new Promise((resolve, reject) => {
        const beganAt = clock.now;
        const query: Query = {
          keys,
          beganAt,
          end: (error) => {
            open.splice(open.indexOf(query), 1);
            if (error === undefined) resolve(new Map(keys.map((key) => [key, beganAt])));
            else reject(error);
          },
        };
        open.push(query);
        most = Math.max(most, open.length);
      }),
  });
  return { ask, clock, open, most: () => most };
}

/** What the end of a query sets off is due at the end of the turn after. */
async function dueQueries(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ ask: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 2, arbitrary: fc.record({ end: fc.nat(3), fails: fc.boolean() }) },
);

test('whatever the order of questions and answers, each query was sent after all of its questions', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, inFlightMax, keysMax) => {
        const { ask, clock, open, most } = stand(inFlightMax, keysMax);
        const asked: { readonly at: number; readonly answer: Promise<number | undefined | Error> }[] = [];
        for (const one of steps) {
          clock.now += 1;
          if ('ask' in one) {
            asked.push({ at: clock.now, answer: ask(one.ask).catch((error: Error) => error) });
          } else {
            open[one.end % Math.max(1, open.length)]?.end(one.fails ? new Error('lost') : undefined);
          }
          await new Promise((resolve) => setImmediate(resolve));
          for (const { keys } of open) {
            expect(new Set(keys).size).toBe(keys.length);
            expect(keys.length).toBeLessThanOrEqual(keysMax);
          }
        }
        await dueQueries();
        while (open.length > 0) {
          open[0]?.end();
          await dueQueries();
        }
        for (const { at, answer } of asked) {
          const sentAt = await answer;
          if (!(sentAt instanceof Error)) expect(sentAt).toBeGreaterThanOrEqual(at);
        }
        expect(most()).toBeLessThanOrEqual(inFlightMax);
      },
    ),
    fuzz(100),
  );
});

test('what gathers goes in one query, each key once; a key without an answer has none', async () => {
  const { ask, open } = stand(1, 10);
  const first = ask('a');
  const rest = ['a', 'b', 'a', 'c'].map(ask);
  expect(open.map(({ keys }) => keys)).toEqual([['a']]);
  open[0]?.end();
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect(open.map(({ keys }) => keys)).toEqual([['a', 'b', 'c']]);
  open[0]?.end();
  await Promise.all(rest);
  const none = coalesce({ inFlightMax: 1, keysMax: 1, ask: async () => new Map() });
  expect(await none('x')).toBeUndefined();
});
