/** `postern tail` as people run it: a process of its own, beside a gateway that comes and goes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import type { Seat } from '../../gateway/admin/cli-shell.ts';
import { keepLogin } from '../../gateway/admin/login-file.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';

const start = fileURLToPath(new URL('../../gateway/start.cjs', import.meta.url));

let admin: AdminFixture;
let token: string;
beforeAll(async () => {
  admin = await startAdmin();
  token = (await admin.mint('tail:read')).token;
});
afterAll(() => admin.gateway.stop());

type Tail = {
  readonly child: ChildProcess;
  readonly said: { out: string; err: string };
  readonly exited: Promise<number | null>;
};

function tail(words: readonly string[], { env = {} as Record<string, string> } = {}): Tail {
  const { POSTERN_ADMIN_TOKEN: _own, ...others } = process.env;
  const child = spawn(process.execPath, [start, 'tail', ...words], {
    env: { ...others, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  return { child, said, exited: once(child, 'close').then(([code]) => code) };
}

const ask = (path: string, gateway = admin.gateway.url) => fetch(`${gateway}${path}`);
const patience = { timeout: 15_000, interval: 20 };

describe('postern tail', () => {
  test('prints a line of JSON a decision into a pipe, and ends well on Ctrl-C', async () => {
    const { child, said, exited } = tail(['--url', admin.url, '--refusals'], {
      env: { POSTERN_ADMIN_TOKEN: token },
    });
    await expect.poll(() => said.err, patience).toContain('listening');
    await ask('/status');
    await ask('/nothing');
    await expect.poll(() => said.out.split('\n').length, patience).toBe(3);
    const [unreachable = '', nothing = ''] = said.out.split('\n');
    expect(JSON.parse(nothing)).toMatchObject({ status: 404, code: 'route_not_found', row: null });
    expect(JSON.parse(unreachable)).toMatchObject({
      status: 502,
      code: 'upstream_unreachable',
      row: 'main GET /status',
    });
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(said.err).not.toContain('error');
  });

  test('asks the gateway of the login, or that POSTERN_URL names, and shows its token nowhere', async () => {
    const home = mkdtempSync(join(tmpdir(), 'postern-tail-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    keepLogin({ HOME: home }, { url: admin.url, token, insecureHttp: false });
    const elsewhere = { POSTERN_URL: 'http://127.0.0.1:1', POSTERN_ADMIN_TOKEN: token };
    expect((await here([], { env: { HOME: home, ...elsewhere } })).err).toContain('ECONNREFUSED');
    const { child, said, exited } = tail(['--status', '404'], { env: { HOME: home } });
    await expect.poll(() => said.err, patience).toContain('listening');
    await ask('/nothing');
    await expect.poll(() => said.out, patience).toContain('"code":"route_not_found"');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(said.out + said.err).not.toContain(token.slice(-20));
  });

  test('comes back when the gateway does, says that it was away, and ends when its token has', async () => {
    const own = await startAdmin(undefined, 'admin: { address: 127.0.0.1:0, hosts: [localhost] }');
    onTestFinished(() => own.gateway.stop());
    const relay = await startRelay(Number(new URL(own.url).port));
    const { id, token: mortal } = await own.mint('tail:read');
    const { said, exited } = tail(['--url', `http://localhost:${relay.port}`], {
      env: { POSTERN_ADMIN_TOKEN: mortal },
    });
    await expect.poll(() => said.err, patience).toContain('listening');
    relay.cut();
    await expect.poll(() => said.err, patience).toContain('the gateway is gone; trying again in 1 s');
    await expect
      .poll(() => said.err, patience)
      .toContain('connected again; what happened meanwhile is not shown');
    await ask('/nothing', own.gateway.url);
    await expect.poll(() => said.out, patience).toContain('"code":"route_not_found"');
    await own.gateway.running.tokens.revoke(id, 'test', null);
    expect(await exited).toBe(1);
    expect(said.err).toMatch(/error: the token is not valid; .+\n$/);
  });
});

test('no proxy that the environment names hears of the token', async () => {
  const proxy = createServer((socket) => {
    heard++;
    socket.on('error', () => {}).destroy();
  }).listen(0, '127.0.0.1');
  let heard = 0;
  await once(proxy, 'listening');
  onTestFinished(() => void proxy.close());
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const env = { POSTERN_ADMIN_TOKEN: token, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, http_proxy: url };
  const { child, said, exited } = tail(['--url', admin.url], { env });
  await expect.poll(() => said.err, patience).toContain('listening');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  expect(heard).toBe(0);
});

/** Passes everything on to a port, until it is cut; what comes after goes through again. */
async function startRelay(to: number): Promise<{ port: number; cut: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, cut };
}

const seat: Seat = { out: true, err: true, ask: null };

async function here(words: readonly string[], more: { env?: Record<string, string>; terminal?: Seat }) {
  let [out, err] = ['', ''];
  const code = await run(['tail', ...words], {
    env: more.env ?? {},
    out: (text) => (out += text),
    err: (text) => (err += text),
    colours: false,
    now: Date.now,
    ...(more.terminal === undefined ? {} : { terminal: more.terminal }),
  });
  return { code, out, err };
}

describe('postern tail ends with', () => {
  const env = () => ({ POSTERN_ADMIN_TOKEN: token });

  test('1 or 2 where it was not told by whom or whose, and repeats nothing', async () => {
    const words = ['--url', admin.url];
    const other = { env: { POSTERN_ADMIN_TOKEN: 'prj_secret' } };
    for (const [code, about, told] of [
      [1, 'there is no admin token for', await here(words, {})],
      [2, 'POSTERN_ADMIN_TOKEN holds no admin token', await here(words, other)],
      [1, 'nobody is logged in', await here([], { env: env() })],
    ] as const) {
      expect(told).toMatchObject({ code, out: '', err: expect.stringContaining(about) });
      expect(told.err).toMatch(/^error: [^\n]+; [^\n]+\n$/);
      expect(told.err).not.toContain('secret');
    }
  });

  test.each([
    [['--url', 'localhost:8081']],
    [['--url', 'http://a:b@127.0.0.1:1']],
    [['--url', 'http://127.0.0.1:1/?token=x']],
    [['--url', 'http://127.0.0.1:1/path']],
    [['--url', 'http://127.0.0.1:1', '--status', '4x']],
    [['--url', 'http://127.0.0.1:1', '--token', 'usr_secretsecretsecret']],
    [['--url', 'http://127.0.0.1/v1']],
    [['--url', 'http://gateway.example']],
  ])('2 where the words make no sense: %j', async (words) => {
    const { code, err } = await here(words, { env: env() });
    expect(code).toBe(2);
    expect(err).not.toMatch(/secret|a:b/);
  });

  test('2 where the token would go over http to another host, and nobody said that it may', async () => {
    const words = ['--url', 'http://gateway.invalid:8081'];
    const told = await here(words, { env: env() });
    expect(told).toMatchObject({
      code: 2,
      err: expect.stringContaining('use https, or say --insecure-http'),
    });
    expect((await here([...words, '--insecure-http'], { env: env() })).code).toBe(1);
  });

  test('1 where nobody answers, or answers as something else', async () => {
    const gone = await here(['--url', 'http://127.0.0.1:1'], { env: env() });
    expect(gone).toMatchObject({
      code: 1,
      err: 'error: http://127.0.0.1:1 does not answer (ECONNREFUSED); see that the gateway runs, and that admin.address of its config is there\n',
    });
    const other = await here(['--url', admin.gateway.url], { env: env() });
    expect([other.code, other.err]).toEqual([1, expect.stringMatching(/^error: .+; .+\n$/)]);
  });

  test('1 and the words of the gateway, where it says no', async () => {
    const { token: reader } = await admin.mint('usage:read');
    const words = ['--url', admin.url];
    const lacking = await here(words, { env: { POSTERN_ADMIN_TOKEN: reader } });
    expect(lacking).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: the token lacks the scope tail:read; ask by one that has it.*\n$/),
    });
    const nobody = await here([...words, '--token', 'tok_0'], { env: env(), terminal: seat });
    expect(nobody).toMatchObject({ code: 1, err: expect.stringContaining('no token has this id') });
  });
});

test('on a terminal it shows columns, with what strangers wrote made visible', async () => {
  const terminal = { out: '', err: '' };
  const watched = run(['tail', '--url', admin.url], {
    env: { POSTERN_ADMIN_TOKEN: token },
    out: (text) => (terminal.out += text),
    err: (text) => (terminal.err += text),
    colours: true,
    terminal: seat,
    now: Date.now,
  });
  await expect.poll(() => terminal.err, patience).toContain('listening');
  await ask('/nothing');
  await ask('/status');
  await expect.poll(() => terminal.out.split('\n').length, patience).toBe(3);
  process.emit('SIGINT');
  expect(await watched).toBe(0);
  const [first = '', second = ''] = terminal.out.split('\n');
  expect(first).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} {2}\u001b\[33m404\u001b\[0m {2} +\d+\.\d ms {2}GET \(no row\) +- +127\.0\.0\.1 {2}\u001b\[2mroute_not_found/,
  );
  expect(second).toMatch(/\u001b\[31m502\u001b\[0m .*main GET \/status .*upstream_unreachable: /);
});
