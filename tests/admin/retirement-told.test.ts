// biome-ignore-all lint/suspicious/noExplicitAny: answers are what they are asked to be.
/** A token that is to end when nobody needs it says so by every face, in the same words. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pendingOfRotation } from '../../gateway/admin/operations-pending.ts';
import { toldToken, toldTokens } from '../../gateway/admin/token-told.ts';
import { withAdminType } from '../../policy/admin-type.ts';
import { quietMs } from '../../policy/retire.ts';
import { type AdminFixture, adminConfig, startAdmin, wholeConfig } from '../fixtures/admin.ts';
import { mcpOver } from '../fixtures/mcp.ts';
import { Terminal } from './terminal.ts';

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin(adminConfig, 'admin: { address: 127.0.0.1:0, mcp: true }');
});
afterAll(() => admin.gateway.stop());

const whenQuiet = { overlap: '7d', retire: 'when_quiet' };

async function made(more: object = {}): Promise<string> {
  const body = { type: 'user', label: 'ci', attributes: { team: 't' }, ...more };
  return (await admin.ask('POST /v1/tokens', { body })).json.id;
}

async function rotated(body: object = whenQuiet, more: object = {}) {
  const old = await made(more);
  const { json } = await admin.ask(`POST /v1/tokens/${old}/rotate`, { body });
  return { old, successor: String(json.id), answer: json };
}

const show = async (id: string): Promise<any> => (await admin.ask(`GET /v1/tokens/${id}`)).json;

async function use(id: string, at = Date.now()) {
  await admin.gateway.running.tokens.usage.add([], [{ tokenId: id, at, address: '10.0.0.1', route: 'r' }]);
}

function terminal(): Terminal {
  const store = `store: { url: "sqlite:${admin.gateway.folder}/data/postern.db" }`;
  return new Terminal(wholeConfig.replace('version: 1\n', `version: 1\n${store}\n`));
}

/** As a gateway would tell it at that time. */
async function toldAt(id: string, now: number) {
  const { tokens, config } = admin.gateway.running;
  const { usage, retirements } = tokens;
  const record = await tokens.byId(id);
  if (record === null) throw new Error('no token');
  return toldToken(
    { policy: withAdminType(config().policy), tokens, usage, retirements, now: () => now },
    record,
  );
}

describe('a token that is to end when nobody needs it', () => {
  test('says what follows it, who asked and when, what it waits for, and the evidence so far', async () => {
    const { old, successor, answer } = await rotated();
    const { id: operator } = (await admin.ask('GET /v1/whoami')).json;
    const { created_at: at } = await show(successor);
    const { retirement, retire_at: end } = await show(old);
    expect(retirement).toEqual({
      ...{ successor, asked_at: retirement.asked_at, asked_by: `token:${operator}`, quiet_for: '25h' },
      quiet_since: at,
      ...{ quiet_at: null, ends_at: end, old_last_used_at: null, new_last_used_at: null },
      ...{ safe_to_retire: false, because: 'the new token was never used' },
    });
    // Each part of a rotation reads the clock for itself.
    expect(Math.abs(Date.parse(retirement.asked_at) - Date.parse(at))).toBeLessThan(5000);
    expect([answer.rotated.retirement, answer.retirement]).toEqual([retirement, null]);
    const usedAt = Date.now();
    await use(successor, usedAt);
    expect((await show(old)).retirement).toEqual({
      ...retirement,
      quiet_at: new Date(Date.parse(at) + quietMs).toISOString(),
      new_last_used_at: new Date(usedAt).toISOString(),
      because: expect.stringContaining('wait until it is 25 hours old'),
    });
    await use(old, usedAt + 5);
    expect((await show(old)).retirement).toMatchObject({
      quiet_since: new Date(usedAt + 5).toISOString(),
      quiet_at: new Date(usedAt + 5 + quietMs).toISOString(),
      old_last_used_at: new Date(usedAt + 5).toISOString(),
      because: expect.stringContaining('was used within the last 25 hours'),
    });
    expect((await toldAt(old, usedAt + 4 + quietMs)).retirement?.safe_to_retire).toBe(false);
    expect((await toldAt(old, usedAt + 5 + quietMs)).retirement?.safe_to_retire).toBe(true);
  });

  test('says it in every answer that shows it, by every face', async () => {
    const { old, successor } = await rotated(whenQuiet, { attributes: { team: 'every' } });
    await use(successor);
    const { retirement } = await show(old);
    expect(retirement).not.toBeNull();
    const isOld = ({ id }: any) => id === old;
    const desk = terminal();
    const { token } = await admin.mint();
    const mcp = await mcpOver(admin.url, token);
    const told = [
      (await admin.ask('GET /v1/tokens?limit=1000')).json.tokens.find(isOld),
      (await admin.ask('GET /v1/tokens?type=user&attribute=team%3Devery')).json.tokens.find(isOld),
      (await admin.ask(`PATCH /v1/tokens/${old}`, { body: { label: 'renamed' } })).json,
      (await admin.ask(`POST /v1/tokens/${old}/disable`, { body: {} })).json,
      (await admin.ask(`POST /v1/tokens/${old}/enable`, { body: {} })).json,
      (await admin.ask(`PATCH /v1/tokens/${old}?dry_run=true`, { body: { label: 'again' } })).json,
      await desk.json('token', 'show', old),
      (await desk.json('token', 'list', '--type', 'user', '--limit', '1000')).tokens.find(isOld),
      await mcp.ask('show_token', { tokenId: old }),
      (await mcp.ask('list_tokens', { limit: 1000 })).tokens.find(isOld),
      (await mcp.ask('list_user_tokens', { team: 'every' })).tokens.find(isOld),
      (await mcp.ask('revoke_user_token', { tokenId: old, dryRun: true })).token,
    ];
    for (const [n, view] of told.entries()) expect([n, view.retirement]).toEqual([n, retirement]);
    const { replaces } = await mcp.ask('rotate_user_token', {
      ...{ tokenId: await made(), overlapSeconds: 7 * 86_400, retireWhenQuiet: true, dryRun: true },
    });
    expect(replaces.retirement).toBeNull();
  });

  test('found by its text, says so too', async () => {
    const { json } = await admin.ask('POST /v1/tokens', { body: { type: 'user', label: 'ci' } });
    await admin.ask(`POST /v1/tokens/${json.id}/rotate`, { body: whenQuiet });
    const found = await admin.ask('POST /v1/tokens/find', { body: { token: json.token } });
    expect(found.json).toEqual(await show(json.id));
    expect(found.json.retirement).not.toBeNull();
  });

  test('reads at a terminal in lines, and in the list as an end that may come before', async () => {
    const { old, successor } = await rotated(whenQuiet, { attributes: { team: 'terminal' } });
    const desk = terminal();
    const { stdout } = await desk.run('token', 'show', old);
    expect(stdout).toMatch(new RegExp(`^retirement\\.successor +${successor}$`, 'm'));
    expect(stdout).toMatch(/^retirement\.quiet_for +25h$/m);
    expect(stdout).toMatch(/^retirement\.quiet_at +-$/m);
    expect(stdout).toMatch(/^retirement\.because +the new token was never used$/m);
    expect((await desk.run('token', 'show', successor)).stdout).toMatch(/^retirement +-$/m);
    const listed = await desk.run('token', 'list', '--type', 'user', '--attribute', 'team=terminal');
    const lines = listed.stdout.split('\n');
    expect(lines.find((line) => line.startsWith(old))).toMatch(/ \d\d:\d\dZ or when quiet /);
    expect(lines.find((line) => line.startsWith(successor))).not.toContain('when quiet');
  });

  test('asked for on a dry run, tells what it would be, and is asked for nothing', async () => {
    const id = await made();
    const { json } = await admin.ask(`POST /v1/tokens/${id}/rotate?dry_run=true`, { body: whenQuiet });
    expect(json.rotated.retirement).toMatchObject({ successor: json.id, quiet_for: '25h', quiet_at: null });
    expect((await show(id)).retirement).toBeNull();
  });

  test('ends when it expires, where that is before', async () => {
    const { old } = await rotated({ ...whenQuiet, overlap: '30d' }, { expires_in: '10d' });
    const { retirement, expires_at: end } = await show(old);
    expect(retirement.ends_at).toBe(end);
  });
});

describe('a token says nothing of it', () => {
  test('that was not rotated, was rotated to its deadline, or has ended', async () => {
    const [deadline, revoked, regenerated] = [
      await rotated({ overlap: '7d' }),
      await rotated(),
      await rotated(whenQuiet, { attributes: { team: 'g' } }),
    ];
    await admin.ask(`POST /v1/tokens/${revoked.old}/revoke`, { body: {} });
    const body = { type: 'user', attributes: { team: 'g' } };
    await admin.ask('POST /v1/tokens/regenerate', { body });
    const ids = [
      await made(),
      ...[deadline, revoked, regenerated].flatMap((one) => [one.old, one.successor]),
    ];
    for (const id of ids) expect((await show(id)).retirement).toBeNull();
    const { old } = await rotated();
    const { retirement } = await show(old);
    expect((await toldAt(old, Date.parse(retirement.ends_at) - 1)).retirement).not.toBeNull();
    expect((await toldAt(old, Date.parse(retirement.ends_at))).retirement).toBeNull();
  });

  test('once a gateway has ended it', async () => {
    const { old, successor } = await rotated();
    const { retirements } = admin.gateway.running.tokens;
    const quiet = { tokenId: old, successor, lastUsedAt: 0, by: 'postern', reason: 'quiet' };
    expect(await retirements.retire(quiet)).toBe(true);
    expect((await show(old)).retirement).toBeNull();
  });
});

test('a list without a rotated token asks nothing more, and a rotation is told without a question that could fail', async () => {
  const { tokens, config } = admin.gateway.running;
  const never = async () => Promise.reject(new Error('asked'));
  const desk = {
    policy: withAdminType(config().policy),
    now: Date.now,
    ...{ tokens: { byIds: never }, usage: { lastUses: never }, retirements: { asked: never } },
  };
  const record = await tokens.byId(await made());
  const type = config().policy.types.get('user');
  if (record === null || type === undefined) throw new Error('no token');
  expect(await toldTokens(desk, [record, record])).toHaveLength(2);
  const rotation = await tokens.rotate(record.id, type, 7 * 86_400_000, 'test', true);
  if (rotation?.kind !== 'rotated') throw new Error('not rotated');
  expect(pendingOfRotation(desk, rotation)).toMatchObject({ askedBy: 'test', quietAt: null });
  const told = await toldAt(record.id, Date.now());
  expect(told.retirement?.asked_at).toBe(new Date(rotation.retirement?.askedAt ?? 0).toISOString());
});
