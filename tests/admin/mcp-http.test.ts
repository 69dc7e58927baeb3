/** MCP on the admin listener, by the official client: who may do what, what is in the audit, and where secrets go. */
import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { reachedAt } from '../../gateway/admin/http-guard.ts';
import { createSecretShelf } from '../../gateway/admin/secret-shelf.ts';
import { adminScopes } from '../../policy/admin-type.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { mcpOver } from '../fixtures/mcp.ts';
import { tracesOf } from '../fixtures/secrets.ts';

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin(undefined, 'admin: { address: 127.0.0.1:0, mcp: true }');
});
afterAll(() => admin.gateway.stop());

const changing = /^(?:create|revoke|disable|rotate|activate|deactivate|reset)_/;
const headersOf = (token: string) => ({ Authorization: `Bearer ${token}` });

/** One message as a client sends it, raw. */
const post = (token: string | null, body: unknown, headers: Record<string, string> = {}) =>
  admin.ask('POST /mcp', {
    token,
    body,
    headers: { Accept: 'application/json, text/event-stream', ...headers },
  });
const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
const call = (name: string, args: object) => ({
  ...{ jsonrpc: '2.0', id: 7, method: 'tools/call' },
  params: { name, arguments: args },
});

describe('an admin token with every scope', () => {
  test('makes, reads and ends tokens as the API does, with the same rows in the audit', async () => {
    const { id, token } = await admin.mint();
    const mcp = await mcpOver(admin.url, token);
    const made = await mcp.ask('create_project_token', { project: 'prj_x', label: 'CI' });
    expect(made).toMatchObject({ applied: true, command: null, secret: null, secret_file: null });
    const rotated = await mcp.ask('rotate_project_token', { project: 'prj_x', tokenId: made.token.id });
    await mcp.ask('revoke_project_token', { project: 'prj_x', tokenId: rotated.token.id, reason: 'over' });
    const listed = (await mcp.ask('list_project_tokens', { project: 'prj_x' })).tokens;
    expect(listed.map((one: { id: string }) => one.id)).toEqual([made.token.id, rotated.token.id]);
    expect(await mcp.ask('token_usage', { tokenId: made.token.id })).toMatchObject({ rows: [] });
    const explained = { method: 'POST', path: '/events', as: 'project', attributes: ['project=a'] };
    expect(await mcp.ask('explain_request', explained)).toEqual(
      (
        await admin.ask('POST /v1/config/explain', {
          body: { ...explained, attributes: { project: 'a' } },
        })
      ).json,
    );
    const matrix = await mcp.ask('show_matrix');
    expect(matrix).toEqual({ ...(await admin.ask('GET /v1/config/matrix')).json, next: null });

    const ask = async (line: string, body: unknown) => (await admin.ask(line, { token, body })).json;
    const attributes = { project: 'prj_y' };
    const other = await ask('POST /v1/tokens', { type: 'project', label: 'CI', attributes });
    const next = await ask(`POST /v1/tokens/${other.id}/rotate`, { overlap: '24h' });
    await ask(`POST /v1/tokens/${next.id}/revoke`, { reason: 'over' });
    const rows = async (...ids: readonly string[]) => {
      const found = [];
      for (const subject of ids) {
        const { entries } = (await admin.ask(`GET /v1/audit?subject=${subject}`)).json;
        for (const { actor, action, detail } of entries) found.push({ actor, action, detail });
      }
      const text = JSON.stringify(found).replaceAll(/prj_[xy]/g, 'prj_');
      return text
        .replaceAll(/tok_[0-9A-Z]{26}/g, (tok) => (tok === id ? 'me' : 'tok_'))
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|\d{13}/g, 'time');
    };
    const byTool = await rows(made.token.id, rotated.token.id);
    expect(byTool).toBe(await rows(other.id, next.id));
    expect(byTool).toContain('"actor":"token:me"');
  });

  test('with a dry run, gets the words of the command, which are for this gateway, and changes nothing', async () => {
    const mcp = await mcpOver(admin.url, (await admin.mint()).token);
    const args = { project: 'prj_d', label: 'CI', dryRun: true };
    const dry = await mcp.ask('create_project_token', args);
    const command = `postern token create --type project --label CI --attribute project=prj_d --url ${admin.url}`;
    expect(dry).toMatchObject({ applied: false, command, token: null, secret_link: null });
    expect((await mcp.ask('list_project_tokens', { project: 'prj_d' })).tokens).toEqual([]);
  });
});

describe('the tools there are', () => {
  const namesFor = async (scopes: readonly string[], query = '') => {
    const mcp = await mcpOver(admin.url, (await admin.mint(...scopes)).token, query);
    const tools = await mcp.tools();
    return {
      mcp,
      tools,
      names: tools.map(({ name }) => name),
      applying: tools.filter(({ annotations }) => annotations?.readOnlyHint !== true).map(({ name }) => name),
    };
  };

  test('are those of the scopes held: who may read may propose, who may write may apply', async () => {
    const pins = await namesFor(['pins:read', 'tokens:write']);
    expect(pins.names.filter((name) => !/_(?:project|legacy|user)_token$/.test(name))).toEqual([
      ...['list_pins', 'reset_pin'],
    ]);
    expect(pins.applying.every((name) => name.endsWith('_token'))).toBe(true);
    expect(pins.applying).toContain('revoke_user_token');
    const { mcp } = pins;
    expect(await mcp.refused('list_tokens')).toMatch(/^no tool is called/);
    expect(await mcp.refused('reset_pin', { pin: 'app', subject: 'project=p', dryRun: true })).toBe(
      'this tool takes no dryRun',
    );

    const reader = await namesFor(['tokens:read']);
    expect(reader.applying).toEqual([]);
    const args = { project: 'prj_r', label: 'CI' };
    expect(await reader.mcp.ask('create_project_token', args)).toMatchObject({ applied: false, token: null });
    expect((await reader.mcp.ask('list_project_tokens', { project: 'prj_r' })).tokens).toEqual([]);
  });

  test('are none for a token that may do nothing of theirs, and never more than the url allows', async () => {
    expect((await namesFor(['config:read'])).names).toEqual(['explain_request', 'show_matrix']);
    const { names } = await namesFor([], '?allow=read');
    expect(names.filter((name) => changing.test(name))).toEqual([]);
    const proposing = await namesFor([], '?allow=read,propose&attribute=project=mine');
    expect(proposing.applying).toEqual([]);
    const would = await proposing.mcp.ask('create_project_token', { label: 'x' });
    expect(would.command).toContain('--attribute project=mine');
  });

  test.each([
    ['?allow=write', /allow is not what it must be/],
    ['?secrets=yes', /secrets is not what it must be/],
    ['?attribute=tenant=a', /no token type has the attribute/],
    ['?alow=read', /unknown key "alow"/],
    ['?allow=read&allow=apply', /a parameter stands twice/],
  ])('are not guessed where the url says %s', async (query, words) => {
    const { status, json } = await admin.ask(`POST /mcp${query}`, { body: ping });
    expect([status, json.detail]).toEqual([400, expect.stringMatching(words)]);
  });
});

describe('a secret', () => {
  test('is in no message, and fetched once by the token that asked', async () => {
    const { token } = await admin.mint();
    const mcp = await mcpOver(admin.url, token);
    const made = await mcp.ask('create_project_token', { project: 'prj_s', label: 'CI' });
    const link = String(made.secret_link);
    expect(link).toMatch(new RegExp(`^${admin.url}/mcp/secrets/[\\w-]{32}$`));
    const path = new URL(link).pathname;
    expect((await admin.ask(`POST ${path}`)).status).toBe(404);
    expect((await admin.ask(`POST ${path}`, { token: null })).status).toBe(401);
    expect((await admin.ask(`GET ${path}`, { token })).status).toBe(405);
    const fetched = await fetch(link, { method: 'POST', headers: headersOf(token) });
    expect([fetched.status, fetched.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const secret = (await fetched.text()).trimEnd();
    expect(secret).toMatch(/^prj_\w{32,}$/);
    const again = await admin.ask(`POST ${path}`, { token });
    expect([again.status, again.json.hint]).toEqual([404, expect.stringContaining('fetched before')]);
    expect(tracesOf(secret, mcp.transcript() + admin.gateway.logText())).toEqual([]);
    const trigger = await mcp.ask('activate_probe', { subject: 'prj_s', labelPattern: 'pay.*' });
    expect(trigger).toMatchObject({ secret: null, secret_link: expect.stringMatching(/^http/) });
  });

  test('is in the answer where the url asks for that', async () => {
    const mcp = await mcpOver(admin.url, (await admin.mint()).token, '?secrets=reveal');
    const made = await mcp.ask('create_project_token', { project: 'prj_s', label: 'CI' });
    expect(made).toMatchObject({ secret: expect.stringMatching(/^prj_/), secret_link: null });
  });
});

describe('each message', () => {
  test('is judged by the token it comes with: one that is revoked has no session left', async () => {
    const { id, token } = await admin.mint();
    const mcp = await mcpOver(admin.url, token);
    await mcp.ask('list_tokens');
    await admin.gateway.running.tokens.revoke(id, 'test', null);
    await expect(mcp.call('list_tokens')).rejects.toThrow(/invalid_token/);
    const other = (await admin.mint()).token;
    expect((await post(other, ping, { 'Mcp-Session-Id': 'of-somebody-else' })).json).toEqual({
      ...{ jsonrpc: '2.0', id: 1, result: {} },
    });
  });

  test('needs a token, and is no message to a stranger', async () => {
    const { token } = await admin.mint();
    expect(await post(null, ping)).toMatchObject({ status: 401, json: { code: 'credential_missing' } });
    const evil = await post(token, ping, { Origin: 'http://evil.example' });
    expect([evil.status, evil.json.code]).toEqual([403, 'origin_not_allowed']);
    const status = await new Promise((resolve) => {
      const headers = { ...headersOf(token), Host: 'evil.example' };
      request(`${admin.url}/mcp`, { method: 'POST', headers }, (res) => {
        res.resume();
        resolve(res.statusCode);
      }).end();
    });
    expect(status).toBe(403);
  });

  test('is one JSON object of 64 KiB at most, and what is wrong with it is not repeated', async () => {
    const { token } = await admin.mint();
    const ways: readonly (readonly [unknown, Record<string, string>, number])[] = [
      [[ping, ping], {}, 400],
      ['{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"a":2}}', {}, 400],
      ['{"jsonrpc":', {}, 400],
      [{ jsonrpc: '1.0', id: 'prj_SECRET' }, {}, 400],
      ['{}', {}, 400],
      [call('list_tokens', { type: 'x'.repeat(70_000) }), {}, 413],
      [ping, { 'Content-Type': 'text/plain' }, 415],
      [ping, { Accept: 'application/json' }, 406],
      [ping, { 'MCP-Protocol-Version': '1999-01-01' }, 400],
    ];
    for (const [body, headers, status] of ways) {
      const answer = await post(token, body, headers);
      expect([answer.status, answer.text.includes('SECRET')]).toEqual([status, false]);
      expect(answer.headers.get('Cache-Control')).toBe('no-store');
    }
  });

  test('comes by POST alone: nothing is told unasked', async () => {
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const { status, headers } = await admin.ask(`${method} /mcp`);
      expect([status, headers.get('Allow')]).toEqual([405, 'POST']);
    }
  });

  test('gets its own answer, whoever asks at the same time with the same id', async () => {
    const tokens = await Promise.all(
      ['pins:read', 'audit:read', 'config:read'].map((one) => admin.mint(one)),
    );
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) => post(tokens[i % 3]?.token ?? '', list)),
    );
    const firsts = answers.map(({ json }) => json.result.tools[0].name);
    expect(firsts).toEqual(Array(4).fill(['list_pins', 'list_audit', 'explain_request']).flat());
  });
});

test('no tool does more than the scopes held and the url let it', async () => {
  const areas: Record<string, string> = {
    tokens: 'tokens',
    token: 'tokens',
    pins: 'pins',
    pin: 'pins',
    audit: 'audit',
    usage: 'usage',
    alerts: 'alerts',
  };
  const areaOf = (name: string) =>
    areas[name.split('_').at(-1) ?? ''] ?? (name.includes('probe') ? 'probes' : 'config');
  const levels = ['read', 'propose', 'apply'];
  const cases = fc.tuple(
    fc.subarray([...adminScopes], { minLength: 1 }),
    fc.subarray(levels, { minLength: 1 }),
  );
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
  await fc.assert(
    fc.asyncProperty(cases, async ([scopes, allow]) => {
      const { token } = await admin.mint(...scopes);
      const { json } = await admin.ask(`POST /mcp?allow=${allow.join(',')}`, {
        ...{ token, body: list },
        headers: { Accept: 'application/json, text/event-stream' },
      });
      for (const { name, annotations } of json.result.tools) {
        const [reads, writes] = [`${areaOf(name)}:read`, `${areaOf(name)}:write`].map((one) =>
          scopes.includes(one as 'pins:read'),
        );
        if (annotations.readOnlyHint === false)
          expect([writes, allow.includes('apply')], name).toEqual([true, true]);
        else if (changing.test(name))
          expect([reads || writes, allow.includes('propose')], name).toEqual([true, true]);
        else expect([reads, allow.includes('read')], name).toEqual([true, true]);
      }
    }),
    { numRuns: 40 },
  );
});

describe('a link to a secret', () => {
  test('is gone when it was used, when its time is over, and where too many wait', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const shelf = createSecretShelf(30, 2);
    const [one, two] = [shelf.reserve('tok_1'), shelf.reserve('tok_1')];
    expect(shelf.reserve('tok_2')).toBeNull();
    one?.put('first');
    expect(shelf.take('tok_1', two?.id ?? '')).toBeNull();
    expect(shelf.take('tok_2', one?.id ?? '')).toBeNull();
    expect(shelf.take('tok_1', one?.id ?? '')).toBe('first');
    expect(shelf.take('tok_1', one?.id ?? '')).toBeNull();
    two?.free();
    const late = shelf.reserve('tok_1');
    late?.put('late');
    vi.advanceTimersByTime(30);
    expect(shelf.take('tok_1', late?.id ?? '')).toBeNull();
  });

  test('is https behind a name that a proxy has, unless it says otherwise', () => {
    const hosts = ['gate.example'];
    expect(reachedAt(['Host', '127.0.0.1:8081'], hosts)).toBe('http://127.0.0.1:8081');
    expect(reachedAt(['Host', 'Gate.example'], hosts)).toBe('https://gate.example');
    expect(reachedAt(['Host', 'gate.example:81', 'X-Forwarded-Proto', 'http'], hosts)).toBe(
      'http://gate.example:81',
    );
  });
});

test('a store that cannot answer is told as that, and no call does anything', async () => {
  const own = await startAdmin(undefined, 'admin: { address: 127.0.0.1:0, mcp: true }');
  try {
    const { token } = await own.mint();
    const mcp = await mcpOver(own.url, token);
    await own.gateway.running.tokens.close();
    await expect(mcp.call('list_tokens')).rejects.toThrow(/store_unavailable/);
    expect(own.gateway.lines).toContainEqual(expect.objectContaining({ event: 'admin_store_fault' }));
  } finally {
    await own.gateway.stop();
  }
});

test('where the config does not ask for it, there is nothing, and whoever may know is told how to', async () => {
  const own = await startAdmin();
  try {
    const asked = await own.ask('POST /mcp', { body: ping });
    expect([asked.status, asked.json.hint]).toEqual([404, 'write admin: { mcp: true }']);
    expect((await own.ask('POST /mcp', { body: ping, token: null })).status).toBe(401);
  } finally {
    await own.gateway.stop();
  }
});
