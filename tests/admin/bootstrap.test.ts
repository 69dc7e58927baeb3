/** The first admin token: one for a store, in a file that only its user reads, gone at its first use, told to nobody. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { writeBootstrapToken } from '../../gateway/admin/bootstrap.ts';
import { adminScopes } from '../../policy/admin-type.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { adminConfig } from '../fixtures/admin.ts';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { configFile, startPostern } from '../fixtures/process.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'postern-bootstrap-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function start(path: string): Promise<GatewayFixture> {
  const head = `admin: { address: 127.0.0.1:0 }\nstore: { url: "sqlite:${join(path, 'postern.db')}" }`;
  const gateway = await startTestGateway(adminConfig, head);
  return gateway;
}

async function whoami({ running }: GatewayFixture, token: string) {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await fetch(`${running.admin}/v1/whoami`, { headers });
  const json = JSON.parse(await response.text());
  return { status: response.status, json };
}

describe('the first start with an admin listener', () => {
  test('makes one token with every scope, for a day, in a file of mode 0600', async () => {
    const path = folder();
    const gateway = await start(path);
    onTestFinished(gateway.stop);
    const file = join(path, 'bootstrap-token');
    expect(gateway.running.bootstrapFile).toBe(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const token = readFileSync(file, 'utf8').trim();
    expect(token).toMatch(/^postern_admin_[0-9A-Za-z]{48}$/);
    const { status, json } = await whoami(gateway, token);
    expect([status, json.scopes, json.created_by]).toEqual([200, adminScopes, 'bootstrap']);
    const lifeMs = Date.parse(json.expires_at) - Date.parse(json.created_at);
    expect(Math.abs(lifeMs - 86_400_000)).toBeLessThan(1000);
    expect(gateway.logText()).not.toContain(token.slice(14, 30));
  });

  test('keeps the file until its token is used, and makes no other ever', async () => {
    const path = folder();
    const file = join(path, 'bootstrap-token');
    const first = await start(path);
    const token = readFileSync(file, 'utf8').trim();
    // A wrong one is no use of it.
    await whoami(first, `postern_admin_${'0'.repeat(48)}`);
    expect(existsSync(file)).toBe(true);
    await first.stop();
    const second = await start(path);
    expect([second.running.bootstrapFile, existsSync(file)]).toEqual([null, true]);
    expect((await whoami(second, token)).status).toBe(200);
    expect(existsSync(file)).toBe(false);
    await second.stop();
    const third = await start(path);
    onTestFinished(third.stop);
    expect([third.running.bootstrapFile, existsSync(file)]).toEqual([null, false]);
    expect((await whoami(third, token)).status).toBe(200);
  });

  test('makes none without the listener, and none on PostgreSQL', async () => {
    const plain = await startTestGateway(adminConfig);
    expect(plain.running.bootstrapFile).toBeNull();
    expect((await plain.running.tokens.list({ type: 'postern_admin', limit: 1 })).tokens).toEqual([]);
    await plain.stop();
    const database = await createTestDatabase();
    const head = `admin: { address: 127.0.0.1:0 }\nstore: { url: "${database.url}" }`;
    const gateway = await startTestGateway(adminConfig, head);
    expect(gateway.running.bootstrapFile).toBeNull();
    expect((await gateway.running.tokens.list({ type: 'postern_admin', limit: 1 })).tokens).toEqual([]);
    await gateway.stop();
    await database.drop();
  });

  test('is told by the ready line, which has no token in it, as nothing else has', async () => {
    const config = configFile(adminConfig);
    onTestFinished(config.remove);
    const postern = await startPostern(config.path, ['--admin', '127.0.0.1:0']);
    const ready = JSON.parse(postern.readyLine);
    expect(ready.admin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const token = readFileSync(ready.bootstrap_token_file, 'utf8').trim();
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${ready.admin}/v1/whoami`, { headers })).status).toBe(200);
    expect(existsSync(ready.bootstrap_token_file)).toBe(false);
    postern.signal('SIGTERM');
    expect((await postern.exited).code).toBe(0);
    const said = [postern.readyLine, postern.stderr(), JSON.stringify(postern.lines)].join();
    expect(said).not.toContain(token.slice(14, 30));
  });
});

describe('the file', () => {
  test('is made by one of many that start at once, with one token', async () => {
    const path = folder();
    const file = join(path, 'bootstrap-token');
    const stores = await Promise.all(
      Array.from({ length: 4 }, () => openSqliteTokens({ path: join(path, 'postern.db'), now: Date.now })),
    );
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const told: unknown[] = [];
    const made = await Promise.all(
      stores.map((store) => writeBootstrapToken(file, store, Date.now(), (trouble) => told.push(trouble))),
    );
    expect(made.filter((isMade) => isMade)).toHaveLength(1);
    const { tokens } = await (stores[0] ?? expect.fail()).list({ type: 'postern_admin', limit: 9 });
    expect(tokens).toHaveLength(1);
  });

  test.each(['a file', 'a link'])('is never written over %s that is there', async (what) => {
    const path = folder();
    const file = join(path, 'bootstrap-token');
    const target = join(path, 'elsewhere');
    if (what === 'a link') symlinkSync(target, file);
    else writeFileSync(file, 'mine');
    const gateway = await start(path);
    onTestFinished(gateway.stop);
    expect(gateway.running.bootstrapFile).toBeNull();
    expect(existsSync(target)).toBe(false);
    if (what === 'a file') expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await gateway.running.tokens.list({ type: 'postern_admin', limit: 1 })).tokens).toEqual([]);
    expect(gateway.lines).toContainEqual(
      expect.objectContaining({ event: 'bootstrap_token_not_made', file }),
    );
  });
});
