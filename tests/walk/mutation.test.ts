/**
 * The shipped config is held by what it ships with. Every cell, type, bind, pin, limit and other rule of it is
 * flipped, one at a time, and each flip must be seen: by the loader, by a fixture, or in the kept matrix.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../gateway/admin/cli.ts';
import { matrixOf } from '../../gateway/admin/matrix.ts';
import { firstDifference, matrixMarkdown } from '../../gateway/admin/matrix-table.ts';
import { loadConfigText } from '../../gateway/config/load.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import type { Fixture } from '../../policy/compile-fixtures.ts';
import { diffPolicies } from '../../policy/diff.ts';
import { loaded } from '../fixtures/config.ts';
import { type Mutant, type MutantKind, mutantsOf, strict } from './mutants.ts';

const root = resolve(import.meta.dirname, '../..');
const file = resolve(root, 'gateway.config.yaml');
const matrixFile = resolve(root, 'docs/matrix.md');
const shipped = readFileSync(file, 'utf8');
const { policy, fixtures } = loaded(shipped, {}, file);
const mutants = mutantsOf(shipped);

type Witnesses = {
  readonly fixtures: readonly Fixture[];
  /** As `matrix --markdown` wrote it. */
  readonly matrix: string;
};

const shippedWitnesses: Witnesses = { fixtures, matrix: readFileSync(matrixFile, 'utf8') };

/** Who sees a mutant first. `same`: it is taken, and nothing is different for any caller. */
type Seen = 'load' | 'fixture' | 'matrix' | 'same' | 'nobody';

async function seenBy({ text }: Mutant, witnesses: Witnesses): Promise<Seen> {
  const loading = loadConfigText(text, file, {});
  if (!loading.ok) return 'load';
  for (const fixture of witnesses.fixtures) {
    // One that fails is enough.
    if ((await runFixtures({ ...loading.config, fixtures: [fixture] })).length > 0) return 'fixture';
  }
  if (diffPolicies(policy, loading.config.policy).length === 0) return 'same';
  const markdown = matrixMarkdown(matrixOf(loading.config.policy));
  return firstDifference(markdown, witnesses.matrix) === null ? 'nobody' : 'matrix';
}

const isStrict = (kind: MutantKind) => (strict as readonly MutantKind[]).includes(kind);

/** Flips by who saw them; of what must not be left to the matrix, `survivors` are those that were. */
async function judge(flips: readonly Mutant[], witnesses = shippedWitnesses) {
  const survivors: string[] = [];
  const seen: Record<Seen, string[]> = { load: [], fixture: [], matrix: [], same: [], nobody: [] };
  for (const mutant of flips) {
    const by = await seenBy(mutant, witnesses);
    seen[by].push(mutant.name);
    if (by === 'nobody' || (by === 'matrix' && isStrict(mutant.kind))) survivors.push(mutant.name);
  }
  return { survivors, seen };
}

describe('the shipped config', () => {
  test('has no cell, type, bind, pin, limit or other rule that could be flipped unseen', async () => {
    const { survivors, seen } = await judge(mutants);
    expect(survivors).toEqual([]);
    expect(mutants.filter(({ kind }) => isStrict(kind)).length).toBeGreaterThan(200);
    expect(mutants.length).toBeGreaterThan(400);
    expect(seen.fixture.length).toBeGreaterThan(150);
    // Tokens of these types always have the scope, and an origin pin stands on rows that do not name it.
    expect(seen.same).toEqual([
      'cell GET /items: legacy: items:read -> any_scope',
      'cell GET /items/{id}: legacy: items:read -> any_scope',
      'cell POST /events: browser: events:write -> any_scope',
      'pin POST /events: site is not named',
    ]);
  });

  test('says what docs/matrix.md says', async () => {
    let said = '';
    const out = (text: string) => {
      said += text;
    };
    const shell = { env: {}, out, err: out, colours: false, now: () => 0 };
    expect(await run(['matrix', '--config', file, '--check', matrixFile], shell), said).toBe(0);
  });
});

test('a list of origins that belongs to a row could not be flipped unseen either', async () => {
  const config = parse(shipped);
  const [api] = Object.keys(config.apis);
  config.pins.relay = { kind: 'origin', allow: ['https://app.example.com'], when_missing: 'deny' };
  config.apis[api ?? ''].routes['POST /relay'] = { allow: 'public', pins: ['relay'] };
  const from = (origin: string) => ({ request: 'POST /relay', headers: { Origin: origin } });
  config.fixtures.push(
    { name: 'a page relays', ...from('https://app.example.com'), expect: 'forward' },
    { name: 'another does not', ...from('https://other.example'), expect: '403 origin_not_allowed' },
    { name: 'nor does no page', request: 'POST /relay', expect: '403 origin_not_allowed' },
  );
  const text = JSON.stringify(config);
  const relayed = loaded(text, {}, file);
  expect(await runFixtures(relayed)).toEqual([]);
  const witnesses = { fixtures: relayed.fixtures, matrix: matrixMarkdown(matrixOf(relayed.policy)) };
  const flips = mutantsOf(text).filter(({ name }) => /^(?:pin|monitor) (?:.*: )?relay/.test(name));
  const { survivors, seen } = await judge(flips, witnesses);
  expect(survivors).toEqual([]);
  expect(seen.fixture.length).toBeGreaterThan(5);
  expect(seen.matrix).toEqual(['monitor relay']);
}, 20_000);

describe('the proof notices', () => {
  const without = (name: string): Witnesses => {
    const rest = fixtures.filter((fixture) => fixture.name !== name);
    expect(rest).toHaveLength(fixtures.length - 1);
    return { ...shippedWitnesses, fixtures: rest };
  };
  const about = (row: string) =>
    mutants.filter(({ kind, name }) => isStrict(kind) && name.startsWith(`${kind} ${row}: `));

  test.each([
    [
      'deleting takes writing',
      'DELETE /items/{id}',
      ['cell DELETE /items/{id}: service: items:write + items:delete -> items:delete'],
    ],
    ['a browser does not create', 'POST /items', ['type POST /items: browser too']],
    ['a legacy token reads one item', 'GET /items/{id}', ['cell GET /items/{id}: legacy not']],
    [
      'not the report of another',
      'GET /tenants/{tenant}/report',
      [
        'bind GET /tenants/{tenant}/report: {tenant} is not bound',
        'bind GET /tenants/{tenant}/report: else 403',
      ],
    ],
    ['a pinned token exports none elsewhere', 'POST /exports', ['pin POST /exports: site is off']],
  ])('that the fixture "%s" is gone', async (name, row, expected) => {
    expect((await judge(about(row), without(name))).survivors).toEqual(expected);
  });

  test('that the kept matrix is not that of the config', async () => {
    const [mutant] = mutants.filter(({ name }) => name === 'limit reads: {"on_redis_down":"open"}');
    if (mutant === undefined) return expect.unreachable('there is no such flip');
    expect(await seenBy(mutant, shippedWitnesses)).toBe('matrix');
    const matrix = shippedWitnesses.matrix.replaceAll(
      'reads 600/1m per token, local',
      'reads 600/1m per token, open',
    );
    expect(await seenBy(mutant, { ...shippedWitnesses, matrix })).toBe('nobody');
  });
});
