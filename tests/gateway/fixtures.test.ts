import { describe, expect, test } from 'vitest';
import { runFixtures } from '../../gateway/fixtures.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

function withFixtures(...fixtures: readonly string[]) {
  return loaded(`${smallConfig}fixtures:\n${fixtures.map((line) => `  - ${line}\n`).join('')}`);
}

describe('fixtures', () => {
  test('whose promises are kept are no problem', async () => {
    const config = withFixtures(
      '{ name: a, request: POST /events, as: { project: {} }, expect: forward }',
      '{ name: b, request: POST /events, expect: 401 }',
      '{ name: c, request: POST /events, expect: 401 credential_missing }',
      '{ name: d, request: GET /events, as: { user: { scopes: [events:read] } }, expect: forward }',
      '{ name: e, request: GET /events, as: { user: {} }, expect: 403 scope_missing }',
      '{ name: f, request: GET /events, as: { project: {} }, headers: { Cookie: a=b }, expect: 403 }',
      '{ name: g, request: GET /nowhere, expect: 404 route_not_found }',
    );
    expect(await runFixtures(config)).toEqual([]);
  });

  test('of which one is broken name it, what it expects, what it gets, and how to see why', async () => {
    const config = withFixtures(
      '{ name: fine, request: POST /events, as: { project: {} }, expect: forward }',
      `{ name: reads, request: GET /events?a=1&b=2, as: { user: { user: "it's", projects: [p1, p2], scopes: [events:write] } }, headers: { X-A: "1" }, expect: 403 }`,
    );
    const [problem, ...others] = await runFixtures(config);
    expect(others).toEqual([]);
    expect(problem).toEqual({
      file: '/etc/postern/gateway.config.yaml',
      path: 'fixtures[1].expect',
      line: 22,
      column: 157,
      message: 'fixture "reads" expects 403 and gets forward',
      hint: `to see why: postern explain GET '/events?a=1&b=2' --config /etc/postern/gateway.config.yaml --as user:events:write --attribute 'user=it'\\''s' --attribute projects=p1 --attribute projects=p2 --header 'X-A: 1'`,
    });
  });

  test('without a body stand for one on rows that read JSON, unless they expect its refusal', async () => {
    const reading = smallConfig.replace('POST /events: {', 'POST /events: { body: { json: true }, ');
    const config = loaded(`${reading}fixtures:
  - { name: a, request: POST /events, as: { project: {} }, expect: forward }
  - { name: b, request: POST /events, as: { project: {} }, expect: 400 body_malformed }
  - { name: c, request: POST /events, as: { project: {} }, body: "", expect: forward }
  - { name: d, request: POST /events, expect: 401 credential_missing }
`);
    const problems = await runFixtures(config);
    expect(problems.map(({ message }) => message)).toEqual([
      'fixture "c" expects forward and gets 400 body_malformed (the body is empty)',
    ]);
  });

  test('may have a body, and say what is pinned already', async () => {
    const text = smallConfig.replace(
      'POST /events: { allow: { project: events:write } }',
      'POST /events: { allow: { project: events:write }, pins: [app], limits: [items] }',
    );
    const config = loaded(`${text}limits: { items: { rate: 2/1m, per: [token], cost: "json:/events#" } }
pins:
  app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: attribute.project, when_missing: allow_unless_pinned, reveal: masked }
fixtures:
  - { name: a, request: POST /events, as: { project: {} }, body: { app_id: com.acme, events: [1] }, expect: forward }
  - { name: b, request: POST /events, as: { project: {} }, body: '{"app_id":"com.acme"}', pinned: { app: com.acme }, expect: forward }
  - { name: c, request: POST /events, as: { project: {} }, body: {}, expect: forward }
  - { name: d, request: POST /events, as: { project: {} }, body: {}, pinned: { app: com.acme }, expect: 403 bundle_missing }
  - { name: e, request: POST /events, as: { project: {} }, body: [], pinned: { app: com.acme }, expect: 403 bundle_missing }
  - { name: f, request: POST /events, as: { project: {} }, body: '{]', expect: 400 body_malformed }
  - { name: g, request: POST /events, as: { project: {} }, expect: 400 body_malformed }
  - { name: h, request: POST /events, as: { project: {} }, body: {}, headers: { Content-Type: text/plain }, expect: 415 body_encoding }
  - { name: i, request: POST /events, as: { project: {} }, body: { app_id: it's }, pinned: { app: com.acme }, expect: forward }
`);
    expect(await runFixtures(config)).toMatchObject([
      {
        message: 'fixture "i" expects forward and gets 403 bundle_mismatch (pin app: another id is pinned)',
        hint: `to see why: printf %s '{"app_id":"it'\\''s"}' | postern explain POST /events --config /etc/postern/gateway.config.yaml --as project --pinned app=com.acme --body-file /dev/stdin`,
      },
    ]);
  });

  test.each([
    ['expect: forward', 'expects forward and gets 401 credential_missing (no token in '],
    ['expect: 401 token_unknown', 'expects 401 token_unknown and gets 401 credential_missing (no token in '],
    ['expect: 403', 'expects 403 and gets 401 credential_missing (no token in '],
  ])('%s does not pass for a missing credential', async (expectation, words) => {
    const [problem] = await runFixtures(withFixtures(`{ name: n, request: POST /events, ${expectation} }`));
    expect(problem?.message).toContain(`fixture "n" ${words}`);
  });
});
