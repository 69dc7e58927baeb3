/** `postern reload`: by the admin API, the command line and the dashboard; the new config whole or the old one kept, and who asked. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { type AdminFixture, adminConfig } from '../fixtures/admin.ts';
import { hiddenOf, startDash } from '../fixtures/dash.ts';
import { Terminal } from './terminal.ts';

let dash: Awaited<ReturnType<typeof startDash>>;
afterEach(() => dash.gateway.stop());

const opened = adminConfig.replace('GET /status:', 'GET /opened: { allow: public }\n      GET /status:');
const broken = opened.replace('allow: public', 'alow: public');

const start = async () => {
  dash = await startDash('admin: { address: 127.0.0.1:0 }');
  return dash;
};

const statusOf = async ({ gateway }: AdminFixture, path: string) =>
  (await fetch(`${gateway.url}${path}`)).status;

const versionOf = ({ gateway }: AdminFixture) => gateway.running.config().policy.version;

const sha256Of = ({ gateway }: AdminFixture) =>
  createHash('sha256').update(readFileSync(gateway.configFile)).digest('hex');

const reloadsOf = async ({ ask }: AdminFixture) =>
  (await ask('GET /v1/audit?subject=config')).json.entries.map(
    ({ actor, action, detail }: Record<string, unknown>) => ({ actor, action, detail }),
  );

async function operatorsTerminal({ url, mint }: AdminFixture, ...scopes: readonly string[]) {
  const terminal = new Terminal('');
  const { id, token } = await mint(...scopes);
  terminal.env.POSTERN_ADMIN_TOKEN = token;
  return { id, run: (...words: string[]) => terminal.here('reload', '--url', url, ...words) };
}

const checkedJson = async (file: string) =>
  JSON.parse((await new Terminal('').here('check', '--config', file, '--json')).stdout);

describe('a reload by the admin API', () => {
  test('takes a good config, and the audit says who had it taken', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(opened);
    const { id, token } = await admin.mint('config:write');
    const { status, json } = await admin.ask('POST /v1/config/reload', { token, body: {} });
    expect([status, json]).toEqual([
      200,
      {
        ...{ file: admin.gateway.configFile, version: versionOf(admin), sha256: sha256Of(admin) },
        ...{ before, warnings: expect.any(Array) },
      },
    ]);
    expect(json.version).not.toBe(before);
    expect(await statusOf(admin, '/opened')).not.toBe(404);
    expect(await reloadsOf(admin)).toEqual([
      {
        actor: `token:${id}`,
        action: 'config.reload',
        detail: { outcome: 'taken', version: json.version, before },
      },
    ]);
  });

  test('refuses a broken one with every problem, keeps the old one, and readiness and the audit say so', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(broken);
    const { status, json } = await admin.ask('POST /v1/config/reload');
    expect([status, json.code, json.status]).toEqual([422, 'config_refused', 422]);
    const [missing, unknown] = json.problems;
    const at = { file: admin.gateway.configFile, line: expect.any(Number), column: expect.any(Number) };
    expect([missing, unknown]).toEqual([
      {
        ...at,
        path: "apis.main.routes['GET /opened'].allow",
        message: 'the key "allow" is missing',
        hint: expect.stringMatching(/^write allow: public/),
      },
      {
        ...at,
        path: "apis.main.routes['GET /opened'].alow",
        message: 'unknown key "alow"',
        hint: 'did you mean "allow"?',
      },
    ]);
    expect(versionOf(admin)).toBe(before);
    expect(await statusOf(admin, '/opened')).toBe(404);
    const ready = await (await fetch(`${admin.gateway.running.health}/readyz`)).json();
    expect(ready).toMatchObject({ checks: { reload: { ok: false } } });
    expect(await reloadsOf(admin)).toMatchObject([
      { detail: { outcome: 'refused', kept: before, problems: 2 } },
    ]);
    admin.gateway.rewrite(adminConfig);
    expect((await admin.ask('POST /v1/config/reload')).json.version).toBe(before);
  });

  test('says of each key that needs a restart where it stands', async () => {
    const admin = await start();
    admin.gateway.rewrite(`telemetry: { traces: { url: http://127.0.0.1:1/v1/traces } }\n${opened}`);
    const { status, json } = await admin.ask('POST /v1/config/reload');
    expect([status, json.problems]).toMatchObject([
      422,
      [{ path: 'telemetry.traces', message: expect.stringMatching(/^restart needed/) }],
    ]);
    expect(json.problems[0].line).toBeGreaterThan(1);
  });

  test('takes config:write, and on a dry run nothing but judges', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(opened);
    const { token } = await admin.mint('config:read', 'tokens:write');
    expect((await admin.ask('POST /v1/config/reload', { token })).json.code).toBe('scope_missing');
    expect((await admin.ask('POST /v1/config/reload?dry_run=true')).json).toMatchObject({
      before,
      dry_run: true,
    });
    admin.gateway.rewrite(broken);
    expect((await admin.ask('POST /v1/config/reload?dry_run=true')).status).toBe(422);
    expect(versionOf(admin)).toBe(before);
    expect(await reloadsOf(admin)).toEqual([]);
    expect(admin.gateway.logText()).not.toContain('config_reload');
    const ready = await (await fetch(`${admin.gateway.running.health}/readyz`)).json();
    expect(ready).toMatchObject({ checks: { reload: { ok: true } } });
  });

  test('goes one after the other with all who ask at once, a signal among them', async () => {
    const admin = await start();
    admin.gateway.rewrite(opened);
    const asked = Array.from({ length: 5 }, () => admin.ask('POST /v1/config/reload'));
    const [signalled, ...answers] = await Promise.all([admin.gateway.running.reload(), ...asked]);
    expect(signalled).toBe(true);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const rows = await reloadsOf(admin);
    // Each saw what the one before had left: no two of them crossed.
    expect(
      rows.filter(({ detail }: { detail: { before: string } }) => detail.before !== versionOf(admin)).length,
    ).toBeLessThanOrEqual(1);
    expect(rows.length).toBe(5);
  });

  test('is not done where the audit cannot be written', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(opened);
    const { audit } = admin.gateway.running.tokens;
    const file = `${admin.gateway.folder}/data/postern.db`;
    const other = new Database(file);
    other.exec("create trigger no_row before insert on audit begin select raise(abort, 'full'); end");
    const { status } = await admin.ask('POST /v1/config/reload');
    other.exec('drop trigger no_row');
    other.close();
    expect([status, versionOf(admin)]).toEqual([503, before]);
    expect(await statusOf(admin, '/opened')).toBe(404);
    expect((await audit.list({ subject: 'config', after: null, limit: 9 })).entries).toEqual([]);
    expect((await admin.ask('POST /v1/config/reload')).status).toBe(200);
  });
});

describe('postern reload', () => {
  test('exits 0 when the new config is taken, and says from what to what', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(opened);
    const { id, run } = await operatorsTerminal(admin);
    const dry = await run('--dry-run');
    expect([dry.code, versionOf(admin)]).toEqual([0, before]);
    expect(dry.stdout).toMatch(/ would be in force \(/);
    const { code, stdout, stderr } = await run();
    expect([code, stderr]).toEqual([0, '']);
    const { configFile } = admin.gateway;
    const checked = await new Terminal('').here('check', '--config', configFile);
    const warnings = checked.stdout.replace(/[^\n]*\n$/, '');
    expect(stdout).toBe(`${warnings}${configFile} is in force (${before} -> ${versionOf(admin)})\n`);
    expect((await run()).stdout).toBe(
      `${warnings}${configFile} is in force, as before (${versionOf(admin)})\n`,
    );
    const json = JSON.parse((await run('--json')).stdout);
    const { warnings: told } = await checkedJson(configFile);
    const [version, sha256] = [versionOf(admin), sha256Of(admin)];
    expect(json).toEqual({ ok: true, problems: [], warnings: told, version, sha256 });
    expect((await reloadsOf(admin)).map(({ actor }: { actor: string }) => actor)).toEqual(
      Array.from({ length: 3 }, () => `token:${id}`),
    );
  });

  test('exits 78 when it was refused, with every problem as check prints it', async () => {
    const admin = await start();
    admin.gateway.rewrite(broken);
    const { run } = await operatorsTerminal(admin);
    const checked = await new Terminal('').here('check', '--config', admin.gateway.configFile);
    const { code, stdout, stderr } = await run();
    expect([code, stderr]).toEqual([78, '']);
    expect(stdout).toBe(
      checked.stdout.replace(/2 problems\n$/, '2 problems; the config before stays in force\n'),
    );
    const asJson = await run('--json');
    expect([asJson.code, JSON.parse(asJson.stdout)]).toEqual([
      78,
      await checkedJson(admin.gateway.configFile),
    ]);
    expect((await run('--dry-run')).stdout).toMatch(/the config before would stay in force\n$/);
  });

  test('knows gateways by their address alone, and says what to do with a file', async () => {
    const admin = await start();
    const terminal = new Terminal('');
    const byFile = await terminal.here('reload', '--config', 'gateway.config.yaml');
    expect([byFile.code, byFile.stdout]).toEqual([2, '']);
    expect(byFile.stderr).toMatch(/^error: .*--url URL.*SIGHUP.*--watch\n$/);
    expect(await terminal.here('reload')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('postern login --url'),
    });
    const { run } = await operatorsTerminal(admin, 'config:read');
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('config:write') });
  });
});

describe('the dashboard', () => {
  const path = '/config/reload';

  test('says what would become of it, and reloads when that is confirmed', async () => {
    const { gateway, ...admin } = await start();
    const { cookie } = await admin.signIn('config:read', 'config:write');
    expect((await admin.dash('GET /matrix', { cookie })).text).toContain(`href="${path}"`);
    const before = versionOf(dash);
    gateway.rewrite(opened);
    const { text } = await admin.dash(`GET ${path}`, { cookie });
    expect(text).toContain('The file is good');
    expect(versionOf(dash)).toBe(before);
    const form = { _form: hiddenOf(text, path, '_form'), version: hiddenOf(text, path, 'version') };
    const { status, location } = await admin.dash(`POST ${path}`, { cookie, form });
    expect([status, location]).toEqual([303, '/matrix?done=reloaded']);
    expect(versionOf(dash)).not.toBe(before);
    expect((await admin.dash(`GET ${location}`, { cookie })).text).toContain('The config was reloaded');
    gateway.rewrite(broken);
    const refused = await admin.dash(`POST ${path}`, { cookie, form });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('was refused, and the one before stays in force');
    expect(refused.text).toContain('unknown key &quot;alow&quot;');
    // Of what was not shown nothing can be taken: it is looked at again.
    expect(hiddenOf(refused.text, path, '_form')).toBe('');
    expect(refused.text).toContain(`href="${path}"`);
    expect((await reloadsOf(dash)).length).toBe(2);
  });

  test('offers it to nobody who lacks config:write', async () => {
    const { gateway, ...admin } = await start();
    const { cookie } = await admin.signIn('config:read');
    expect((await admin.dash('GET /matrix', { cookie })).text).not.toContain(path);
    expect((await admin.dash(`GET ${path}`, { cookie })).status).toBe(403);
    gateway.rewrite(opened);
    const { text } = await admin.dash('GET /matrix', { cookie });
    const form = { _form: hiddenOf(text, '/sign-out', '_form') };
    expect((await admin.dash(`POST ${path}`, { cookie, form })).status).toBe(403);
    expect(await reloadsOf(dash)).toEqual([]);
  });
});
