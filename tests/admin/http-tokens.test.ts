/** Tokens by the admin API: what it answers, and that nobody gets by it what they may not. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminScopes } from '../../policy/admin-type.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin();
});
afterAll(() => admin.gateway.stop());

const project = (name: string) => ({ type: 'project', attributes: { project: name } });

async function statusOnGate(token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return (await fetch(`${admin.gateway.url}/events`, { method: 'POST', headers, body: '{}' })).status;
}

describe('a token', () => {
  test('that is made works at the gate, until it is revoked', async () => {
    const { status, json } = await admin.ask('POST /v1/tokens', { body: project('a') });
    expect(status).toBe(201);
    // 502: it is let through, and there is no upstream.
    expect(await statusOnGate(json.token)).toBe(502);
    const revoked = await admin.ask(`POST /v1/tokens/${json.id}/revoke`, { body: { reason: 'leaked' } });
    expect(revoked.json).toMatchObject({ state: 'revoked', revoked_reason: 'leaked' });
    expect(await statusOnGate(json.token)).toBe(401);
  });

  test('is disabled, enabled, updated and rotated, each in the audit under the admin token that asked', async () => {
    const actor = await admin.mint('tokens:write');
    const { token } = actor;
    const made = (await admin.ask('POST /v1/tokens', { token, body: project('b') })).json;
    const at = (verb: string, body?: unknown) =>
      admin.ask(`POST /v1/tokens/${made.id}/${verb}`, { token, ...(body === undefined ? {} : { body }) });
    expect((await at('disable')).json.state).toBe('disabled');
    expect(await statusOnGate(made.token)).toBe(401);
    expect((await at('enable')).json.state).toBe('active');
    const body = { label: 'renamed', expires_in: '1d' };
    const { json } = await admin.ask(`PATCH /v1/tokens/${made.id}`, { token, body });
    expect(json).toMatchObject({ label: 'renamed', expires_at: expect.any(String) });
    const rotated = (await at('rotate', { overlap: '0s' })).json;
    expect(rotated).toMatchObject({ label: 'renamed', rotated: { id: made.id, state: 'revoked' } });
    expect([await statusOnGate(made.token), await statusOnGate(rotated.token)]).toEqual([401, 502]);
    expect((await at('rotate')).status).toBe(409);
    expect((await at('enable')).status).toBe(409);
    const { entries } = await admin.gateway.running.tokens.audit.list({
      subject: made.id,
      after: null,
      limit: 9,
    });
    expect(entries.map(({ action }) => action)).toEqual([
      'token.create',
      'token.disable',
      'token.enable',
      'token.update',
      'token.rotate',
    ]);
    expect(new Set(entries.map((entry) => entry.actor))).toEqual(new Set([`token:${actor.id}`]));
    expect(made.created_by).toBe(`token:${actor.id}`);
  });

  test('that regenerates ends the others with its attributes', async () => {
    const first = (await admin.ask('POST /v1/tokens', { body: project('c') })).json;
    const { status, json } = await admin.ask('POST /v1/tokens/regenerate', { body: project('c') });
    expect([status, json.replaced]).toEqual([201, [first.id]]);
    expect([await statusOnGate(first.token), await statusOnGate(json.token)]).toEqual([401, 502]);
  });

  test('is listed by type and attribute, page by page, by cursor and by Link', async () => {
    for (let i = 0; i < 5; i++) await admin.ask('POST /v1/tokens', { body: project('paged') });
    const seen: string[] = [];
    let next: string | null = '/v1/tokens?type=project&attribute=project=paged&limit=2';
    while (next !== null) {
      const page = await admin.ask(`GET ${next}`);
      seen.push(...page.json.tokens.map(({ id }: { id: string }) => id));
      expect(page.text).not.toMatch(/prj_[0-9A-Za-z]{20}/);
      next = /^<(.*)>; rel="next"$/.exec(page.headers.get('Link') ?? '')?.[1] ?? null;
      expect(next === null).toBe(page.json.next === null);
    }
    expect([seen.length, new Set(seen).size]).toEqual([5, 5]);
  });

  test('that nobody has is 404, and what was asked for is not repeated', async () => {
    const lines = [
      'GET /v1/tokens/ID',
      'PATCH /v1/tokens/ID',
      'POST /v1/tokens/ID/rotate',
      'POST /v1/tokens/ID/revoke',
    ];
    for (const line of lines) {
      const { status, text } = await admin.ask(line.replace('ID', 'prj_secretsecretsecret'), {
        ...(line.startsWith('GET') ? {} : { body: line.startsWith('PATCH') ? { label: 'x' } : {} }),
      });
      expect([status, text.includes('secret')]).toEqual([404, false]);
    }
  });
});

describe('by an admin token', () => {
  const narrow = ['tokens:read', 'tokens:write'];

  test.each(adminScopes)('of no more scopes than its own others can be made: %s', async (scope) => {
    const { token } = await admin.mint(...narrow);
    const body = { type: 'postern_admin', scopes: [scope] };
    const { status, json } = await admin.ask('POST /v1/tokens', { token, body });
    expect(status).toBe(narrow.includes(scope) ? 201 : 403);
    if (status === 201) expect(json.token).toMatch(/^postern_admin_[0-9A-Za-z]{48}$/);
  });

  test('nobody ever gets more than they have, in whatever manner they ask', async () => {
    const some = fc.subarray([...adminScopes]);
    const manner = fc.constantFrom('create', 'once', 'dry', 'rotate');
    await fc.assert(
      fc.asyncProperty(some, some, manner, async (held, wanted, how) => {
        const { token } = await admin.mint('tokens:write', ...held);
        const target = how === 'rotate' ? (await admin.mint(...wanted)).id : '';
        const line = how === 'rotate' ? `POST /v1/tokens/${target}/rotate` : 'POST /v1/tokens';
        const { status } = await admin.ask(how === 'dry' ? `${line}?dry_run=true` : line, {
          token,
          body: how === 'rotate' ? {} : { type: 'postern_admin', scopes: wanted },
          headers: how === 'once' ? { 'Idempotency-Key': 'k' } : {},
        });
        // The fixture's mint gives every scope where none is named.
        const asked: readonly string[] = how === 'rotate' && wanted.length === 0 ? adminScopes : wanted;
        const isMore = asked.some((scope) => scope !== 'tokens:write' && !held.some((own) => own === scope));
        expect(status).toBe(isMore ? 403 : 201);
      }),
      { numRuns: 80 },
    );
  });

  test('no stronger one is rotated, brought back, prolonged or ended', async () => {
    const { token } = await admin.mint(...narrow);
    const strong = await admin.mint();
    const tries = [
      admin.ask(`POST /v1/tokens/${strong.id}/rotate`, { token }),
      admin.ask(`POST /v1/tokens/${strong.id}/enable`, { token }),
      admin.ask(`POST /v1/tokens/${strong.id}/disable`, { token }),
      admin.ask(`POST /v1/tokens/${strong.id}/revoke`, { token }),
      admin.ask(`PATCH /v1/tokens/${strong.id}`, { token, body: { expires_in: null } }),
    ];
    for (const { status, json } of await Promise.all(tries)) {
      expect([status, json.code]).toEqual([403, 'scope_missing']);
    }
    expect((await admin.ask('GET /v1/whoami', { token: strong.token })).status).toBe(200);
  });

  test('admin tokens are not regenerated: that would end them all', async () => {
    const body = { type: 'postern_admin', scopes: ['tokens:read'] };
    expect((await admin.ask('POST /v1/tokens/regenerate', { body })).status).toBe(400);
  });

  test('an equal one is rotated', async () => {
    const { token } = await admin.mint(...narrow);
    const equal = await admin.mint(...narrow);
    const { status, json } = await admin.ask(`POST /v1/tokens/${equal.id}/rotate`, { token });
    expect([status, json.scopes]).toEqual([201, narrow]);
  });
});

test('no answer but the one that made it, and no line of the log, has a token', async () => {
  const { json, text } = await admin.ask('POST /v1/tokens', { body: project('secret') });
  expect(text).toContain(json.token);
  const lines = ['tokens?limit=1000', `tokens/${json.id}`, 'audit?limit=1000', 'whoami', 'config/matrix'];
  for (const line of lines) {
    const answer = await admin.ask(`GET /v1/${line}`);
    expect([answer.status, /(?:postern_admin|prj)_[0-9A-Za-z]{20}/.test(answer.text)]).toEqual([200, false]);
    // Nor what is kept of it.
    expect(answer.text).not.toMatch(/[0-9a-f]{64}/);
  }
  expect(admin.gateway.logText()).not.toMatch(/(?:postern_admin|prj)_[0-9A-Za-z]{20}/);
});
