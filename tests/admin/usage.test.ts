/** `postern usage`, beside a store that gateways have counted in. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { startTestGateway } from '../fixtures/gateway.ts';
import { startUpstream } from '../fixtures/upstream.ts';
import { deskConfig, Terminal } from './terminal.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Row = { readonly passed: number; readonly refused: number; readonly failed: number };

/** A terminal beside a store with a token that was rotated; `used` tells how long ago each was. */
async function rotated(used: { readonly old: number | null; readonly successor: number | null }) {
  const terminal = new Terminal(deskConfig);
  const made = await terminal.json(
    'token',
    'create',
    '--type',
    'project',
    '--attribute',
    'project=p',
    '--label',
    'x',
  );
  const next = await terminal.json('token', 'rotate', String(made.id), '--overlap', '7d');
  const store = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
  const now = Date.now();
  for (const [tokenId, agoMs] of [
    [String(made.id), used.old],
    [String(next.id), used.successor],
  ] as const) {
    if (agoMs === null) continue;
    const at = now - agoMs;
    const [route, minuteMs] = ['main GET /x', at - (at % 60_000)];
    await store.usage.add(
      [{ tokenId, minuteMs, route, passed: 3, refused: 1, failed: 0 }],
      [{ tokenId, at, address: '10.0.0.1', route }],
    );
  }
  await store.close();
  return { terminal, old: String(made.id), successor: String(next.id) };
}

describe('postern usage', () => {
  test('says how often, by time, row and token', async () => {
    const { terminal, old, successor } = await rotated({ old: 2 * HOUR, successor: 1000 });
    const byToken = await terminal.json('usage', '--by', 'token');
    expect(byToken).toMatchObject({ bucket: 'hour', last_use: null, rotation: null });
    expect((byToken.rows as (Row & { token_id: string })[]).map((row) => row.token_id).sort()).toEqual(
      [old, successor].sort(),
    );
    expect((await terminal.json('usage', '--by', 'route')).rows).toEqual([
      { route: 'main GET /x', passed: 6, refused: 2, failed: 0 },
    ]);
    const minutes = await terminal.json('usage', '--since', '1h');
    expect(minutes).toMatchObject({ bucket: 'minute', rows: [{ passed: 3, refused: 1, failed: 0 }] });
    const table = await terminal.run('usage', '--by', 'route');
    expect(table.stdout).toMatch(/^WHAT +PASSED +REFUSED +FAILED\nmain GET \/x +6 +2 +0 +█{30}\n$/);
  });

  test('of one token also where it was last, and whether a rotated one is still needed', async () => {
    const { terminal, old, successor } = await rotated({ old: 2 * HOUR, successor: 1000 });
    expect(await terminal.json('usage', old)).toMatchObject({
      last_use: { address: '10.0.0.1', route: 'main GET /x' },
      rotation: { successor, safe_to_retire: false, new_last_use: { route: 'main GET /x' } },
    });
    const told = await terminal.run('usage', old);
    expect(told.stderr).toMatch(/last used .* for main GET \/x from 10\.0\.0\.1\n/);
    expect(told.stderr).toMatch(/rotated to tok_\w+; still needed, it seems: .*25 hours/);
    expect((await terminal.json('usage', successor)).rotation).toBeNull();
  });

  test('a successor that nobody uses is no reason to retire', async () => {
    const { terminal, old } = await rotated({ old: 3 * DAY, successor: null });
    expect((await terminal.json('usage', old)).rotation).toMatchObject({
      safe_to_retire: false,
      because: 'the new token was never used',
    });
  });

  test('nothing counted is no mistake; an unknown id is one', async () => {
    const terminal = new Terminal(deskConfig);
    expect(await terminal.json('usage')).toMatchObject({ rows: [], last_use: null });
    expect(await terminal.run('usage')).toMatchObject({ code: 0, stdout: '' });
    await terminal.json('token', 'create', '--type', 'project', '--attribute', 'project=p');
    expect(await terminal.run('usage', 'tok_none')).toMatchObject({
      code: 1,
      stderr: 'error: no token has this id; find it with token list; an id starts with tok_\n',
    });
    expect((await terminal.run('usage', '--since', '10')).code).toBe(2);
    expect((await terminal.run('usage', '--by', 'weather')).code).toBe(2);
  });
});

test('a gateway counts what it was asked, and has written it when it has stopped', async () => {
  const upstream = await startUpstream();
  const gateway = await startTestGateway(`
upstreams: { app: { url: ${upstream.url} } }
token_types: { user: { prefix: u_, scopes: [read] } }
scopes: { read: Read }
apis: { main: { to: app, routes: { "GET /x": { allow: { user: read } } } } }
`);
  const { id, token } = await gateway.mint('user');
  const ask = (bearer: string) =>
    fetch(`${gateway.url}/x`, { headers: { Authorization: `Bearer ${bearer}` } }).then((res) => res.status);
  expect([await ask(token), await ask(token), await ask('u_wrong')]).toEqual([200, 200, 401]);
  await gateway.running.stop();
  const path = join(gateway.folder, 'data/postern.db');
  const store = await openSqliteTokens({ path, now: Date.now, readonly: true });
  const sums = await store.usage.sums({ tokenId: null, sinceMs: 0, bucket: 'hour', by: 'token', limit: 10 });
  const [use] = await store.usage.lastUses([id]);
  await store.close();
  await gateway.stop();
  await upstream.stop();
  expect(sums).toEqual([
    { key: id, passed: 2, refused: 0, failed: 0 },
    { key: '', passed: 0, refused: 1, failed: 0 },
  ]);
  expect(use).toMatchObject({ address: '127.0.0.1', route: 'main GET /x' });
});
