/** Token types that only annotate: apart from all credentials, in the policy and in what people are told. */
import { describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { explain } from '../../gateway/explain.ts';
import { diffPolicies } from '../../policy/diff.ts';
import { ownTypeNamed, typeNamed, wordComplaint } from '../../policy/token-input.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const env = { KEY: 'a key of the tests, kept elsewhere 01' };
const typeText =
  '{ prefix: pio_live_probe_, format: signed, use: annotate, sources: [header:X-Probe], key: { env: KEY } }';
const withType = smallConfig.replace(
  'scopes:\n  events:read',
  `  probe: ${typeText}\nscopes:\n  events:read`,
);
const listed = withType.replace('    to: app\n', '    to: app\n    types: [project, user, probe]\n');

describe('a type that annotates', () => {
  test('is no type of credentials, and its prefix leads to none', () => {
    const { policy, triggerKeys, warnings } = loaded(listed, env);
    expect([[...policy.types.keys()], [...policy.annotations.keys()]]).toEqual([
      ['project', 'user'],
      ['probe'],
    ]);
    expect(policy.prefixes.map(({ prefix, type }) => [prefix, type?.name ?? null])).toEqual([
      ['pio_live_probe_', null],
      ['pio_live_', 'project'],
      ['u_', 'user'],
    ]);
    expect([triggerKeys.get('probe')?.length, warnings]).toEqual([1, []]);
    expect(JSON.stringify([...triggerKeys])).not.toContain(env.KEY);
  });

  test('is read on each row of the apis that list it, and its sources hold no credential', () => {
    const { policy } = loaded(listed, env);
    for (const route of policy.routes) {
      expect(route.annotate?.map(({ name, expires }) => [name, expires])).toEqual([
        ['probe', 'trigger_expires_at'],
      ]);
      expect(route.sources.some((source) => 'name' in source && source.name === 'x-probe')).toBe(false);
    }
    const unlisted = loaded(withType, env);
    expect(unlisted.policy.routes.map(({ annotate }) => annotate)).toEqual([undefined, undefined]);
    expect(unlisted.warnings.map(({ message, hint }) => [message, hint])).toEqual([
      [
        'token type "probe" is not used',
        'no api lists it, so nobody looks for its tokens; add it to types: of an api or remove it',
      ],
    ]);
  });

  test('has no tokens to issue, and nobody asks with one', async () => {
    const { policy } = loaded(listed, env);
    const words =
      'tokens of type probe only annotate: they stand for nobody, and are not issued here; whoever has the key signs them';
    for (const named of [typeNamed(policy, 'probe'), ownTypeNamed(policy, 'probe')]) {
      expect(named.ok ? null : wordComplaint(named.complaint)).toBe(words);
    }
    const question = { method: 'GET', target: '/events', as: 'probe', attributes: [], headers: [] };
    const answer = await explain(policy, question);
    expect(answer.ok ? null : wordComplaint(answer.complaint)).toBe(words);
  });

  test('that comes, goes or changes is told by diff', () => {
    const [before, after] = [loaded(smallConfig).policy, loaded(listed, env).policy];
    expect(diffPolicies(before, after).map(({ verdict, what }) => [verdict, what])).toContainEqual([
      'changed',
      'annotations',
    ]);
    expect(diffPolicies(after, loaded(listed, env).policy)).toEqual([]);
    const other = listed.replace('use: annotate,', 'use: annotate, expires: ends_at,');
    expect(diffPolicies(after, loaded(other, env).policy)).not.toEqual([]);
  });
});

test('a key that stands in the file is never repeated', () => {
  const secret = 'hunter2'.repeat(6);
  const digits = '7'.repeat(42);
  for (const key of [
    secret,
    `[${secret}]`,
    digits,
    `[${digits}]`,
    `[[${secret}]]`,
    `{ env: A, file: [${secret}] }`,
  ]) {
    const result = loadConfigText(listed.replace('{ env: KEY }', key), 'gateway.config.yaml', env);
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toMatch(/hunter2hunter2|7777777/);
  }
});
