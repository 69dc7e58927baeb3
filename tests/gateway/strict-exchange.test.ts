/** The strict client while its handlers steer, upstreams are silent, and it is closed: every request is told of one end. */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StrictClient } from '../../gateway/strict-client.ts';
import { type RawUpstream, startRawUpstream } from '../fixtures/raw-upstream.ts';
import { ask, clientOf, type Hand, holdUp, type Moment, type Reactions, told } from './strict-stage.ts';

const ok = 'HTTP/1.1 200 OK\r\n';
const good = `${ok}Content-Length: 4\r\n\r\ngood`;
const goodTold = ['start', 'sent', 'head 200', 'body good', 'end'];
const moments = ['start', 'sent', 'head', 'body', 'end'] as const;
const upTo = (moment: Moment) => goodTold.slice(0, moments.indexOf(moment as 'start') + 1);

let upstream: RawUpstream;
let client: StrictClient;
beforeAll(async () => {
  upstream = await startRawUpstream();
});
afterAll(() => upstream.stop());
beforeEach(() => {
  upstream.answer = (socket) => void socket.write(good);
  client = clientOf(upstream.url, { firstByteMs: 1000 });
});
afterEach(() => client.destroy());

describe('a handler', () => {
  const leave = (hand: Hand) => hand.abort(new Error('left'));
  const fail = () => {
    throw new Error('thrown');
  };
  /** What it was told, when the next two requests have been answered. */
  async function toldOf(reactions: Reactions): Promise<readonly string[]> {
    const asked = ask(client, '/', reactions);
    await asked.over;
    await nextTurn();
    const [one, two] = [ask(client), ask(client)];
    expect(await told(one)).toEqual(goodTold);
    expect(await told(two)).toEqual(goodTold);
    return asked.told;
  }

  test.each(moments.slice(0, 4))('that leaves at %s is told of nothing but that', async (moment) => {
    expect(await toldOf({ [moment]: leave })).toEqual([...upTo(moment), 'error left']);
  });

  test('that leaves when all is over is told of nothing more', async () => {
    expect(await toldOf({ end: leave })).toEqual(goodTold);
  });

  test.each(['sent', 'head', 'body', 'end'] as const)(
    'that throws at %s is told so, once',
    async (moment) => {
      expect(await toldOf({ [moment]: fail })).toEqual([...upTo(moment), 'error thrown']);
    },
  );

  test.each(moments)('that wants nothing at %s and goes on at once misses nothing', async (moment) => {
    const waver = (hand: Hand) => {
      hand.pause();
      hand.resume();
    };
    expect(await toldOf({ [moment]: waver })).toEqual(goodTold);
  });

  test.each(moments)('that wants nothing at %s for a while misses nothing', async (moment) => {
    const pause = (hand: Hand) => {
      hand.pause();
      setTimeout(() => hand.resume(), 20);
    };
    expect(await toldOf({ [moment]: pause })).toEqual(goodTold);
  });

  test.each(moments.slice(1, 4))('that wants nothing at %s may still leave', async (moment) => {
    const pause = (hand: Hand) => {
      hand.pause();
      setTimeout(() => leave(hand), 20);
    };
    expect(await toldOf({ [moment]: pause })).toEqual([...upTo(moment), 'error left']);
  });

  test('that leaves twice is told once', async () => {
    const reactions = { body: leave, error: leave };
    expect(await toldOf(reactions)).toEqual([...upTo('body'), 'error left']);
  });

  test.each(['start', 'head'] as const)('that wants nothing from %s on is sent no more', async (moment) => {
    const part = Buffer.alloc(64 * 1024);
    let taken = 0;
    upstream.answer = (socket) => {
      const more = () => {
        taken += part.length;
        while (socket.write(part)) taken += part.length;
      };
      socket.on('drain', more);
      socket.write(`${ok}\r\n`);
      more();
    };
    ask(client, '/', { [moment]: (hand: Hand) => hand.pause() });
    // What the kernel takes, it takes in its own time.
    let takenByKernel = 0;
    while (taken === 0 || taken !== takenByKernel) {
      takenByKernel = taken;
      await sleep(100);
    }
    await sleep(100);
    expect(taken).toBe(takenByKernel);
  });

  test('that pauses in an answer which ends with its connection hears of the proper end, and of a reset', async () => {
    for (const [finish, end] of [
      [(socket: Socket) => socket.end(), 'end'],
      [(socket: Socket) => socket.resetAndDestroy(), 'error read ECONNRESET'],
    ] as const) {
      upstream.answer = (socket) => {
        socket.write(`${ok}\r\nall`);
        setTimeout(() => finish(socket), 10);
      };
      const pause = (hand: Hand) => {
        hand.pause();
        setTimeout(() => hand.resume(), 40);
      };
      expect(await told(ask(client, '/', { body: pause }))).toEqual([...upTo('head'), 'body all', end]);
    }
  });
});

describe('patience', () => {
  const half = `${ok}Content-Length: 4\r\n\r\ngo`;
  const impatient = { firstByteMs: 60, idleMs: 60 };
  const replaced = async (patience: Parameters<typeof clientOf>[1]) => {
    await client.destroy();
    client = clientOf(upstream.url, patience);
  };

  test('for a first byte ends, on a new connection and on one that was idle for longer than it', async () => {
    await replaced(impatient);
    await ask(client).over;
    await sleep(100);
    upstream.answer = () => {};
    const asked = [ask(client), ask(client)];
    for (const one of asked) expect(await told(one)).toEqual(['start', 'sent', 'error no answer in time']);
    expect(asked[0]?.error()).toMatchObject({ code: 'upstream_timeout', unsent: false });
  });

  test('for a head is not for each of its bytes', async () => {
    await replaced(impatient);
    upstream.answer = async (socket) => {
      for (const byte of good) {
        socket.write(byte);
        await sleep(10);
      }
    };
    expect(await told(ask(client))).toEqual(['start', 'sent', 'error no answer in time']);
  });

  test('begins anew with an interim answer', async () => {
    await replaced({ firstByteMs: 250 });
    upstream.answer = async (socket) => {
      for (let i = 0; i < 4; i++) {
        socket.write('HTTP/1.1 102 Processing\r\n\r\n');
        await sleep(80);
      }
      socket.write(good);
    };
    expect((await told(ask(client))).slice(-3)).toEqual(goodTold.slice(-3));
  });

  test('for silence in an answer ends, and does not run while the reader wants nothing', async () => {
    await replaced(impatient);
    upstream.answer = (socket) => void socket.write(half);
    const fault = 'error the answer went silent';
    expect(await told(ask(client))).toEqual([...upTo('head'), 'body go', fault]);
    upstream.answer = (socket) => {
      socket.write(half);
      setTimeout(() => socket.write('od'), 150);
    };
    const pause = (hand: Hand) => {
      hand.pause();
      setTimeout(() => hand.resume(), 200);
    };
    const asked = ask(client, '/', { head: pause });
    expect(await told(asked)).toEqual(goodTold);
  });

  test.each([
    ['0', 0],
    ['more than a timer can hold', 30 * 86_400_000],
  ])('of %s has no end', async (_name, ms) => {
    await replaced({ connectMs: ms, firstByteMs: ms, idleMs: ms });
    upstream.answer = (socket) => {
      setTimeout(() => socket.write(half), 30);
      setTimeout(() => socket.write('od'), 60);
    };
    expect(await told(ask(client))).toEqual(goodTold);
  });

  test('does not run out on an answer that was there while we were held up', async () => {
    await replaced({ ...impatient, connectMs: 60 });
    upstream.answer = (socket) => {
      socket.write(half);
      holdUp(120);
      setImmediate(() => {
        socket.write('od');
        holdUp(120);
      });
    };
    const asked = ask(client);
    setImmediate(() => holdUp(120));
    expect(await told(asked)).toEqual(goodTold);
  });
});

describe('a client that is closed', () => {
  test('takes no more, and says that nothing was sent', async () => {
    await client.close();
    const asked = ask(client);
    expect(await told(asked)).toEqual(['start', 'error this client is closed']);
    expect(asked.error()).toMatchObject({ code: 'upstream_unreachable', unsent: true });
  });

  test('answers first what it was asked before, written or not', async () => {
    const early = ask(client);
    await nextTurn();
    const late = ask(client);
    await client.close();
    expect([early.told, late.told]).toEqual([goodTold, goodTold]);
  });

  test('waits for a request that has not been written when it is closed', async () => {
    const asked = ask(client);
    await client.close();
    expect(asked.told).toEqual(goodTold);
  });

  test('is closed where all that waited have left', async () => {
    const asked = ask(client);
    const closed = client.close();
    asked.hand().abort(new Error('left'));
    await closed;
    expect(asked.told).toEqual(['start', 'error left']);
  });

  test('ends idle connections at once', async () => {
    const ended = new Promise((resolve) => {
      upstream.answer = (socket) => {
        socket.once('close', resolve);
        socket.write(good);
      };
    });
    await ask(client).over;
    await Promise.all([client.close(), client.close(), ended]);
  });

  test('by force ends what waits, connects, is answered or is paused, each once', async () => {
    upstream.answer = (socket) => void socket.write(`${ok}\r\ngood`);
    const answered = ask(client);
    const paused = ask(client, '/', { head: (hand) => hand.pause() });
    while (answered.told.length < 4 || paused.told.length < 3) await nextTurn();
    const connecting = ask(client);
    await nextTurn();
    const waiting = ask(client);
    await client.destroy();
    const end = 'error the client was destroyed';
    expect(answered.told).toEqual([...upTo('body'), end]);
    expect(paused.told).toEqual([...upTo('head'), end]);
    expect(connecting.told).toEqual(['start', end]);
    expect(waiting.told).toEqual(['start', end]);
  });
});
