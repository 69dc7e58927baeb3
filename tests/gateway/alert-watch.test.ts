/** What is raised of what a real store has counted and seen, on a clock of the test's own. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createAlertWatch } from '../../gateway/alert-watch.ts';
import type { AlertRecord, AlertRules } from '../../policy/alert-types.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const start = Date.UTC(2026, 0, 5, 12);

const rules: AlertRules = {
  spike: { times: 10, perMinute: 100 },
  unseen: ['bundle', 'origin', 'network'],
  refusals: { token: 100, network: 300 },
  learnMs: DAY,
  quietMs: HOUR,
};

async function watching() {
  const clock = { now: start };
  const now = () => clock.now;
  const store = await openSqliteTokens({ path: join(temporaryFolder(), 'alerts.db'), now });
  onTestFinished(() => store.close());
  const raised: AlertRecord[] = [];
  const { alerts, sightings, usage } = store;
  const other = () => createAlertWatch({ alerts, sightings, now, onRaised: (alert) => raised.push(alert) });
  const count = (tokenId: string, passed: number, refused = 0) =>
    usage.add([{ tokenId, minuteMs: now(), route: 'r', passed, refused, failed: 0 }], []);
  const see = (kind: 'origin' | 'network' | 'bundle', value: string, tokenId = 'tok_a') =>
    sightings.add([{ tokenId, kind, value, at: now() }], [], 51);
  const told = () => raised.splice(0).map(({ kind, subject, detail }) => ({ kind, subject, detail }));
  return { ...other(), other, clock, sightings, count, see, told };
}

test('a token and a bundle id that are used tenfold are told, once, with the figures', async () => {
  const { judge, clock, count, sightings, told } = await watching();
  const bundle = (calls: number) =>
    sightings.add([], [{ kind: 'bundle', subject: 'com.a', minuteMs: clock.now, count: calls }], 51);
  for (let hour = 0; hour < 25; hour++, clock.now += HOUR) {
    for (const minute of [0, 20, 40]) {
      clock.now += minute * MINUTE;
      await Promise.all([count('tok_a', 200), bundle(200)]);
      clock.now -= minute * MINUTE;
    }
    await judge(rules);
  }
  expect(told()).toEqual([]);
  await Promise.all([count('tok_a', 2000), bundle(399)]);
  await judge(rules);
  await judge(rules);
  const detail = { requests: 2000, minute: new Date(clock.now).toISOString(), usual: 10, busiest: 200 };
  expect(told()).toEqual([{ kind: 'spike.token', subject: 'tok_a', detail }]);
  await bundle(1);
  await judge(rules);
  expect(told()).toMatchObject([{ kind: 'spike.bundle', subject: 'com.a', detail: { requests: 400 } }]);
});

test('a token that is new is learned, and one that was silent is not', async () => {
  const { judge, clock, count, told } = await watching();
  await count('tok_new', 5000);
  await judge(rules);
  expect(told()).toEqual([]);
  clock.now += 8 * DAY;
  await count('tok_new', 5000);
  await judge(rules);
  expect(told()).toMatchObject([{ kind: 'spike.token', detail: { requests: 5000, usual: 0, busiest: 0 } }]);
});

test('bursts of refusals are told, of a token and of a network, again after the quiet time', async () => {
  const { judge, clock, count, sightings, told } = await watching();
  const network = (refused: number) =>
    sightings.add(
      [],
      [{ kind: 'network', subject: '203.0.113.0/24', minuteMs: clock.now, count: refused }],
      51,
    );
  await Promise.all([count('tok_a', 0, 99), count('', 0, 100_000), network(299)]);
  await judge(rules);
  expect(told()).toEqual([]);
  await Promise.all([count('tok_a', 0, 1), network(1)]);
  const kinds = ['refusals.token', 'refusals.network'];
  for (const laterMs of [0, 59 * MINUTE, 1 * MINUTE]) {
    clock.now += laterMs;
    await Promise.all([count('tok_a', 0, 100), network(300)]);
    await judge(rules);
    expect(told().map(({ kind }) => kind)).toEqual(laterMs === 59 * MINUTE ? [] : kinds);
  }
});

test('bursts from many networks at once are one alert', async () => {
  const { judge, clock, sightings, told } = await watching();
  const bursts = Array.from({ length: 2000 }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`).map((subject) => {
    return { kind: 'network', subject, minuteMs: clock.now, count: 300 } as const;
  });
  await sightings.add([], bursts, 51);
  await judge(rules);
  await judge(rules);
  const detail = { refused: 600_000, minute: new Date(clock.now).toISOString(), networks: 2000 };
  expect(told()).toEqual([{ kind: 'refusals.network', subject: 'many networks', detail }]);
});

test('a place never seen before is told; in the first day of a token, none is', async () => {
  const { judge, clock, see, told } = await watching();
  await Promise.all([see('origin', 'https://a.example'), see('origin', ''), see('network', '10.0.0.0/24')]);
  await judge(rules);
  clock.now += DAY - 1;
  await see('network', '10.0.1.0/24');
  await judge(rules);
  expect(told()).toEqual([]);
  clock.now += 1;
  await Promise.all([
    see('origin', 'https://evil.example'),
    see('network', '10.0.2.0/24'),
    see('bundle', 'com.a'),
  ]);
  await judge(rules);
  expect(told()).toEqual([
    { kind: 'unseen.network', subject: 'tok_a', detail: { values: ['10.0.2.0/24'], known: 2 } },
    { kind: 'unseen.origin', subject: 'tok_a', detail: { values: ['https://evil.example'], known: 2 } },
  ]);
  await judge(rules);
  expect(told()).toEqual([]);
});

test('places that come within the quiet time are told together when it is over', async () => {
  const { judge, clock, see, told } = await watching();
  await see('origin', 'https://a.example');
  clock.now += DAY;
  for (let i = 0; i < 9; i++) {
    await see('origin', i === 0 ? '' : `https://${i}.example`);
    await judge(rules);
  }
  expect(told()).toEqual([{ kind: 'unseen.origin', subject: 'tok_a', detail: { values: [null], known: 1 } }]);
  clock.now += HOUR;
  await judge(rules);
  const values = [1, 2, 3, 4, 5].map((n) => `https://${n}.example`);
  expect(told()).toMatchObject([{ kind: 'unseen.origin', detail: { values, more: 3, known: 2 } }]);
});

test('several processes that judge at once tell each thing once', async () => {
  const { other, clock, count, see, told } = await watching();
  await see('origin', 'https://a.example');
  clock.now += 2 * DAY;
  await see('origin', 'https://b.example');
  await count('tok_a', 0, 500);
  await Promise.all([other(), other(), other()].map((one) => one.judge(rules)));
  expect(
    told()
      .map(({ kind }) => kind)
      .sort(),
  ).toEqual(['refusals.token', 'unseen.origin']);
});

test('what is off is not told', async () => {
  const { judge, clock, count, see, told } = await watching();
  await Promise.all([see('origin', 'a'), see('network', 'a'), count('tok_a', 1)]);
  clock.now += 2 * DAY;
  await Promise.all([see('origin', 'b'), see('network', 'b'), count('tok_a', 9000, 9000)]);
  await judge({ ...rules, spike: null, unseen: ['network'], refusals: null });
  expect(told().map(({ kind }) => kind)).toEqual(['unseen.network']);
  await judge(rules);
  expect(told().map(({ kind }) => kind)).toEqual(['spike.token', 'refusals.token']);
});
