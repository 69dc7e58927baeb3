/** Prints what a signed token costs a request: µs of CPU where none is sent, where one is right, and where one is wrong. */
import { createSecretKey } from 'node:crypto';
import { readAnnotations, signTrigger } from '../../gateway/trigger.ts';
import type { AnnotationType } from '../../policy/annotation-types.ts';
import { gateHead } from '../support/gate.ts';

const ROUNDS = 5;
const secret = 'a key of the bench, kept elsewhere 1';
const type: AnnotationType = {
  name: 'probe',
  prefix: 'probe_',
  sources: [
    { kind: 'header', name: 'x-probe' },
    { kind: 'query', name: 'probe' },
  ],
  expires: 'trigger_expires_at',
};
const payload = {
  activation_id: '550e8400-e29b-41d4-a716-446655440000',
  label_pattern: 'payment.*',
  service: 'payments',
  environment: 'staging',
  trigger_expires_at: '2099-01-01T00:00:00.000Z',
};
const fields = Array.from({ length: 12 }, (_, n) => [`X-Header-${n}`, 'some value of usual length']).flat();
const right = signTrigger('probe_', secret, payload);
const keyOf = (text: string) => createSecretKey(text, 'utf8');
const one = { triggerKeys: new Map([['probe', [keyOf(secret)]]]), now: Date.now };
const third = [
  keyOf('a newer key that signed none of it 01'),
  keyOf('a newer key that signed none of it 02'),
  keyOf(secret),
];
const three = { triggerKeys: new Map([['probe', third]]), now: Date.now };

/** The median of some rounds. */
function measure(what: string, times: number, run: () => unknown): void {
  const figures: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let n = 0; n < times; n++) run();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) figures.push((user + system) / times);
  }
  const median = figures.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  console.log(`${what.padEnd(48)} ${median.toFixed(2)} µs`);
}

const plain = gateHead(fields);
const sent = gateHead([...fields, 'X-Probe', right]);
const wrong = gateHead([...fields, 'X-Probe', `${right.slice(0, -1)}A`]);
const shapeless = gateHead([...fields, 'X-Probe', 'probe_m3n4o5p6q7r8']);
measure('no type in the api', 1_000_000, () => readAnnotations(plain, 'a=1&b=2', {}, one));
measure('a type, and none sent', 300_000, () => readAnnotations(plain, 'a=1&b=2', { annotate: [type] }, one));
measure('a right one', 30_000, () => readAnnotations(sent, 'a=1&b=2', { annotate: [type] }, one));
measure('a right one, of the third key', 30_000, () =>
  readAnnotations(sent, 'a=1&b=2', { annotate: [type] }, three),
);
measure('a wrong signature', 30_000, () => readAnnotations(wrong, 'a=1&b=2', { annotate: [type] }, one));
measure('no signature', 300_000, () => readAnnotations(shapeless, 'a=1&b=2', { annotate: [type] }, one));
