/** Alerts on their way to a real receiver: signed, again until they are taken, over restarts, and never with a secret in a word of ours. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { verify } from '../../docs/verify/alerts.ts';
import { createCourier, type Delivery } from '../../gateway/alert-courier.ts';
import { createPoster, signatureOf } from '../../gateway/alert-webhook.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { freePort } from '../fixtures/free-port.ts';
import { type ReceiverFixture, startReceiver } from '../fixtures/receiver.ts';
import { spike } from '../store/alerts.suite.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { fuzz } from '../support/fuzz.ts';

const secret = 's'.repeat(40);
const start = Date.UTC(2026, 0, 5, 12);

async function receiver(port?: number): Promise<ReceiverFixture> {
  const one = await startReceiver(port);
  onTestFinished(() => one.stop().catch(() => {}));
  return one;
}

/** A store on a clock of its own, and couriers beside it. */
async function desk(url: string | null, timeLimitMs?: number) {
  const clock = { now: start };
  const path = join(temporaryFolder(), 'alerts.db');
  const store = await openSqliteTokens({ path, now: () => clock.now });
  onTestFinished(() => store.close());
  const deliveries: Delivery[] = [];
  const faults: unknown[] = [];
  const courier = () => {
    const poster = createPoster(() => clock.now, timeLimitMs);
    const one = createCourier({
      alerts: store.alerts,
      poster,
      webhook: () => (url === null ? null : { url, secret }),
      now: () => clock.now,
      onDelivery: (delivery) => deliveries.push(delivery),
      onFault: (error) => faults.push(error),
      everyMs: 3_600_000,
    });
    const close = async () => {
      const ended = one.close();
      await poster.close();
      await ended;
    };
    onTestFinished(close);
    return { ...one, close };
  };
  const raise = async (subject = 'tok_a') => (await store.alerts.raise(spike({ subject })))?.id ?? '';
  const known = async () => (await store.alerts.list({ open: false, after: null, limit: 10 })).alerts;
  return { clock, store, courier, raise, known, deliveries, faults };
}

describe('an alert', () => {
  test('arrives signed, by its id, and with all that a receiver needs', async () => {
    const { url, got } = await receiver();
    const { courier, raise, known, deliveries } = await desk(url);
    const id = await raise();
    await courier().run();
    const [{ headers, body } = expect.unreachable('nothing arrived')] = got;
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-postern-delivery': id });
    expect(verify(body, String(headers['x-postern-signature']), secret, start)).toEqual({
      ...{ id, at: '2026-01-05T12:00:00.000Z', kind: 'spike.token' },
      summary: 'A token is used far more than usual.',
      ...{ subject: 'tok_a', token_id: 'tok_a', detail: { count: 1000, usual: 10 } },
      ...{ acknowledged_at: null, acknowledged_by: null },
    });
    expect(deliveries).toEqual([{ id, outcome: 'delivered', attempts: 1, reason: null }]);
    expect(await known()).toMatchObject([{ attempts: 1, deliveredAt: start }]);
    await courier().run();
    expect(got).toHaveLength(1);
  });

  test('that is forged, changed, old or unsigned is told from it by docs/verify/alerts.ts', async () => {
    const { url, got } = await receiver();
    const { courier, raise } = await desk(url);
    await raise();
    await courier().run();
    const [{ headers, body } = expect.unreachable('nothing arrived')] = got;
    const signature = String(headers['x-postern-signature']);
    const changed = Buffer.from(body.toString().replace('tok_a', 'tok_b'));
    expect(() => verify(changed, signature, secret, start)).toThrow('not signed');
    expect(() => verify(body, undefined, secret, start)).toThrow('not signed');
    expect(() => verify(body, signatureOf(body.toString(), 'x'.repeat(40)), secret, start)).toThrow(
      'not signed',
    );
    expect(() => verify(body, signature, secret, start + 301_000)).toThrow('too long ago');
    const undated = '{"alert":{}}';
    expect(() => verify(Buffer.from(undated), signatureOf(undated, secret), secret, start)).toThrow(
      'too long ago',
    );
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const other = Buffer.from(body);
        other[at] = (other[at] ?? 0) ^ flip;
        expect(() => verify(other, signature, secret, start)).toThrow('not signed');
      }),
      fuzz(100),
    );
  });

  test('that is refused comes again when its time has come, and not before', async () => {
    const { url, got, say } = await receiver();
    const { courier, raise, known, deliveries, clock } = await desk(url);
    const id = await raise();
    const { run } = courier();
    say(500, 404);
    for (const laterMs of [0, 999, 1, 1999, 1]) {
      clock.now += laterMs;
      await run();
    }
    expect(deliveries).toEqual([
      { id, outcome: 'failed', attempts: 1, reason: 'it answered 500' },
      { id, outcome: 'failed', attempts: 2, reason: 'it answered 404' },
      { id, outcome: 'delivered', attempts: 3, reason: null },
    ]);
    expect(await known()).toMatchObject([{ attempts: 3, deliveredAt: clock.now }]);
    const last = got.at(-1);
    expect(
      verify(last?.body ?? Buffer.alloc(0), String(last?.headers['x-postern-signature']), secret, clock.now)
        .id,
    ).toBe(id);
  });

  test('follows no redirect', async () => {
    const elsewhere = await receiver();
    const { url, say } = await receiver();
    say({ location: elsewhere.url });
    const { courier, raise, deliveries } = await desk(url);
    await raise();
    await courier().run();
    expect(deliveries).toMatchObject([{ outcome: 'failed', reason: 'it answered 307' }]);
    expect(elsewhere.got).toEqual([]);
  });

  test('keeps no other waiting beyond its time limit where the receiver hangs', async () => {
    const { url, say, got } = await receiver();
    say('hang');
    const { courier, raise, deliveries, clock } = await desk(url, 150);
    await raise('tok_a');
    await raise('tok_b');
    const { run } = courier();
    await run();
    expect(deliveries.map(({ outcome, reason }) => [outcome, reason]).sort()).toEqual([
      ['delivered', null],
      ['failed', 'it did not answer in time'],
    ]);
    clock.now += 1000;
    await run();
    expect([deliveries.at(-1)?.outcome, got.length]).toEqual(['delivered', 3]);
  });

  test('waits for a receiver that is away, and is given up after a day', async () => {
    const gone = await startReceiver(await freePort());
    await gone.stop();
    const { courier, raise, known, deliveries, clock } = await desk(gone.url);
    await raise();
    const { run } = courier();
    await run();
    expect(deliveries).toMatchObject([{ outcome: 'failed', reason: 'it could not be sent (ECONNREFUSED)' }]);
    clock.now += 86_400_000;
    await run();
    expect(deliveries.at(-1)?.outcome).toBe('given_up');
    clock.now += 86_400_000;
    await run();
    expect(deliveries).toHaveLength(2);
    expect(await known()).toMatchObject([{ attempts: 2, deliveredAt: null }]);
    expect(JSON.stringify(deliveries)).not.toMatch(/in-the-url|ssss/);
  });

  test('outlives a process that ends while it is being sent', async () => {
    const { url, say, got, arrived } = await receiver();
    say('hang');
    const { courier, raise, known, clock } = await desk(url);
    const id = await raise();
    const before = courier();
    void before.run();
    await arrived(1);
    await before.close();
    expect(await known()).toMatchObject([{ attempts: 1, deliveredAt: null }]);
    clock.now += 20_000;
    await courier().run();
    expect(got.map(({ headers }) => headers['x-postern-delivery'])).toEqual([id, id]);
    expect(await known()).toMatchObject([{ attempts: 2, deliveredAt: clock.now }]);
  });

  test('outlives a process that is killed: whoever claimed it and is gone does not keep it', async () => {
    const { url, got } = await receiver();
    const { store, courier, raise, clock } = await desk(url);
    await raise();
    const [due] = await store.alerts.due(1);
    if (due === undefined) return expect.unreachable('nothing is due');
    await store.alerts.claim(due, clock.now + 15_000);
    const { run } = courier();
    await run();
    expect(got).toHaveLength(0);
    clock.now += 15_000;
    await run();
    expect(got).toHaveLength(1);
  });

  test('arrives once where two processes send', async () => {
    const { url, got } = await receiver();
    const { courier, raise } = await desk(url);
    for (let i = 0; i < 30; i++) await raise(`tok_${i}`);
    await Promise.all([courier().run(), courier().run()]);
    const ids = got.map(({ headers }) => headers['x-postern-delivery']);
    expect([ids.length, new Set(ids).size]).toEqual([30, 30]);
  });

  test('waits where there is no webhook, for one that the next config names', async () => {
    const { courier, raise, known } = await desk(null);
    await raise();
    await courier().run();
    expect(await known()).toMatchObject([{ attempts: 0, deliveredAt: null }]);
  });

  test('is tried again where the store could not be asked', async () => {
    const { courier, store, faults } = await desk('http://127.0.0.1:9/');
    await store.close();
    await courier().run();
    expect(faults).toHaveLength(1);
  });
});
