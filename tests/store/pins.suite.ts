/** What every PinStore must do, whatever database is under it, within one process and across several. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuditStore } from '../../store/audit-store.ts';
import type { PinKey, PinRecord, PinStore } from '../../store/pin-store.ts';
import type { AcknowledgedPin, PinOrder } from './pin-process.ts';
import { NOW } from './token-types.ts';

/** Both stores of one database, opened as one process would. */
export type OpenPins = {
  readonly pins: PinStore;
  readonly audit: AuditStore;
  readonly close: () => Promise<void>;
};

/** A database of the test's own, empty at first. */
export type PinDatabase = {
  readonly open: (options: { now: () => number }) => Promise<OpenPins>;
  /** What pin-process.ts needs to open the same: its kind and its place. */
  readonly place: readonly [kind: string, place: string];
  readonly remove: () => Promise<void>;
};

export type CreatePinDatabase = () => Promise<PinDatabase>;

const SCRIPT = fileURLToPath(new URL('./pin-process.ts', import.meta.url));
const KEY: PinKey = { pin: 'app', subject: 'project=prj_a' };

async function freshPins(createDatabase: CreatePinDatabase) {
  const database = await createDatabase();
  const opened: OpenPins[] = [];
  onTestFinished(async () => {
    for (const one of opened) await one.close();
    await database.remove();
  });
  const clock = { now: NOW };
  const open = async () => {
    const one = await database.open({ now: () => clock.now });
    opened.push(one);
    return one;
  };
  const store = await open();
  const { pins, audit } = store;
  return { pins, audit, close: () => store.close(), open, clock, database };
}

async function startOther({ place }: PinDatabase): Promise<ChildProcess> {
  const child = fork(SCRIPT, [...place], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, order: PinOrder): Promise<PinRecord | null> {
  child.send(order);
  const [answer] = await once(child, 'message');
  return answer;
}

async function everyEntry(audit: AuditStore, subject: string | null = null) {
  const { entries } = await audit.list({ subject, after: null, limit: 1_000 });
  return entries.map(({ actor, action, detail }) => ({ actor, action, ...detail }));
}

export function describePinStore(name: string, createDatabase: CreatePinDatabase): void {
  const fresh = () => freshPins(createDatabase);

  describe(`a pin store on ${name}: the first use`, () => {
    test('pins where nothing is pinned, and answers with what is pinned from then on', async () => {
      const { pins, audit, clock } = await fresh();
      expect(await pins.read(KEY)).toBeNull();
      const { pin: first, isFirst } = await pins.pinFirst(KEY, 'com.example.a', 'tok_1');
      expect(isFirst).toBe(true);
      expect(first).toStrictEqual({
        ...KEY,
        value: 'com.example.a',
        pinnedAt: NOW,
        pinnedBy: 'tok_1',
        version: 1,
      });
      clock.now += 1;
      expect(await pins.pinFirst(KEY, 'com.example.b', 'tok_2')).toStrictEqual({
        pin: first,
        isFirst: false,
      });
      expect((await pins.pinFirst(KEY, 'com.example.a', 'tok_1')).isFirst).toBe(false);
      expect(await pins.read(KEY)).toStrictEqual(first);
      expect(await everyEntry(audit)).toEqual([
        { actor: 'tok_1', action: 'pin.first_use', pin: 'app', value: 'com.example.a' },
      ]);
    });

    test('is one for each pin and each subject', async () => {
      const { pins } = await fresh();
      const others = [
        { pin: 'app', subject: 'project=prj_b' },
        { pin: 'app2', subject: 'project=prj_a' },
        { pin: 'app', subject: 'project=prj_' },
        { pin: 'App', subject: 'project=prj_a' },
        { pin: 'app', subject: 'project=PRJ_A' },
      ];
      await pins.pinFirst(KEY, 'one', 'tok_1');
      for (const key of others) expect(await pins.read(key)).toBeNull();
      for (const [n, key] of others.entries()) await pins.pinFirst(key, `value ${n}`, 'tok_1');
      for (const [n, key] of others.entries()) expect((await pins.read(key))?.value).toBe(`value ${n}`);
      expect((await pins.read(KEY))?.value).toBe('one');
    });

    test('of two hundred at once has one winner, and one audit row', async () => {
      const { pins, open, audit } = await fresh();
      const other = await open();
      const uses = Array.from({ length: 200 }, (_, n) =>
        (n % 2 === 0 ? pins : other.pins).pinFirst(KEY, `value ${n}`, `tok_${n}`),
      );
      const answers = await Promise.all(uses);
      const winner = await pins.read(KEY);
      expect(winner?.version).toBe(1);
      expect(winner?.value.slice(6)).toBe(winner?.pinnedBy.slice(4));
      for (const { pin } of answers) expect(pin).toStrictEqual(winner);
      expect(answers.filter(({ isFirst }) => isFirst)).toHaveLength(1);
      expect(await everyEntry(audit)).toHaveLength(1);
    });

    test('over three processes at once has one winner, thirty times', async () => {
      const { pins, audit, database } = await fresh();
      const others = await Promise.all([1, 2, 3].map(() => startOther(database)));
      for (let round = 0; round < 30; round++) {
        const key = { pin: 'app', subject: `project=${round}` };
        const answers = await Promise.all(
          others.map((child, n) => ask(child, { do: 'pinFirst', key, value: `value ${n}`, by: `tok_${n}` })),
        );
        const winner = await pins.read(key);
        expect(answers).toEqual([winner, winner, winner]);
        expect(await everyEntry(audit, key.subject)).toHaveLength(1);
      }
    }, 20_000);
  });

  describe(`a pin store on ${name}: a change`, () => {
    test('sets another value, answers with the one before, and leaves an audit row', async () => {
      const { pins, audit, clock } = await fresh();
      expect(await pins.change(KEY, 'one', 'cli', 'moved')).toBeNull();
      const first = await pins.read(KEY);
      clock.now += 5;
      expect(await pins.change(KEY, 'two', 'tok_1', null)).toStrictEqual(first);
      expect(await pins.read(KEY)).toStrictEqual({
        ...KEY,
        value: 'two',
        pinnedAt: NOW + 5,
        pinnedBy: 'tok_1',
        version: 2,
      });
      expect(await everyEntry(audit)).toEqual([
        { actor: 'cli', action: 'pin.change', pin: 'app', before: null, after: 'one', reason: 'moved' },
        { actor: 'tok_1', action: 'pin.change', pin: 'app', before: 'one', after: 'two', reason: null },
      ]);
    });

    test('to null lets go; the next first use pins anew, and the version goes on', async () => {
      const { pins, audit } = await fresh();
      const { pin: first } = await pins.pinFirst(KEY, 'one', 'tok_1');
      expect(await pins.change(KEY, null, 'cli', 'sold')).toStrictEqual(first);
      expect(await pins.read(KEY)).toBeNull();
      expect((await pins.list({ pin: null, subject: null, after: null, limit: 10 })).pins).toEqual([]);
      expect((await pins.pinFirst(KEY, 'two', 'tok_2')).pin).toMatchObject({ value: 'two', version: 3 });
      expect((await everyEntry(audit)).map(({ action }) => action)).toEqual([
        'pin.first_use',
        'pin.reset',
        'pin.first_use',
      ]);
    });

    test('to what is so already changes nothing and leaves no audit row', async () => {
      const { pins, audit } = await fresh();
      expect(await pins.change(KEY, null, 'cli', null)).toBeNull();
      const { pin: first } = await pins.pinFirst(KEY, 'one', 'tok_1');
      expect(await pins.change(KEY, 'one', 'cli', null)).toStrictEqual(first);
      expect(await pins.read(KEY)).toStrictEqual(first);
      expect(await everyEntry(audit)).toHaveLength(1);
    });

    test("by one process is seen by another's very next read, 200 times", async () => {
      const { pins, database } = await fresh();
      const other = await startOther(database);
      for (let round = 0; round < 50; round++) {
        await ask(other, { do: 'change', key: KEY, value: `theirs ${round}` });
        expect((await pins.read(KEY))?.value).toBe(`theirs ${round}`);
        await ask(other, { do: 'change', key: KEY, value: null });
        expect(await pins.read(KEY)).toBeNull();
        await pins.change(KEY, `ours ${round}`, 'cli', null);
        expect((await ask(other, { do: 'read', key: KEY }))?.value).toBe(`ours ${round}`);
        await pins.change(KEY, null, 'cli', null);
        expect(await ask(other, { do: 'read', key: KEY })).toBeNull();
      }
    }, 20_000);

    test('that was acknowledged outlives kill -9 in the middle of more, with its audit row', async () => {
      const { open, database } = await fresh();
      for (let kill = 0; kill < 4; kill++) {
        const told = await killAfter(database, `run-${kill}`, 1 + kill * 15);
        const store = await open();
        const { pins, audit } = store;
        for (const { key, value } of told.values()) {
          const kept = (await pins.read(key))?.value;
          // The change that was not acknowledged may have been made all the same.
          expect(value === 'first' ? ['first', 'second'] : ['second']).toContain(kept);
          expect(await everyEntry(audit, key.subject)).toHaveLength(kept === 'first' ? 1 : 2);
        }
        await store.close();
      }
    }, 30_000);
  });

  describe(`a pin store on ${name}: odd values`, () => {
    test.each([
      ['__proto__', '__proto__'],
      ['constructor', 'toString'],
      [`Robert'); drop table pins;--`, '"; select 1; --\\'],
      ['prj_ä\u2028😀', 'e\u0301 is not é 😀'],
      ['a=b&c=d', 'line\nbreak\ttab\u0001'],
      ['$.before', '{"json":[1]}'],
      [' ', ' leading and trailing '],
      ['long', 'x'.repeat(100_000)],
    ])('%j keeps %j as it is', async (subject, value) => {
      const { pins, audit } = await fresh();
      const key = { pin: subject.slice(0, 40), subject };
      await pins.pinFirst(key, value, 'tok_1');
      expect(await pins.read(key)).toMatchObject({ ...key, value });
      await pins.change(key, `${value}!`, 'cli', value);
      expect(await everyEntry(audit, subject)).toEqual([
        { actor: 'tok_1', action: 'pin.first_use', pin: key.pin, value },
        {
          actor: 'cli',
          action: 'pin.change',
          pin: key.pin,
          before: value,
          after: `${value}!`,
          reason: value,
        },
      ]);
    });
  });

  describe(`a pin store on ${name}: listing`, () => {
    test('goes by pin and subject, in pages, with the filters asked for', async () => {
      const { pins } = await fresh();
      const keys = ['a', 'b'].flatMap((pin) => ['x', 'y', 'z'].map((subject) => ({ pin, subject })));
      for (const key of keys.toReversed()) await pins.pinFirst(key, 'v', 'tok_1');
      const listed: PinKey[] = [];
      let after: string | null = null;
      do {
        const page = await pins.list({ pin: null, subject: null, after, limit: 4 });
        listed.push(...page.pins.map(({ pin, subject }) => ({ pin, subject })));
        after = page.next;
      } while (after !== null);
      expect(listed).toEqual(keys);
      const some = async (pin: string | null, subject: string | null) =>
        (await pins.list({ pin, subject, after: null, limit: 10 })).pins.map((one) => one.pin + one.subject);
      expect(await some('b', null)).toEqual(['bx', 'by', 'bz']);
      expect(await some(null, 'y')).toEqual(['ay', 'by']);
      expect(await some('a', 'z')).toEqual(['az']);
      expect(await some('c', null)).toEqual([]);
    });

    test('of audit rows goes oldest first, in pages', async () => {
      const { pins, audit, clock } = await fresh();
      for (let n = 0; n < 5; n++, clock.now++) await pins.change(KEY, `v${n}`, 'cli', null);
      const first = await audit.list({ subject: null, after: null, limit: 3 });
      const second = await audit.list({ subject: KEY.subject, after: first.next, limit: 3 });
      const times = [...first.entries, ...second.entries].map(({ at }) => at);
      expect(times).toEqual([0, 1, 2, 3, 4].map((n) => NOW + n));
      expect(second.next).toBeNull();
      expect((await audit.list({ subject: 'project=other', after: null, limit: 3 })).entries).toEqual([]);
    });
  });

  test(`a pin store on ${name} that is closed cannot tell, and says so`, async () => {
    const { pins, close } = await fresh();
    await close();
    const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
    await expect((async () => pins.read(KEY))()).rejects.toEqual(fault);
    await expect(pins.pinFirst(KEY, 'one', 'tok_1')).rejects.toEqual(fault);
    await expect(pins.change(KEY, null, 'cli', null)).rejects.toEqual(fault);
  });
}

/** Lets another process write until so much was acknowledged, kills it there, and returns the last it said of each. */
async function killAfter(database: PinDatabase, name: string, count: number) {
  const child = await startOther(database);
  const told = new Map<string, AcknowledgedPin>();
  let messages = 0;
  child.on('message', (message: AcknowledgedPin) => {
    told.set(message.key.subject, message);
    messages += 1;
    if (messages === count) child.kill('SIGKILL');
  });
  child.send({ do: 'hammer', name } satisfies PinOrder);
  await once(child, 'close');
  expect(told.size).toBeGreaterThan(0);
  return told;
}
