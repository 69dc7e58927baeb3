/** Rows that sign: of no accepted config could what is signed for one type pass for another. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { deriveTriggerKey } from '../../gateway/trigger.ts';

const texts = ['p1', 'p2', 'p3'];
const secrets = ['the first secret of these tests, 01', 'the second secret of these tests 02'];
// The last is a derived key that somebody was given, and took for a secret.
const env: Readonly<Record<string, string>> = {
  S0: secrets[0] ?? '',
  S1: secrets[1] ?? '',
  S2: deriveTriggerKey(secrets[0] ?? '', 'p1'),
};

type Type = { readonly keys: readonly string[]; readonly derive: string | null };
/** `text` null: whatever the path says. */
type Row = { readonly type: number; readonly text: string | null; readonly serve: string };
type Case = { readonly types: readonly Type[]; readonly rows: readonly Row[] };

const cases: fc.Arbitrary<Case> = fc.record({
  types: fc.array(
    fc.record({
      keys: fc.uniqueArray(fc.constantFrom('S0', 'S1', 'S2'), { minLength: 1, maxLength: 2 }),
      derive: fc.constantFrom(null, ...texts.slice(0, 2)),
    }),
    { minLength: 2, maxLength: 3 },
  ),
  rows: fc.array(
    fc.record({
      type: fc.nat({ max: 1 }),
      text: fc.constantFrom(null, ...texts),
      serve: fc.constantFrom('probe.activate', 'probe.activate', 'probe.deactivate'),
    }),
    { maxLength: 3 },
  ),
});

function yamlOf({ types, rows }: Case): string {
  const signed = types.map(({ keys, derive }, n) => {
    const list = keys.map((name) => `{ env: ${name} }`).join(', ');
    const derived = derive === null ? '' : `, derive: ${derive}`;
    return `  t${n}: { prefix: t${n}_, format: signed, use: annotate, sources: [header:X-T${n}], key: [${list}]${derived} }`;
  });
  const served = rows.map(({ type, text, serve }, n) => {
    const bind = 'bind: { project: token.attribute.projects }';
    const derive = text ?? '"{project}"';
    return `      POST /r${n}/{project}: { allow: { user: any_scope }, ${bind}, serve: ${serve}, with: { type: t${type}, derive: ${derive} } }`;
  });
  return `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types:
  user: { prefix: usr_, scopes: [], attributes: { projects: list } }
${signed.join('\n')}
scopes: {}
apis:
  main:
    to: app
    types: [user, ${types.map((_, n) => `t${n}`).join(', ')}]
    routes:
      GET /x: { allow: { user: any_scope } }
${served.join('\n')}
`;
}

const secretOf = (name: string) => env[name] ?? '';

/**
 * Whether something that a row signs for its type would be right for, or also be signed for, another. Nobody can know
 * that a key which is no text of the config was derived for one that a path may name.
 */
function collides({ types, rows }: Case): boolean {
  const signed = rows.flatMap(({ type, text, serve }) => {
    const secret = secretOf(types[type]?.keys[0] ?? '');
    if (serve !== 'probe.activate') return [];
    const isOpen = text === null;
    return (isOpen ? texts : [text]).map((one) => ({ type, key: deriveTriggerKey(secret, one), isOpen }));
  });
  const verified = types.flatMap(({ keys, derive }, type) =>
    keys.map(secretOf).map((secret) => ({
      type,
      key: derive === null ? secret : deriveTriggerKey(secret, derive),
      isRaw: derive === null,
    })),
  );
  const isOther = (one: { type: number; key: string }, other: { type: number; key: string }) =>
    one.type !== other.type && one.key === other.key;
  return (
    signed.some((one) => signed.some((other) => isOther(one, other))) ||
    signed.some((one) => verified.some((other) => !(one.isOpen && other.isRaw) && isOther(one, other))) ||
    verified.some((one) => verified.some((other) => isOther(one, other)))
  );
}

test('a config is accepted exactly where no two types meet in a key', () => {
  let [accepted, refused] = [0, 0];
  fc.assert(
    fc.property(cases, (one) => {
      const loading = loadConfigText(yamlOf(one), 'gateway.config.yaml', env);
      if (loading.ok) accepted++;
      else refused++;
      expect(collides(one)).toBe(!loading.ok);
      if (!loading.ok) {
        const said = loading.problems.map(({ message }) => message);
        expect(said.every((message) => message.includes('the same key'))).toBe(true);
        expect(JSON.stringify(loading)).not.toMatch(/secret of these/);
      }
    }),
    { numRuns: 300 },
  );
  expect(accepted).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(20);
});
