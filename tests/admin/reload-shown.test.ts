/** A reload takes the file that was shown: by every face, whoever writes to it meanwhile; and makes no key for another. */
import { createHash, createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { adminConfig } from '../fixtures/admin.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';
import { Terminal } from './terminal.ts';

let dash: DashFixture;
afterEach(() => dash.gateway.stop());

const rowNamed = (name: string) =>
  adminConfig.replace('GET /status:', `GET /${name}: { allow: public }\n      GET /status:`);
const [shown, other] = [rowNamed('shown'), rowNamed('other')];
const broken = shown.replace('allow: public', 'alow: public');
const path = '/config/reload';

async function start(yaml = adminConfig): Promise<DashFixture> {
  dash = await startDash('admin: { address: 127.0.0.1:0 }', yaml);
  return dash;
}

const versionOf = ({ gateway }: DashFixture) => gateway.running.config().policy.version;
const digestOf = ({ gateway }: DashFixture) =>
  createHash('sha256').update(readFileSync(gateway.configFile)).digest('hex');

/** Nothing that anybody could see of a reload. */
async function expectUntouched(admin: DashFixture, before: string): Promise<void> {
  expect(versionOf(admin)).toBe(before);
  expect((await admin.ask('GET /v1/audit?subject=config')).json.entries).toEqual([]);
  expect(admin.gateway.logText()).not.toContain('config_reload');
  const ready = await (await fetch(`${admin.gateway.running.health}/readyz`)).json();
  expect(ready).toMatchObject({ checks: { reload: { ok: true } } });
}

describe('by the admin API', () => {
  const ask = (admin: DashFixture, version: unknown, query = '') =>
    admin.ask(`POST /v1/config/reload${query}`, { body: { if_version: version } });

  test('a file that was changed since is left alone, on a dry run too', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(shown);
    const { version, sha256 } = (await admin.ask('POST /v1/config/reload?dry_run=true')).json;
    expect([sha256, sha256.startsWith(version)]).toEqual([digestOf(admin), true]);
    admin.gateway.rewrite(other);
    for (const [said, query] of [
      [version, ''],
      [sha256, ''],
      [sha256, '?dry_run=true'],
    ] as const) {
      const { status, json } = await ask(admin, said, query);
      expect([status, json.code, json.path]).toEqual([412, 'precondition_failed', 'if_version']);
    }
    await expectUntouched(admin, before);
    admin.gateway.rewrite(shown);
    for (const said of [sha256, version]) {
      const { status, json } = await ask(admin, said);
      expect([status, json.version, versionOf(admin)]).toEqual([200, version, version]);
    }
  });

  test('a file that is refused is refused, whichever was asked for', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(broken);
    const { status, json } = await ask(admin, digestOf(admin));
    expect([status, json.code, versionOf(admin)]).toEqual([422, 'config_refused', before]);
  });

  test('no other version than one that the file begins with is ever taken for it', async () => {
    const admin = await start();
    const sha256 = digestOf(admin);
    const digits = [...'0123456789abcdef'];
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 12, max: 64 }),
        fc.nat({ max: 63 }),
        fc.constantFrom(...digits),
        async (length, at, digit) => {
          const said = `${sha256.slice(0, at)}${digit}${sha256.slice(at + 1)}`.slice(0, length);
          const { status } = await ask(admin, said, '?dry_run=true');
          expect([said, status]).toEqual([said, sha256.startsWith(said) ? 200 : 412]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('what is no version is refused before anything is read', async () => {
    const admin = await start();
    const before = versionOf(admin);
    const sha256 = digestOf(admin);
    const odd = [
      '',
      sha256.slice(0, 11),
      `${sha256}0`,
      sha256.toUpperCase(),
      `${sha256}\n`,
      '.'.repeat(12),
      12,
    ];
    for (const said of [...odd, null, [sha256]]) {
      const { status, json } = await ask(admin, said);
      expect([said, status, json.path]).toEqual([said, 400, 'if_version']);
    }
    await expectUntouched(admin, before);
  });
});

describe('by the command line', () => {
  test('only what a dry run has told is taken, and a script can tell', async () => {
    const admin = await start();
    const before = versionOf(admin);
    const terminal = new Terminal('');
    terminal.env.POSTERN_ADMIN_TOKEN = (await admin.mint('config:write')).token;
    const run = (...words: string[]) => terminal.here('reload', '--url', admin.url, ...words);
    admin.gateway.rewrite(shown);
    const { version, sha256 } = JSON.parse((await run('--dry-run', '--json')).stdout);
    admin.gateway.rewrite(other);
    for (const said of [version, sha256]) {
      expect(await run('--if-version', said)).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(
          /^error: the config file is not the one that was asked for.*dry run\n$/,
        ),
      });
    }
    await expectUntouched(admin, before);
    expect(await run('--if-version', 'latest')).toMatchObject({ code: 1, stdout: '' });
    admin.gateway.rewrite(shown);
    expect(await run('--if-version', sha256)).toMatchObject({ code: 0, stderr: '' });
    expect(versionOf(admin)).toBe(version);
  });
});

describe('by the dashboard', () => {
  async function look(admin: DashFixture) {
    const { cookie } = await admin.signIn('config:read', 'config:write');
    const { text } = await admin.dash(`GET ${path}`, { cookie });
    const form = { _form: hiddenOf(text, path, '_form'), version: hiddenOf(text, path, 'version') };
    const send = (more = {}) => admin.dash(`POST ${path}`, { cookie, form: { ...form, ...more } });
    return { cookie, text, form, send };
  }

  test('a file that was changed since it was shown is not taken, and is to be looked at again', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(shown);
    const { form, send, cookie } = await look(admin);
    expect(form.version).toBe(digestOf(admin));
    admin.gateway.rewrite(other);
    const { status, text } = await send();
    expect(status).toBe(409);
    expect(text).toContain('The file has changed since');
    expect(text).toContain(`href="${path}"`);
    // Nothing on it takes what was not shown.
    expect(hiddenOf(text, path, '_form')).toBe('');
    await expectUntouched(admin, before);
    const again = await admin.dash(`GET ${path}`, { cookie });
    const version = hiddenOf(again.text, path, 'version');
    expect((await send({ version })).location).toBe('/matrix?done=reloaded');
    expect([version.startsWith(versionOf(admin)), versionOf(admin) === before]).toEqual([true, false]);
  });

  test('a file that would be refused cannot be taken once somebody has mended it unseen', async () => {
    const admin = await start();
    admin.gateway.rewrite(broken);
    const { text, form } = await look(admin);
    expect(text).toContain('would be refused');
    expect(form).toEqual({ _form: '', version: '' });
    expect(text).toContain('Look again');
  });

  test('a form that does not say all of what was shown is not whole', async () => {
    const admin = await start();
    const before = versionOf(admin);
    const { form, send } = await look(admin);
    for (const version of ['', form.version.slice(0, 12), form.version.slice(1), `${form.version}0`, '.*']) {
      expect([version, (await send({ version })).status]).toEqual([version, 400]);
    }
    await expectUntouched(admin, before);
  });

  test('of two who look and confirm, with a change between them, only the one who saw it has it taken', async () => {
    const admin = await start();
    admin.gateway.rewrite(shown);
    const one = await look(admin);
    admin.gateway.rewrite(other);
    const two = await look(admin);
    const answers = await Promise.all([one.send(), two.send(), one.send(), two.send()]);
    expect(answers.map(({ status }) => status)).toEqual([409, 303, 409, 303]);
    expect(two.form.version.startsWith(versionOf(admin))).toBe(true);
  });
});

describe('a signing key that is missing', () => {
  const signed = adminConfig.replace(
    'identity:\n',
    'identity:\n  assertion: { key: { file: ./keys/new.pem } }\n',
  );
  const keyFile = () => join(dash.gateway.folder, 'keys/new.pem');
  const published = async (): Promise<readonly string[]> => {
    const answer = await fetch(`${dash.gateway.url}/_postern/jwks.json`);
    if (answer.status !== 200) return [];
    const { keys } = (await answer.json()) as { keys: { x: string }[] };
    return keys.map(({ x }) => x);
  };

  test('is not made for a file that was not asked for', async () => {
    const admin = await start();
    admin.gateway.rewrite(signed);
    const body = { if_version: '0'.repeat(12) };
    expect((await admin.ask('POST /v1/config/reload', { body })).status).toBe(412);
    expect(existsSync(keyFile())).toBe(false);
  });

  test('is made, and neither used nor published, where the audit cannot be written', async () => {
    const admin = await start();
    const before = versionOf(admin);
    admin.gateway.rewrite(signed);
    const file = new Database(join(admin.gateway.folder, 'data/postern.db'));
    file.exec("create trigger no_row before insert on audit begin select raise(abort, 'full'); end");
    const { status } = await admin.ask('POST /v1/config/reload');
    file.exec('drop trigger no_row');
    file.close();
    expect([status, versionOf(admin), existsSync(keyFile())]).toEqual([503, before, true]);
    const made = readFileSync(keyFile(), 'utf8');
    expect(await published()).toEqual([]);
    expect((await admin.ask('POST /v1/config/reload')).status).toBe(200);
    expect(readFileSync(keyFile(), 'utf8')).toBe(made);
    expect(await published()).toEqual([createPublicKey(made).export({ format: 'jwk' }).x]);
  });
});
