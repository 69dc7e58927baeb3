import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matrixOf } from '../../gateway/admin/matrix.ts';
import { operations } from '../../gateway/admin/operations-table.ts';
import { runFixtures } from '../../gateway/fixtures.ts';
import { rehearse } from '../../gateway/rehearsal.ts';
import { loaded } from '../fixtures/config.ts';

const config = (more = '') => `version: 1
upstreams:
  app: { url: http://127.0.0.1:9001 }
token_types:
  project: { prefix: prj_, scopes: [], attributes: { project: required } }
  shared: { prefix: shr_, grantable: [read], attributes: { projects: required_list, name: optional } }
  user: { prefix: usr_, attributes: { projects: list } }
scopes: { read: Read }
apis:
  main:
    to: app
    routes:
      GET /p/{project}: { allow: { project: any_scope } }
      POST /p/{project}:
        allow: { user: any_scope }
        bind: { project: token.attribute.projects }
        serve: token.create
        with: { type: project, attributes: { project: "{project}" } }
      POST /s/{project}/{name}:
        allow: { user: any_scope }
        serve: token.create
        with: { type: shared, scopes: [read], attributes: { projects: ["{project}", all], name: "{name}" } }
        confirm: { to: app, request: "GET /s/{project}/of/{name}" }
${more}`;

const { policy } = loaded(config());
const user = policy.types.get('user');

async function ask(target: string, body: string | null, projects: readonly string[] = []) {
  if (user === undefined) throw new Error('no user');
  const as = { type: user, scopes: null, attributes: new Map([['projects', projects]]) };
  return rehearse(policy, {
    method: 'POST',
    target,
    headers: [],
    body: body === null ? null : Buffer.from(body),
    as,
  });
}

describe('a rehearsal', () => {
  test('says that a row is answered here, by what, and what is asked first', async () => {
    expect(await ask('/p/a', '{"label":"x"}', ['a'])).toMatchObject({
      outcome: 'serve',
      status: 201,
      row: 'main POST /p/{project}',
      upstream: null,
      identity: {},
    });
    const { steps } = await ask('/s/a/b%20c', '{"label":"x"}');
    expect(steps.slice(-2)).toEqual([
      { step: 'serve', ok: true, detail: 'token.create of type shared' },
      { step: 'confirm', ok: true, detail: 'if GET /s/a/of/b%20c at app says 2xx' },
    ]);
  });

  test('says why a payload is refused', async () => {
    expect(await ask('/p/a', null, ['a'])).toMatchObject({
      outcome: 'refuse',
      status: 400,
      code: 'payload_invalid',
    });
    expect(await ask('/p/b', '{"label":"x"}', ['a'])).toMatchObject({ status: 403, code: 'bind_mismatch' });
  });

  test('no body of a caller makes anything but a token of the row, whatever it holds', async () => {
    const keys = fc.constantFrom(
      'label',
      'origins',
      'allowed_origins',
      'ttl',
      'type',
      'scopes',
      'attributes',
      '__proto__',
    );
    const body = fc.dictionary(
      keys,
      fc.oneof(fc.string(), fc.integer(), fc.array(fc.string()), fc.constant(null)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (said) => {
        const { outcome, code } = await ask('/p/a', JSON.stringify(said), ['a']);
        const odd = Object.keys(said).some((key) => !['label', 'origins', 'allowed_origins'].includes(key));
        if (odd || typeof said.label !== 'string') expect(code).toBe('payload_invalid');
        else expect(['serve', 'refuse']).toContain(outcome);
      }),
      { numRuns: 200 },
    );
  });

  test('a value that no attribute can hold names no record', async () => {
    for (const name of ['%C3%A9', 'x'.repeat(201), '%20a']) {
      expect(await ask(`/s/a/${name}`, '{"label":"x"}')).toMatchObject({
        status: 404,
        code: 'record_not_found',
      });
    }
    expect(await ask('/s/a,b/c', '{"label":"x"}')).toMatchObject({ code: 'record_not_found' });
  });
});

test('the matrix says what is served, where an upstream would stand', () => {
  const rows = matrixOf(policy).rows.map(({ row, upstream }) => [row, upstream]);
  expect(rows).toContainEqual(['main POST /p/{project}', 'serve token.create']);
  expect(rows).toContainEqual(['main GET /p/{project}', 'app']);
});

test('a fixture may expect that a row serves, and a wrong one is told', async () => {
  const fixture = (expected: string) => `fixtures:
  - { name: creates, request: POST /p/a, as: { user: { projects: [a] } }, body: { label: x }, expect: ${expected} }
`;
  expect(await runFixtures(loaded(config(fixture('serve'))))).toEqual([]);
  expect(await runFixtures(loaded(config(fixture('201'))))).toEqual([]);
  expect(await runFixtures(loaded(config(fixture('forward'))))).toMatchObject([
    { message: 'fixture "creates" expects forward and gets serve (201)' },
  ]);
  const wrong = config(`fixtures:
  - { name: creates, request: GET /p/a, as: { project: {} }, expect: serve }
`);
  expect(await runFixtures(loaded(wrong))).toMatchObject([
    { message: 'fixture "creates" expects serve and gets forward' },
  ]);
});

test('every operation that a row can serve is on the one list', () => {
  const ofTokens = ['token.create', 'token.list', 'token.revoke', 'token.regenerate', 'token.rotate'];
  for (const name of [...ofTokens, 'probe.activate', 'probe.list', 'probe.deactivate']) {
    expect(operations).toHaveProperty([name]);
  }
});
