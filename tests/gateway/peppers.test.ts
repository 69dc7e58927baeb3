/** Peppers are read from where the config says, and shown nowhere. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { changedPeppers } from '../../gateway/config/peppers.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const scratch = mkdtempSync(join(tmpdir(), 'postern-peppers-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function problemsOf(text: string, env: Record<string, string>) {
  const result = loadConfigText(text, 'gateway.config.yaml', env);
  return result.ok ? [] : result.problems;
}

test('has its peppers read, the newest first, and not in its policy', () => {
  writeFileSync(join(scratch, 'pepper'), `${'of 2025 '.repeat(5)}\n`);
  const text = smallConfig.replace(
    '{ prefix: pio_live_,',
    '{ prefix: pio_live_, hash: { use: sha256, pepper: [{ env: P }, { file: pepper }, none] },',
  );
  const env = { P: 'of 2026 '.repeat(5) };
  const { peppers, policy } = loaded(text, env, join(scratch, 'gateway.config.yaml'));
  expect(peppers).toEqual(new Map([['project', [env.P, 'of 2025 '.repeat(5).trim(), null]]]));
  expect(JSON.stringify([...policy.types])).not.toMatch(/of 202[56]/);
  expect(loaded(smallConfig).peppers.size).toBe(0);
});

test('never repeats a pepper, wherever it stands', () => {
  const pepper = 'hunter2'.repeat(6);
  const env = { SHORT: 'hunter2', TWICE: pepper, AGAIN: pepper };
  const [digits, lists] = [pepper.replace(/\D/g, '7'), '[{ env: TWICE }, { env: AGAIN }]'];
  for (const list of [`[${pepper}]`, pepper, `[${digits}]`, digits, '[{ env: SHORT }]', lists]) {
    const hash = `{ prefix: pio_live_, hash: { use: sha256, pepper: ${list} },`;
    const problems = problemsOf(smallConfig.replace('{ prefix: pio_live_,', hash), env);
    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems)).not.toMatch(/hunter2hunter2|7777/);
  }
});

test('the types whose peppers changed are named, those that lost or gained them too', () => {
  const of = (...lists: [string, (string | null)[]][]) => new Map(lists);
  expect(changedPeppers(of(['a', ['1', '2']]), of(['a', ['1', '2']]))).toEqual([]);
  expect(changedPeppers(of(['a', ['1', null]], ['b', ['1']]), of(['a', ['1']], ['c', ['1']]))).toEqual([
    'token_types.a.hash.pepper',
    'token_types.b.hash.pepper',
    'token_types.c.hash.pepper',
  ]);
});
