/** What every AlertStore must do, whatever database is under it. */
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AlertStore, NewAlert } from '../../store/alert-store.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import type { SightingStore } from '../../store/sighting-store.ts';
import type { UsageStore } from '../../store/usage-store.ts';
import { fuzz } from '../support/fuzz.ts';
import { NOW } from './token-types.ts';

export type OpenAlerts = {
  readonly alerts: AlertStore;
  readonly sightings: SightingStore;
  readonly usage: UsageStore;
  readonly audit: AuditStore;
  readonly dry: { readonly alerts: AlertStore };
  readonly close: () => Promise<void>;
};

/** A database of the test's own, empty at first; opened as often as asked. */
export type AlertsDatabase = {
  readonly open: (options: { now: () => number }) => Promise<OpenAlerts>;
  readonly remove: () => Promise<void>;
};

const HOUR = 3_600_000;

export const spike = (more: Partial<NewAlert> = {}): NewAlert => ({
  kind: 'spike.token',
  subject: 'tok_a',
  tokenId: 'tok_a',
  detail: { count: 1000, usual: 10 },
  quietMs: HOUR,
  ...more,
});

export async function freshAlerts(createDatabase: () => Promise<AlertsDatabase>) {
  const database = await createDatabase();
  const opened: OpenAlerts[] = [];
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
  return { ...(await open()), open, clock };
}

const everyAudit = { subject: null, after: null, limit: 1000 };

export function describeAlertStore(name: string, createDatabase: () => Promise<AlertsDatabase>): void {
  const fresh = () => freshAlerts(createDatabase);
  const all = { open: false, after: null, limit: 100 };

  describe(`an alert store on ${name}`, () => {
    test('keeps an alert, and its audit row beside it', async () => {
      const { alerts, audit } = await fresh();
      const raised = await alerts.raise(spike());
      const record = {
        ...{
          id: expect.stringMatching(/^alr_[0-9A-Z]{26}$/),
          at: NOW,
          kind: 'spike.token',
          subject: 'tok_a',
        },
        ...{ tokenId: 'tok_a', detail: { count: 1000, usual: 10 }, attempts: 0, deliveredAt: null },
        ...{ acknowledgedAt: null, acknowledgedBy: null },
      };
      expect(raised).toEqual(record);
      expect(await alerts.list(all)).toEqual({ alerts: [raised], next: null });
      const { entries } = await audit.list(everyAudit);
      expect(entries).toMatchObject([
        {
          actor: 'postern',
          action: 'alert.raised',
          subject: 'tok_a',
          detail: { alert: raised?.id, kind: 'spike.token', token: 'tok_a', count: 1000 },
        },
      ]);
    });

    test('tells the same once in its quiet time, and each other thing by itself', async () => {
      const { alerts, clock, audit } = await fresh();
      expect(await alerts.raise(spike())).not.toBeNull();
      clock.now += HOUR - 1;
      expect(await alerts.raise(spike({ detail: {} }))).toBeNull();
      expect(await alerts.raise(spike({ subject: 'tok_b' }))).not.toBeNull();
      expect(await alerts.raise(spike({ kind: 'refusals.token' }))).not.toBeNull();
      expect(await alerts.raise(spike({ quietMs: 0 }))).not.toBeNull();
      clock.now += HOUR;
      expect(await alerts.raise(spike())).not.toBeNull();
      expect((await audit.list(everyAudit)).entries).toHaveLength(5);
    });

    test('whatever is raised when, no two of the same are closer than their quiet time, and none is kept back for less', async () => {
      const { alerts, clock } = await fresh();
      const raising = fc.record({ laterMs: fc.nat(HOUR), subject: fc.constantFrom('tok_a', 'tok_b') });
      const last = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(fc.array(raising, { maxLength: 12 }), async (times) => {
          for (const { laterMs, subject } of times) {
            clock.now += laterMs;
            const isQuiet = clock.now - (last.get(subject) ?? Number.NEGATIVE_INFINITY) < HOUR;
            const raised = await alerts.raise(spike({ subject }));
            expect(raised === null).toBe(isQuiet);
            if (raised !== null) last.set(subject, clock.now);
          }
        }),
        fuzz(10),
      );
    });

    test('lets one of many in that raise the same at once, from several processes', async () => {
      const { alerts, open } = await fresh();
      const others = [await open(), await open()].map((one) => one.alerts);
      const raised = await Promise.all(
        [alerts, ...others].flatMap((one) => Array.from({ length: 5 }, () => one.raise(spike()))),
      );
      expect(raised.filter((one) => one !== null)).toHaveLength(1);
    });

    test('keeps what callers chose as text, bounded', async () => {
      const { alerts } = await fresh();
      const subject = `\0'; drop table alerts; --\ud800${'x'.repeat(5000)}`;
      const raised = await alerts.raise(spike({ subject, detail: { values: ['\0\ud800'] } }));
      expect(raised?.subject).toHaveLength(199);
      expect(raised?.subject).toMatch(/^'; drop table alerts; --\ufffdx+$/);
      expect((await alerts.list(all)).alerts).toMatchObject([{ subject: raised?.subject }]);
      expect(await alerts.raise(spike({ subject }))).toBeNull();
    });

    test('lists the newest first, page by page; the open ones alone where asked', async () => {
      const { alerts } = await fresh();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.unshift((await alerts.raise(spike({ subject: `tok_${i}` })))?.id ?? '');
      await alerts.acknowledge(ids[1] ?? '', 'cli');
      const first = await alerts.list({ ...all, limit: 3 });
      expect(first.alerts.map(({ id }) => id)).toEqual(ids.slice(0, 3));
      const second = await alerts.list({ ...all, after: first.next });
      expect([second.alerts.map(({ id }) => id), second.next]).toEqual([ids.slice(3), null]);
      const open = await alerts.list({ ...all, open: true });
      expect(open.alerts.map(({ id }) => id)).toEqual([ids[0], ids[2], ids[3], ids[4]]);
      expect((await alerts.list({ ...all, after: 'x\0' })).alerts).toEqual([]);
    });

    test('acknowledges once, with the first name and time, and with one audit row', async () => {
      const { alerts, audit, clock, dry } = await fresh();
      const { id = '' } = (await alerts.raise(spike())) ?? {};
      expect(await dry.alerts.acknowledge(id, 'cli')).toMatchObject({ acknowledgedBy: 'cli' });
      expect((await alerts.list({ ...all, open: true })).alerts).toHaveLength(1);
      expect(await alerts.acknowledge(id, 'cli')).toMatchObject({
        acknowledgedAt: NOW,
        acknowledgedBy: 'cli',
      });
      clock.now += 1;
      expect(await alerts.acknowledge(id, 'x')).toMatchObject({ acknowledgedAt: NOW, acknowledgedBy: 'cli' });
      expect(await alerts.acknowledge('alr_none', 'x')).toBeNull();
      expect(await alerts.acknowledge('\0', 'x')).toBeNull();
      const { entries } = await audit.list(everyAudit);
      expect(entries.map(({ actor, action }) => [actor, action])).toEqual([
        ['postern', 'alert.raised'],
        ['cli', 'alert.acknowledge'],
      ]);
    });

    test('gives each due alert to one sender, again when its time is up, and no more once it was taken', async () => {
      const { alerts, open, clock } = await fresh();
      const other = (await open()).alerts;
      await alerts.raise(spike());
      const [due] = await alerts.due(10);
      if (due === undefined) return expect.unreachable('nothing is due');
      const claims = await Promise.all([alerts.claim(due, NOW + 500), other.claim(due, NOW + 500)]);
      expect(claims.filter((claimed) => claimed)).toHaveLength(1);
      expect(await alerts.due(10)).toEqual([]);
      clock.now += 500;
      const [again] = await other.due(10);
      expect(again?.alert.attempts).toBe(1);
      await alerts.failed(due.alert.id, clock.now + 1000);
      expect(await alerts.due(10)).toEqual([]);
      clock.now += 1000;
      expect(await alerts.due(10)).toHaveLength(1);
      await alerts.delivered(due.alert.id);
      await alerts.failed(due.alert.id, clock.now);
      expect(await alerts.due(10)).toEqual([]);
      expect((await alerts.list(all)).alerts).toMatchObject([{ deliveredAt: clock.now, attempts: 1 }]);
    });

    test('forgets after 400 days', async () => {
      const { alerts, clock } = await fresh();
      await alerts.raise(spike());
      clock.now += 399 * 24 * HOUR;
      await alerts.raise(spike());
      clock.now += 2 * 24 * HOUR;
      await alerts.forgetOld();
      expect((await alerts.list(all)).alerts).toHaveLength(1);
    });
  });
}
