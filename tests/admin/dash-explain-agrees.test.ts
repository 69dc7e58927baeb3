/** What the dashboard's explain says of a token of the store is what the gate then does. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PolicyFixture, policyYaml, startPolicyDash } from '../fixtures/dash-policy.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let dash: PolicyFixture;
let upstream: UpstreamFixture;
beforeAll(async () => {
  upstream = await startUpstream();
  dash = await startPolicyDash(
    policyYaml.replace('http://127.0.0.1:9001', upstream.url).replace('rate: 600/1m', 'rate: 100000/1m'),
  );
});
afterAll(() => Promise.all([dash.gateway.stop(), upstream.stop()]));

const tokens = fc.record({
  type: fc.constantFrom('user', 'project', 'legacy'),
  scopes: fc.subarray(['events:read', 'events:write']),
  projects: fc.subarray(['a', 'b']),
  origins: fc.subarray(['https://a.example', 'https://b.example']),
  end: fc.constantFrom('none', 'none', 'none', 'revoked', 'disabled', 'expired', 'retired'),
  pinned: fc.constantFrom(null, 'com.example.a', 'com.example.b'),
});
const requests = fc.record({
  line: fc.constantFrom(
    'GET /events',
    'HEAD /events',
    'POST /events',
    'POST /apps',
    'DELETE /apps',
    'GET /projects/a',
    'GET /projects/%61',
    'GET /status',
    'GET /none',
  ),
  origin: fc.constantFrom(null, 'https://a.example', 'https://c.example'),
  appId: fc.constantFrom('com.example.a', 'com.example.b'),
});
type Token = typeof tokens extends fc.Arbitrary<infer T> ? T : never;

let made = 0;

async function mint({ type, scopes, projects, origins, end, pinned }: Token) {
  const project = `prj_${++made}`;
  const attributes = { user: { projects }, project: { project }, legacy: {} }[type] ?? {};
  const granted = type === 'user' ? { scopes } : {};
  const token = await dash.gateway.mint(type, { ...granted, attributes, origins });
  const { running } = dash.gateway;
  const { pins, revoke, disable, update, rotate } = running.tokens;
  if (pinned !== null) await pins.pinFirst({ pin: 'app', subject: `project=${project}` }, pinned, 'test');
  const known = running.config().policy.types.get(type);
  if (end === 'revoked') await revoke(token.id, 'test', null);
  if (end === 'disabled') await disable(token.id, 'test');
  if (end === 'expired') await update(token.id, { expiresAt: 1 }, 'test');
  if (end === 'retired' && known !== undefined) await rotate(token.id, known, 0, 'test');
  return token;
}

test('whatever the token, its end, its pins and the request', async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(tokens, requests, async (told, { line, origin, appId }) => {
      const { id, token } = await mint(told);
      const [method = '', path = ''] = line.split(' ');
      const body = method === 'POST' ? JSON.stringify({ app_id: appId }) : '';
      const form = { method, path, who: 'token', token: id, body, origin: origin ?? '' };
      const asked = await dash.post('/explain', form);
      const { text } = asked.location === null ? asked : await dash.get(asked.location);
      const said = (/id="verdict">(.*?)<\/h2>/s.exec(text)?.[1] ?? '').replaceAll(/<[^>]*>/g, '');
      const answer = await fetch(`${dash.gateway.url}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(origin === null ? {} : { Origin: origin }),
          ...(body === '' ? {} : { 'Content-Type': 'application/json' }),
        },
        ...(body === '' ? {} : { body }),
      });
      await answer.arrayBuffer();
      const passed = answer.status === 200;
      expect(said).toMatch(passed ? /^Forwarded to app$/ : new RegExp(`^Refused: ${answer.status} `));
      seen.add(passed ? 'passed' : (said.split(' ').at(-1) ?? ''));
    }),
    { numRuns: 250 },
  );
  // It was about more than one thing.
  expect(seen).toContain('passed');
  expect(seen.size).toBeGreaterThan(4);
});
