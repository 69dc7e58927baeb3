/** When a config file counts as changed. */
import { createHash } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchConfig } from '../../gateway/watch.ts';

const everyMs = 15;
let folder: string;
let file: string;
let calls: number;
let stop: () => void;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-watch-'));
  file = join(folder, 'gateway.config.yaml');
  calls = 0;
  writeFileSync(file, 'first');
  const version = createHash('sha256').update('first').digest('hex').slice(0, 12);
  stop = watchConfig(file, version, () => calls++, everyMs);
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true, force: true });
});

async function called(times: number): Promise<void> {
  for (let waits = 0; calls < times && waits < 2000; waits++) await sleep(5);
  // Two more looks: nothing is told twice.
  await sleep(everyMs * 3);
  expect(calls).toBe(times);
}

test('once per new content, and not for the same content written again', async () => {
  await called(0);
  writeFileSync(file, 'second');
  await called(1);
  writeFileSync(file, 'second');
  await called(1);
  writeFileSync(file, 'first');
  await called(2);
});

test('a file replaced whole, or reached by a link that was swung', async () => {
  writeFileSync(join(folder, 'next'), 'second');
  renameSync(join(folder, 'next'), file);
  await called(1);
  writeFileSync(join(folder, 'third'), 'third');
  unlinkSync(file);
  symlinkSync(join(folder, 'third'), file);
  await called(2);
});

test('a file that is gone is as good as unchanged, until it is back with something else', async () => {
  unlinkSync(file);
  await called(0);
  writeFileSync(file, 'first');
  await called(0);
  writeFileSync(file, 'second');
  await called(1);
});

test('a file that is another at every look is still being written', async () => {
  let told = 0;
  const end = watchConfig('/proc/uptime', 'none', () => told++, 30);
  await sleep(400);
  end();
  expect(told).toBe(0);
});
