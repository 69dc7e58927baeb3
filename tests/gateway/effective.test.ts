/** `check --defaults`: a file that means the same, with every default in it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readDocument } from '../../gateway/config/document.ts';
import { effectiveConfig } from '../../gateway/config/effective.ts';
import { diffPolicies } from '../../policy/diff.ts';
import { loaded } from '../fixtures/config.ts';

const root = new URL('../../', import.meta.url);
const shipped = readFileSync(new URL('gateway.config.yaml', root), 'utf8');

function effective(yaml: string): string {
  const reading = readDocument(yaml);
  if (!reading.ok) throw new Error('not a config');
  return effectiveConfig(reading.document.value);
}

describe('the shipped config with its defaults', () => {
  const text = effective(shipped);
  const [before, after] = [loaded(shipped), loaded(text)];

  test('means the same', () => {
    expect(diffPolicies(before.policy, after.policy)).toEqual([]);
    expect(after.listen).toEqual(before.listen);
    expect(after.upstreams).toEqual(before.upstreams);
    expect(after.fixtures.map(({ name, expect: expected }) => [name, expected])).toEqual(
      before.fixtures.map(({ name, expect: expected }) => [name, expected]),
    );
  });

  test('keeps what was written and marks what was not', () => {
    expect(text).toContain('announce: 5s\n');
    expect(text).toContain('when_down: refuse # default\n');
    expect(text).toContain('alphabet: base62 # default\n');
    expect(text).toContain('bind: {} # default\n');
  });

  test('has nothing left to add', () => {
    expect(effective(text).replaceAll(' # default', '')).toBe(text.replaceAll(' # default', ''));
  });
});
