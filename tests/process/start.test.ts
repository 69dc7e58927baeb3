/** How the process begins: it says where it listens, or in a line what is wrong and what to do. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { LEDGER } from '../../store/migrations.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { type ConfigFile, configFile, runPostern, startPostern } from '../fixtures/process.ts';

const yaml = `
upstreams:
  app: { url: http://127.0.0.1:1 }
apis:
  main:
    to: app
    routes:
      GET /items: { allow: public }
`;

function config(): ConfigFile {
  const file = configFile(yaml);
  onTestFinished(file.remove);
  return file;
}

const serve = (file: ConfigFile) => runPostern(['serve', '--config', file.path]);

test('the first line is JSON and says where it listens, on the ports it was given by the system', async () => {
  const child = await startPostern(config().path, ['--listen', '127.0.0.1:0']);
  onTestFinished(child.kill);
  expect(JSON.parse(child.readyLine)).toEqual({
    event: 'ready',
    listen: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[1-9][0-9]*$/),
    admin: null,
    health: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[1-9][0-9]*$/),
  });
  expect((await fetch(`${child.url}/nothing`)).status).toBe(404);
  expect(await (await fetch(`${child.health}/livez`)).json()).toEqual({ live: true });
});

test('a config with mistakes: every one on stderr with path, line, column and remedy, and status 78', async () => {
  const file = config();
  file.write(yaml.replace('to: app', 'to: ap').replace('allow: public', 'alow: public, allow: public'));
  const { code, stdout, stderr } = await serve(file);
  expect(code).toBe(78);
  expect(stdout).toBe('');
  const lines = stderr.trimEnd().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/gateway\.config\.yaml:[0-9]+:[0-9]+: apis\.main\.to: .*"ap".*app/),
    expect.stringMatching(
      /gateway\.config\.yaml:[0-9]+:[0-9]+: apis\.main\.routes.*alow.*did you mean "allow"/,
    ),
  ]);
});

test('a fixture that does not hold forbids the config: status 78', async () => {
  const file = config();
  file.write(`${yaml}fixtures:\n  - { name: closed, request: GET /items, expect: 401 credential_missing }\n`);
  const { code, stderr } = await serve(file);
  expect(code).toBe(78);
  expect(stderr).toMatch(/closed/);
});

test('a port that is taken: one line with the address and what to do, and status 1', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  onTestFinished(() => void squatter.close());
  const { port } = squatter.address() as AddressInfo;
  const file = config();
  const own = mkdtempSync(join(tmpdir(), 'postern-own-'));
  onTestFinished(() => rmSync(own, { recursive: true }));
  for (const words of [
    ['serve', '--config', file.path, '--listen', `127.0.0.1:${port}`],
    ['demo', '--port', String(port)],
  ]) {
    const { code, stdout, stderr } = await runPostern(words, process.execPath, { TMPDIR: own });
    expect([code, stdout, stderr.trimEnd()]).toEqual([
      1,
      '',
      `error: cannot listen on 127.0.0.1:${port} (EADDRINUSE); something listens there already: end it, or choose another port; 0 is any free one`,
    ]);
  }
  // What did not start leaves nothing.
  expect(readdirSync(own).filter((name) => name.startsWith('postern-demo-'))).toEqual([]);
});

test.each([
  ['damaged', Buffer.from('this is not a database, but it might have been one. '.repeat(100))],
  ['empty', Buffer.alloc(0)],
])('a database that is %s: refused with what to do, status 1, and left as it was', async (_what, bytes) => {
  const file = config();
  mkdirSync(join(file.folder, 'data'));
  writeFileSync(file.database, bytes);
  const { code, stdout, stderr } = await serve(file);
  expect(code).toBe(1);
  expect(stdout).not.toContain('"ready"');
  expect(stderr).toMatch(/postern\.db is damaged: .* Nothing was changed\. Restore a backup/);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(readFileSync(file.database).equals(bytes)).toBe(true);
  expect(readdirSync(join(file.folder, 'data'))).toEqual(['postern.db']);
});

test('a database of a newer version: refused with what to do, status 1, and left as it was', async () => {
  const file = config();
  await (await openSqliteTokens({ path: file.database, now: Date.now })).close();
  const database = new Database(file.database);
  database.prepare(`insert into ${LEDGER} (name, applied_at) values ('9999-later', 0)`).run();
  database.close();
  const before = readFileSync(file.database);
  const { code, stderr } = await serve(file);
  expect(code).toBe(1);
  expect(stderr).toMatch(/written by a newer Postern \(9999-later .* Use that version/);
  expect(readFileSync(file.database).equals(before)).toBe(true);
});

/** Every Node on PATH that is too old, and this one in the old one's clothes. */
function oldNodes(): string[][] {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .filter((program) =>
      /^v(1[0-9]|20|21)\./.test(spawnSync(program, ['--version']).stdout?.toString() ?? ''),
    );
  return [...new Set(found)].map((program) => [program]);
}

test('an old Node: one line that says what to do, status 1, and no crash', () => {
  const file = config();
  const disguise = join(file.folder, 'old.cjs');
  writeFileSync(
    disguise,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });",
  );
  const start = join(import.meta.dirname, '../../gateway/start.cjs');
  for (const [program = '', ...flags] of [[process.execPath, '--require', disguise], ...oldNodes()]) {
    const ran = spawnSync(program, [...flags, start, 'serve', '--config', file.path], { encoding: 'utf8' });
    expect(ran.status).toBe(1);
    expect(ran.stdout).toBe('');
    expect(ran.stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^Postern needs Node 22\.19 or newer; this is v2?[0-9.]+\. Run `npm ci`/),
    ]);
  }
});
