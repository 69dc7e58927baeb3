/** Rows about probes without a wire: what is said of them before a request comes, and what one would get. */
import { expect, test } from 'vitest';
import { matrixOf } from '../../gateway/admin/matrix.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import { rehearse } from '../../gateway/rehearsal.ts';
import { diffPolicies } from '../../policy/diff.ts';
import { loaded } from '../fixtures/config.ts';

const env = { KEY: 'a key of the tests, kept elsewhere 01', OTHER: 'another one, kept elsewhere too, 02' };

const config = (more = '', derive = '"{project}"') => `version: 1
upstreams:
  app: { url: http://127.0.0.1:9001 }
token_types:
  user: { prefix: usr_, scopes: [], attributes: { projects: list } }
  probe: { prefix: probe_, format: signed, use: annotate, sources: [header:X-Probe], key: [{ env: KEY }, { env: OTHER }] }
scopes: {}
apis:
  main:
    to: app
    routes:
      GET /p/{project}: { allow: { user: any_scope }, bind: { project: token.attribute.projects } }
      POST /p/{project}/on: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.activate, with: { type: probe, derive: ${derive} } }
      GET /p/{project}/probes: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.list, with: { type: probe, derive: ${derive} } }
      POST /p/{project}/off: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.deactivate, with: { type: probe, derive: ${derive} } }
${more}`;

const { policy, warnings } = loaded(config(), env);
const user = policy.types.get('user');

async function ask(method: string, target: string, body: object | null) {
  if (user === undefined) throw new Error('no user');
  const as = { type: user, scopes: null, attributes: new Map([['projects', ['a']]]) };
  const bytes = body === null ? null : Buffer.from(JSON.stringify(body));
  return rehearse(policy, { method, target, headers: [], body: bytes, as });
}

test('a rehearsal says what is answered here, and what is refused', async () => {
  const on = await ask('POST', '/p/a/on', { label_pattern: '*', ttl_seconds: 60 });
  expect(on).toMatchObject({
    outcome: 'serve',
    status: 201,
    row: 'main POST /p/{project}/on',
    upstream: null,
  });
  expect(on.steps.at(-1)).toEqual({ step: 'serve', ok: true, detail: 'probe.activate of type probe' });
  expect(await ask('GET', '/p/a/probes?limit=2', null)).toMatchObject({ outcome: 'serve', status: 200 });
  expect(await ask('POST', '/p/a/off', { activation_id: 'x' })).toMatchObject({
    outcome: 'serve',
    status: 200,
  });
  expect(await ask('POST', '/p/a/off', null)).toMatchObject({ status: 400, code: 'payload_invalid' });
  expect(await ask('POST', '/p/b/on', null)).toMatchObject({ status: 403, code: 'bind_mismatch' });
});

test('a type that only rows sign with is used', () => {
  expect(warnings.map(({ path }) => path)).toEqual([]);
});

test('the matrix names each operation, where an upstream would stand', () => {
  const rows = matrixOf(policy).rows.map(({ upstream }) => upstream);
  expect(rows).toEqual(['app', 'serve probe.activate', 'serve probe.list', 'serve probe.deactivate']);
});

test('a diff tells that a row derives for another text', () => {
  const changes = diffPolicies(policy, loaded(config('', 'all'), env).policy);
  expect(changes.map(({ verdict, row }) => `${verdict} ${row}`)).toEqual([
    'changed main POST /p/{project}/on',
    'changed main GET /p/{project}/probes',
    'changed main POST /p/{project}/off',
  ]);
  expect(diffPolicies(policy, loaded(config(), env).policy)).toEqual([]);
});

test('a fixture may expect that a row serves', async () => {
  const body = '{ label_pattern: "a.*", ttl_seconds: 60 }';
  const fixture = (expected: string) => `fixtures:
  - { name: on, request: POST /p/a/on, as: { user: { projects: [a] } }, body: ${body}, expect: ${expected} }
`;
  expect(await runFixtures(loaded(config(fixture('serve')), env))).toEqual([]);
  expect(await runFixtures(loaded(config(fixture('201')), env))).toEqual([]);
  expect(await runFixtures(loaded(config(fixture('409 activations_full')), env))).toMatchObject([
    { message: 'fixture "on" expects 409 activations_full and gets serve (201)' },
  ]);
});
