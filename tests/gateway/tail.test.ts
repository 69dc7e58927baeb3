/** The live tail's queue: nothing while nobody listens, bounded while somebody does, and what is lost is counted. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Account } from '../../gateway/access-log.ts';
import { type Listener, Tail } from '../../gateway/tail.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const accountOf = (fields: Partial<Account> = {}): Account => ({
  requestId: 'r-1',
  method: 'GET',
  route: 'main GET /items',
  status: 200,
  code: null,
  reason: null,
  tokenId: 'tok_1',
  tokenType: 'user',
  address: '192.0.2.1',
  durationMs: 1.23456,
  aborted: false,
  ...fields,
});

type Heard = Listener & {
  readonly texts: string[];
  readonly batches: (readonly [told: number, lost: number])[];
};

function listener(wants: Listener['wants'] = () => true): Heard {
  const texts: string[] = [];
  const batches: (readonly [number, number])[] = [];
  const take: Listener['take'] = (told, lost) => {
    texts.push(...told);
    batches.push([told.length, lost]);
  };
  return { wants, take, texts, batches };
}

const turn = () => vi.advanceTimersByTime(50);

describe('Tail', () => {
  test('does nothing while nobody listens, and rests again when the last has left', () => {
    const now = vi.fn(() => 1);
    const tail = new Tail({ now });
    tail.note(accountOf());
    expect([now.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
    const [one, other] = [listener(), listener()];
    tail.listen(one);
    tail.listen(other);
    expect(vi.getTimerCount()).toBe(1);
    tail.leave(one);
    expect(vi.getTimerCount()).toBe(1);
    tail.leave(other);
    tail.leave(other);
    tail.note(accountOf());
    expect([now.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test('tells what was decided since somebody listens, in order, with the time of each', () => {
    let now = Date.UTC(2026, 0, 1);
    const tail = new Tail({ now: () => now });
    const one = listener();
    tail.listen(one);
    tail.note(accountOf());
    now += 7;
    tail.note(accountOf({ requestId: 'r-2', status: 403, code: 'scope_missing', reason: 'lacks a' }));
    expect(one.texts).toEqual([]);
    turn();
    expect(one.texts.map((text) => JSON.parse(text))).toEqual([
      {
        at: '2026-01-01T00:00:00.000Z',
        request_id: 'r-1',
        method: 'GET',
        row: 'main GET /items',
        status: 200,
        code: null,
        reason: null,
        token_id: 'tok_1',
        type: 'user',
        address: '192.0.2.1',
        duration_ms: 1.235,
        aborted: false,
        monitored: [],
      },
      expect.objectContaining({ at: '2026-01-01T00:00:00.007Z', request_id: 'r-2', code: 'scope_missing' }),
    ]);
    turn();
    expect(one.batches).toEqual([
      [2, 0],
      [0, 0],
    ]);
  });

  test('an account may grow: what is told is a list of fields, and a method has an end', () => {
    const tail = new Tail({ now: () => 0 });
    const one = listener();
    tail.listen(one);
    const secret = { token: 'prj_secret', query: 'a=b' };
    tail.note({ ...accountOf({ method: 'X'.repeat(500) }), ...secret });
    turn();
    expect(one.texts[0]).not.toMatch(/prj_secret|a=b|X{21}/);
  });

  test('each listener hears what it wants, and is told how many it lost', () => {
    const tail = new Tail({ now: () => 0, queueMax: 10 });
    const [all, refusals] = [listener(), listener(({ code }) => code !== null)];
    tail.listen(all);
    tail.listen(refusals);
    for (let i = 0; i < 14; i++) tail.note(accountOf(i === 3 ? { code: 'scope_missing', status: 403 } : {}));
    turn();
    tail.note(accountOf());
    turn();
    expect(all.batches).toEqual([
      [10, 4],
      [1, 0],
    ]);
    // Whether it had wanted those that were not kept, nobody can tell.
    expect(refusals.batches).toEqual([
      [1, 4],
      [0, 0],
    ]);
  });

  test('tells a listener no more in a second than it may, bursts included, and goes on after', () => {
    const tail = new Tail({ now: () => 0, perSecondMax: 100 });
    const one = listener();
    tail.listen(one);
    const burst = (count: number) => {
      for (let i = 0; i < count; i++) tail.note(accountOf());
      turn();
    };
    burst(90);
    burst(90);
    for (let i = 0; i < 20; i++) burst(0);
    burst(101);
    expect(one.batches.filter(([told, lost]) => told + lost > 0)).toEqual([
      [90, 0],
      [15, 75],
      [100, 1],
    ]);
  });

  test('who leaves while all are told is told no more, and holds up nobody', () => {
    const tail = new Tail({ now: () => 0 });
    const other = listener();
    const one: Listener = {
      wants: () => true,
      take: () => {
        tail.leave(one);
        tail.leave(other);
      },
    };
    tail.listen(one);
    tail.listen(other);
    tail.note(accountOf());
    turn();
    expect(other.texts.length).toBeLessThan(2);
    expect(vi.getTimerCount()).toBe(0);
  });
});
