import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Vigil } from '../../gateway/vigil.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import { StoreFault } from '../../store/fault.ts';
import { policyOf, tokenOf, typeOf } from '../support/policy.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const response = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

/** A vigil over records that the test edits; `asked` keeps what the store was asked for. */
function setUp(
  read?: (ids: readonly string[]) => readonly TokenRecord[] | Promise<readonly TokenRecord[]>,
  type: Partial<TokenType> = {},
) {
  const records = new Map<string, TokenRecord>();
  const asked: (readonly string[])[] = [];
  const bugs: unknown[] = [];
  const touched: (readonly [id: string, atMs: number])[] = [];
  const vigil = new Vigil({
    tokens: {
      byIds: (ids) => {
        asked.push(ids);
        return read === undefined ? ids.flatMap((id) => records.get(id) ?? []) : read(ids);
      },
      touch: (id, atMs) => void touched.push([id, atMs]),
    },
    policy: () => policyOf([typeOf(type)]),
    now: () => 1000,
    bug: (error) => void bugs.push(error),
    everyMs: 100,
  });
  const rounds = (count: number) => vi.advanceTimersByTimeAsync(count * 100);
  return { vigil, records, asked, bugs, touched, rounds };
}

describe('Vigil', () => {
  test('asks nothing about what is over before a round has passed, and rests when nothing is left', async () => {
    const { vigil, asked, rounds } = setUp();
    for (let i = 0; i < 1000; i++) vigil.end(vigil.begin(`tok_${i}`, response()));
    expect(vi.getTimerCount()).toBe(1);
    const watch = vigil.begin('tok_1', response());
    await rounds(1);
    vigil.end(watch);
    await rounds(1);
    expect(asked).toEqual([]);
    expect([vi.getTimerCount(), vigil.size]).toEqual([0, 0]);
  });

  test('asks once per token, and cuts each answer of a dead one', async () => {
    const { vigil, records, asked, rounds } = setUp();
    records.set('tok_1', tokenOf());
    records.set('tok_2', tokenOf({ id: 'tok_2', revokedAt: 5 }));
    const alive = vigil.begin('tok_1', response());
    const dead = [response(), response()];
    const watches = dead.map((res) => vigil.begin('tok_2', res));
    await rounds(2);
    expect(asked).toEqual([['tok_1', 'tok_2']]);
    expect(dead.map(({ destroyed }) => destroyed)).toEqual([true, true]);
    expect(watches.map(({ cut }) => cut?.code)).toEqual(['token_revoked', 'token_revoked']);
    expect([alive.cut, alive.res.destroyed, vigil.size]).toEqual([null, false, 1]);
  });

  test('lets everything go on while the store cannot tell, and looks again', async () => {
    let down = true;
    const { vigil, bugs, rounds } = setUp(() => {
      if (down) throw new StoreFault('store_unavailable', 'away');
      return [];
    });
    const watch = vigil.begin('tok_1', response());
    await rounds(5);
    expect([watch.cut, bugs]).toEqual([null, []]);
    down = false;
    await rounds(1);
    expect(watch.cut?.code).toBe('token_unknown');
  });

  test('never asks again while an answer is awaited', async () => {
    const answer = Promise.withResolvers<readonly TokenRecord[]>();
    const { vigil, asked, rounds } = setUp(() => answer.promise);
    const watch = vigil.begin('tok_1', response());
    await rounds(10);
    expect(asked.length).toBe(1);
    answer.resolve([tokenOf({ disabledAt: 1 })]);
    await rounds(1);
    expect(watch.cut?.code).toBe('token_disabled');
  });

  test('notes that a stream is open as a use, once a minute, where a token may end because it is unused', async () => {
    const unused = { forMs: 500_000, leewayMs: 60_000 };
    const { vigil, records, touched, rounds } = setUp(undefined, { unused });
    // The clock stands at 1000.
    records.set('tok_1', tokenOf({ createdAt: 0, lastUsedAt: 1000 - 60_000 }));
    records.set('tok_2', tokenOf({ id: 'tok_2', createdAt: 0, lastUsedAt: 1001 - 60_000 }));
    for (const id of ['tok_1', 'tok_2']) vigil.begin(id, response());
    await rounds(2);
    expect(touched).toEqual([['tok_1', 1000]]);
    const { vigil: other, records: theirs, touched: none, rounds: turn } = setUp();
    theirs.set('tok_1', tokenOf({ lastUsedAt: -60_000 }));
    theirs.set('tok_2', tokenOf({ id: 'tok_2', lastUsedAt: -60_000, retireAt: 5000 }));
    for (const id of ['tok_1', 'tok_2']) other.begin(id, response());
    await turn(2);
    expect(none).toEqual([['tok_2', 1000]]);
  });

  test('reads many tokens in pieces', async () => {
    const { vigil, asked, rounds } = setUp();
    for (let i = 0; i < 450; i++) vigil.begin(`tok_${i}`, response());
    await rounds(2);
    await vi.waitFor(() => expect(asked.map(({ length }) => length)).toEqual([200, 200, 50]));
    await vi.waitFor(() => expect(vigil.size).toBe(0));
  });
});
