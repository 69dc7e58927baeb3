import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createBatch } from '../../store/batch.ts';

/** What a call's return sets off is due at the end of the turn after. */
async function endOfTurn(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

/** A batch whose calls return when they are told to. */
function observedBatch(inFlightMax = 2, jobsMax = 100) {
  const sent: (readonly number[])[] = [];
  const returns: (() => void)[] = [];
  const gate = { open: true };
  const batch = createBatch<number>({
    send: (jobs) => {
      sent.push(jobs);
      return new Promise((resolve) => returns.push(resolve));
    },
    open: () => gate.open,
    inFlightMax,
    jobsMax,
  });
  return { batch, sent, returns, gate };
}

test('idle, a job leaves at once', () => {
  const { batch, sent } = observedBatch();
  batch.add(1);
  expect(sent).toEqual([[1]]);
});

test('what comes while a call is out leaves together, when the turn ends', async () => {
  const { batch, sent } = observedBatch();
  for (const job of [1, 2, 3, 4]) batch.add(job);
  expect(sent).toEqual([[1]]);
  await endOfTurn();
  expect(sent).toEqual([[1], [2, 3, 4]]);
});

test('after a turn with several, the first of the next waits for its fellows', async () => {
  const { batch, sent, returns } = observedBatch();
  for (const job of [1, 2, 3]) batch.add(job);
  await endOfTurn();
  for (const settle of returns.splice(0)) settle();
  await endOfTurn();
  for (const job of [4, 5]) batch.add(job);
  expect(sent).toEqual([[1], [2, 3]]);
  await endOfTurn();
  expect(sent).toEqual([[1], [2, 3], [4, 5]]);
});

test('after a turn with one, the next job leaves at once again', async () => {
  const { batch, sent, returns } = observedBatch();
  for (const job of [1, 2, 3]) batch.add(job);
  await endOfTurn();
  batch.add(4);
  for (const settle of returns.splice(0)) settle();
  await endOfTurn();
  for (const settle of returns.splice(0)) settle();
  await endOfTurn();
  batch.add(5);
  expect(sent).toEqual([[1], [2, 3], [4], [5]]);
});

test('no more calls are out than may be, and no call is longer', async () => {
  const { batch, sent, returns } = observedBatch(2, 2);
  for (const job of [1, 2, 3, 4, 5, 6]) batch.add(job);
  await endOfTurn();
  expect(sent).toEqual([[1], [2, 3]]);
  returns.shift()?.();
  await endOfTurn();
  expect(sent).toEqual([[1], [2, 3], [4, 5]]);
  for (const settle of returns.splice(0)) settle();
  await endOfTurn();
  expect(sent).toEqual([[1], [2, 3], [4, 5], [6]]);
});

test('nothing leaves while nothing may, and all of it is handed back', async () => {
  const { batch, sent, gate } = observedBatch();
  gate.open = false;
  batch.add(1);
  batch.add(2);
  await endOfTurn();
  expect(sent).toEqual([]);
  expect(batch.drain()).toEqual([1, 2]);
  gate.open = true;
  batch.pump();
  expect(sent).toEqual([]);
});
