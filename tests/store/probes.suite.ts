/** What every ProbeStore must do, whatever database is under it, within one process and across several. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuditStore } from '../../store/audit-store.ts';
import type { ActivationRecord, NewActivation, ProbeStore } from '../../store/probe-store.ts';
import type { ProbeOrder } from './probe-process.ts';
import { NOW } from './token-types.ts';

/** Both stores of one database, opened as one process would. */
export type OpenProbes = {
  readonly probes: ProbeStore;
  readonly audit: AuditStore;
  readonly close: () => Promise<void>;
};

/** A database of the test's own, empty at first. */
export type ProbeDatabase = {
  readonly open: (options: { now: () => number }) => Promise<OpenProbes>;
  /** What probe-process.ts needs to open the same: its kind and its place. */
  readonly place: readonly [kind: string, place: string];
  readonly remove: () => Promise<void>;
};

export type CreateProbeDatabase = () => Promise<ProbeDatabase>;

const SCRIPT = fileURLToPath(new URL('./probe-process.ts', import.meta.url));
const MINUTE = 60_000;
const DAY = 86_400_000;
const KEY = { type: 'probe', subject: 'prj_a' };
const ONE: NewActivation = {
  ...KEY,
  labelPattern: 'payment.*',
  service: 'payments',
  environment: '*',
  lifeMs: MINUTE,
  triggerLifeMs: 2 * MINUTE,
  by: 'token:tok_1',
};
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function freshProbes(createDatabase: CreateProbeDatabase) {
  const database = await createDatabase();
  const opened: OpenProbes[] = [];
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
  const { probes, audit } = await open();
  const activate = async (activation: Partial<NewActivation> = {}, activeMax = 5) => {
    const record = await probes.activate({ ...ONE, ...activation }, activeMax);
    if (record === null) throw new Error('there is no room');
    return record;
  };
  const list = async (key = KEY) => (await probes.list({ ...key, after: null, limit: 100 })).activations;
  return { probes, audit, open, clock, database, activate, list };
}

async function startOther({ place }: ProbeDatabase): Promise<ChildProcess> {
  const child = fork(SCRIPT, [...place], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function addedBy(child: ChildProcess, order: ProbeOrder): Promise<number> {
  child.send(order);
  const [{ added }] = await once(child, 'message');
  return added;
}

async function everyEntry(audit: AuditStore) {
  const { entries } = await audit.list({ subject: null, after: null, limit: 1_000 });
  return entries.map(({ actor, action, subject, detail }) => ({ actor, action, subject, detail }));
}

export function describeProbeStore(name: string, createDatabase: CreateProbeDatabase): void {
  const fresh = () => freshProbes(createDatabase);

  describe(`a probe store on ${name}`, () => {
    test('adds an activation with an audit row, and lists it until expiry and trigger have both ended', async () => {
      const { audit, clock, activate, list } = await fresh();
      const record = await activate();
      expect(record).toStrictEqual({
        ...KEY,
        id: expect.stringMatching(UUID),
        labelPattern: 'payment.*',
        service: 'payments',
        environment: '*',
        createdAt: NOW,
        createdBy: 'token:tok_1',
        expiresAt: NOW + MINUTE,
        triggerExpiresAt: NOW + 2 * MINUTE,
        deactivatedAt: null,
      } satisfies ActivationRecord);
      expect(await list()).toStrictEqual([record]);
      expect(await everyEntry(audit)).toEqual([
        {
          actor: 'token:tok_1',
          action: 'probe.activate',
          subject: record.id,
          detail: {
            type: 'probe',
            for: 'prj_a',
            label_pattern: 'payment.*',
            service: 'payments',
            environment: '*',
            expires_at: NOW + MINUTE,
            trigger_expires_at: NOW + 2 * MINUTE,
          },
        },
      ]);
      clock.now = NOW + 2 * MINUTE - 1;
      expect(await list()).toHaveLength(1);
      clock.now = NOW + 2 * MINUTE;
      expect(await list()).toEqual([]);
    });

    test('has room again after a deactivation, and at the millisecond of an expiry', async () => {
      const { probes, audit, clock, activate } = await fresh();
      const first = await activate({}, 2);
      clock.now += 1;
      await activate({}, 2);
      expect(await probes.activate(ONE, 2)).toBeNull();
      expect(await everyEntry(audit)).toHaveLength(2);
      await probes.deactivate(KEY, first.id, 'cli');
      await activate({}, 2);
      expect(await probes.activate(ONE, 2)).toBeNull();
      clock.now = NOW + MINUTE;
      expect(await probes.activate(ONE, 2)).toBeNull();
      clock.now = NOW + MINUTE + 1;
      // The triggers are still right, and do not count.
      expect(await probes.activate(ONE, 2)).not.toBeNull();
    });

    test('counts each type and each subject by itself', async () => {
      const { activate, list } = await fresh();
      const others = [
        { type: 'probe', subject: 'prj_b' },
        { type: 'probe2', subject: 'prj_a' },
        { type: 'probe', subject: 'PRJ_A' },
        { type: 'probe', subject: 'prj_a ' },
        { type: 'prob', subject: 'eprj_a' },
      ];
      await activate({}, 1);
      for (const key of others) await activate(key, 1);
      for (const key of others) expect(await list(key)).toMatchObject([key]);
      expect(await list()).toHaveLength(1);
    });

    test('deactivates once: later it says the first time, and the audit has one row', async () => {
      const { probes, audit, clock, activate, list } = await fresh();
      const { id } = await activate();
      clock.now += 5;
      const ended = await probes.deactivate(KEY, id, 'token:tok_2');
      expect(ended?.deactivatedAt).toBe(NOW + 5);
      expect(await list()).toEqual([]);
      clock.now += 5;
      expect(await probes.deactivate(KEY, id, 'cli')).toStrictEqual(ended);
      expect((await everyEntry(audit)).slice(1)).toEqual([
        {
          actor: 'token:tok_2',
          action: 'probe.deactivate',
          subject: id,
          detail: { type: 'probe', for: 'prj_a' },
        },
      ]);
    });

    test('deactivates nothing of another type or subject, and nothing unknown', async () => {
      const { probes, audit, activate, list } = await fresh();
      const { id } = await activate();
      for (const key of [
        { type: 'probe', subject: 'prj_b' },
        { type: 'probe2', subject: 'prj_a' },
        { type: 'probe', subject: 'prj_a\0' },
      ]) {
        expect(await probes.deactivate(key, id, 'cli')).toBeNull();
      }
      for (const odd of ['', 'x', id.toUpperCase(), `${id} `, `${id}\0`])
        expect(await probes.deactivate(KEY, odd, 'cli')).toBeNull();
      expect(await list()).toHaveLength(1);
      expect(await everyEntry(audit)).toHaveLength(1);
    });

    test('of a hundred at once exactly as many get in as may, each with an audit row', async () => {
      const { probes, open, audit, list } = await fresh();
      const other = await open();
      const tries = Array.from({ length: 100 }, (_, n) =>
        (n % 2 === 0 ? probes : other.probes).activate(ONE, 5),
      );
      const added = (await Promise.all(tries)).filter((record) => record !== null);
      expect(added).toHaveLength(5);
      expect((await list()).map(({ id }) => id).sort()).toEqual(added.map(({ id }) => id).sort());
      expect(await everyEntry(audit)).toHaveLength(5);
    });

    test('over three processes at once exactly as many get in as may', async () => {
      const { database, list } = await fresh();
      const children = await Promise.all([1, 2, 3].map(() => startOther(database)));
      for (let round = 0; round < 10; round++) {
        const activation = { ...ONE, subject: `prj_${round}`, lifeMs: DAY };
        const added = await Promise.all(
          children.map((child) => addedBy(child, { activation, activeMax: 4, times: 6 })),
        );
        expect(added.reduce((sum, count) => sum + count)).toBe(4);
      }
      expect(await list({ type: 'probe', subject: 'prj_3' })).toHaveLength(4);
    });

    test('pages through all of them, each once, in order of their making', async () => {
      const { probes, clock, activate } = await fresh();
      const made: ActivationRecord[] = [];
      for (let n = 0; n < 7; n++) {
        clock.now = NOW + Math.floor(n / 3);
        made.push(await activate({}, 100));
      }
      const listed: ActivationRecord[] = [];
      let after: string | null = null;
      do {
        const page = await probes.list({ ...KEY, after, limit: 2 });
        expect(page.activations.length).toBeLessThanOrEqual(2);
        listed.push(...page.activations);
        after = page.next;
      } while (after !== null);
      const inOrder = made.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
      expect(listed).toStrictEqual(inOrder);
      for (const odd of ['', 'x', 'tok_1', '99999999999999999_']) {
        expect((await probes.list({ ...KEY, after: odd, limit: 100 })).activations).toHaveLength(7);
      }
    });

    test('forgets what ended thirty days ago when the same subject activates again, and nothing else', async () => {
      const { probes, clock, activate } = await fresh();
      const gone = await activate();
      const ended = await activate({ lifeMs: 90 * DAY });
      await probes.deactivate(KEY, ended.id, 'cli');
      const triggers = await activate({ triggerLifeMs: 31 * DAY });
      const others = await activate({ subject: 'prj_b' });
      clock.now = NOW + 2 * MINUTE + 30 * DAY + 1;
      await activate();
      const known = async (key: { type: string; subject: string }, id: string) =>
        (await probes.deactivate(key, id, 'cli')) !== null;
      expect(await known(KEY, gone.id)).toBe(false);
      expect(await known(KEY, ended.id)).toBe(false);
      expect(await known(KEY, triggers.id)).toBe(true);
      expect(await known({ ...KEY, subject: 'prj_b' }, others.id)).toBe(true);
    });

    test('remembers the last hundred of a subject that were deactivated, however many there were', async () => {
      const { probes, clock, activate, list } = await fresh();
      const made = await Promise.all(Array.from({ length: 101 }, () => activate({}, 200)));
      for (const { id } of made.slice(0, 1)) await probes.deactivate(KEY, id, 'cli');
      clock.now++;
      await Promise.all(made.slice(1).map(({ id }) => probes.deactivate(KEY, id, 'cli')));
      const other = await activate({ subject: 'prj_b' });
      await probes.deactivate({ ...KEY, subject: 'prj_b' }, other.id, 'cli');
      const last = await activate();
      const known = await Promise.all(made.map(({ id }) => probes.deactivate(KEY, id, 'cli')));
      expect(known.map((record) => record !== null)).toEqual([false, ...Array(100).fill(true)]);
      expect(await probes.deactivate({ ...KEY, subject: 'prj_b' }, other.id, 'cli')).not.toBeNull();
      expect(await list()).toMatchObject([{ id: last.id }]);
    });

    test('remembers the last hundred that ended by themselves, and all with a trigger that is right', async () => {
      const { probes, clock, activate, list } = await fresh();
      const lasting = await activate({ triggerLifeMs: DAY });
      const made = await Promise.all(Array.from({ length: 101 }, () => activate({}, 200)));
      clock.now = NOW + 2 * MINUTE + 1;
      const last = await activate();
      expect((await list()).map(({ id }) => id)).toEqual([lasting.id, last.id]);
      const known = await Promise.all(made.map(({ id }) => probes.deactivate(KEY, id, 'cli')));
      expect(known.filter((record) => record !== null)).toHaveLength(100);
    });

    test('keeps texts as they are', async () => {
      const { activate, list } = await fresh();
      const odd = `'; drop table activations; -- "é\u{1f512}`;
      const key = { type: 'probe', subject: odd };
      const record = await activate({ ...key, labelPattern: odd, service: odd, environment: odd, by: odd });
      expect(record).toMatchObject({ labelPattern: odd, service: odd, environment: odd, createdBy: odd });
      expect(await list(key)).toStrictEqual([record]);
    });
  });
}
