/** `postern login|whoami|logout`: whose token goes where, and what is kept of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import type { Seat } from '../../gateway/admin/cli-shell.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { deskConfig, Terminal } from './terminal.ts';

const startScript = fileURLToPath(new URL('../../gateway/start.cjs', import.meta.url));

let admin: AdminFixture;
let token: string;
let id: string;
beforeAll(async () => {
  admin = await startAdmin();
  ({ id, token } = await admin.mint('tokens:read', 'config:read'));
});
afterAll(() => admin.gateway.stop());

/** Runs a line with this on stdin. */
async function piped(terminal: Terminal, text: string, words: readonly string[], seat: Partial<Seat> = {}) {
  let stdout = '';
  let stderr = '';
  const code = await run(words, {
    env: { HOME: terminal.folder, ...terminal.env },
    out: (more) => (stdout += more),
    err: (more) => (stderr += more),
    colours: false,
    terminal: { out: true, err: true, ask: null, ...seat },
    stdin: async function* () {
      yield Buffer.from(text);
    },
    now: Date.now,
  });
  return { code, stdout, stderr };
}

const fileOf = (terminal: Terminal) => terminal.path('.config/postern/login.json');

async function loggedIn(): Promise<Terminal> {
  const terminal = new Terminal('');
  await piped(terminal, `${token}\n`, ['login', '--url', admin.url]);
  return terminal;
}

describe('postern login', () => {
  test('keeps the address and the token, for this user alone', async () => {
    const terminal = new Terminal('');
    const told = await piped(terminal, ` ${token}\r\nmore\n`, ['login', '--url', `${admin.url}/`]);
    expect(told).toEqual({
      code: 0,
      stdout: `logged in at ${admin.url} as ${id} "admin", until it is revoked\n`,
      stderr: '',
    });
    expect(JSON.parse(readFileSync(fileOf(terminal), 'utf8'))).toEqual({ url: admin.url, token });
    expect(statSync(fileOf(terminal)).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(fileOf(terminal))).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(fileOf(terminal)))).toEqual(['login.json']);
  });

  test('is under XDG_CONFIG_HOME where that is a folder by its whole path', async () => {
    const terminal = new Terminal('');
    terminal.env.XDG_CONFIG_HOME = terminal.path('xdg');
    await piped(terminal, token, ['login', '--url', admin.url]);
    expect(existsSync(terminal.path('xdg/postern/login.json'))).toBe(true);
    terminal.env.XDG_CONFIG_HOME = 'relative';
    await piped(terminal, token, ['login', '--url', admin.url]);
    expect(existsSync(fileOf(terminal))).toBe(true);
  });

  test('asks on a terminal, and the token is on no stream', async () => {
    const terminal = new Terminal('');
    const asked: string[] = [];
    const askSecret = async (question: string) => {
      asked.push(question);
      return token;
    };
    const told = await piped(terminal, '', ['login', '--url', admin.url, '--json'], { askSecret });
    expect(asked).toEqual([`admin token for ${admin.url} (not shown): `]);
    expect(JSON.parse(told.stdout)).toMatchObject({ url: admin.url, from: 'login', id });
    expect(told.stdout + told.stderr).not.toContain(token);
  });

  test.skipIf(!existsSync('/usr/bin/script'))(
    'on a real terminal shows nothing of what is typed',
    async () => {
      const terminal = new Terminal('');
      const line = `${process.execPath} ${startScript} login --url ${admin.url}`;
      const env = { ...process.env, HOME: terminal.folder, SHELL: '/bin/sh' };
      const child = spawn('/usr/bin/script', ['-qec', line, '/dev/null'], { env, cwd: terminal.folder });
      let seen = '';
      for await (const chunk of child.stdout) {
        seen += chunk;
        // One letter too many, taken back.
        if (seen.endsWith('(not shown): ')) child.stdin.write(`${token}x\u007f\r`);
      }
      expect(seen).toContain(`logged in at ${admin.url} as ${id}`);
      expect(seen).not.toContain(token.slice(14, 24));
      expect(JSON.parse(readFileSync(fileOf(terminal), 'utf8'))).toEqual({ url: admin.url, token });
    },
  );

  test.each([
    ['', 2, 'no admin token came by stdin; '],
    ['prj_SECRET', 2, 'no admin token came by stdin; '],
    [`postern_admin_${'0'.repeat(48)}`, 1, 'the token is not valid; it may have ended: postern login --url '],
  ])('keeps nothing of %j', async (text, code, words) => {
    const terminal = new Terminal('');
    const told = await piped(terminal, text, ['login', '--url', admin.url]);
    expect(told).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(`error: ${words}`) });
    expect(told.stderr).not.toMatch(/SECRET|000/);
    expect(existsSync(terminal.path('.config'))).toBe(false);
  });

  test('takes no token as a word, and does not repeat one', async () => {
    const terminal = new Terminal('');
    for (const words of [
      ['login', token],
      ['login', '--token', token],
      [token],
      ['token', token],
      ['token', 'show', token],
      ['login', `--token=${token}`],
      ['whoami', '--url', token],
    ]) {
      const told = await piped(terminal, '', words);
      expect([told.code, told.stdout]).toEqual([2, '']);
      expect(told.stderr).toMatch(/^error: [^\n]+; [^\n]+\n$/);
      expect(told.stderr).not.toContain(token.slice(20));
    }
  });

  test('must be told where, and goes over http to this host alone unless told', async () => {
    const terminal = new Terminal('');
    expect(await piped(terminal, token, ['login'])).toMatchObject({
      code: 2,
      stderr: 'error: not said where; add --url http://127.0.0.1:8081\n',
    });
    expect(await piped(terminal, token, ['login', '--url', 'http://other.example'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('use https, or say --insecure-http'),
    });
    terminal.env.POSTERN_URL = admin.url;
    expect((await piped(terminal, token, ['login', '--insecure-http'])).code).toBe(0);
    expect(JSON.parse(readFileSync(fileOf(terminal), 'utf8'))).toMatchObject({ insecure_http: true });
  });
});

describe('who is asked', () => {
  /** Whether a line, run in the folder, reached the gateway: its list has the admin's tokens. */
  const asks = async (terminal: Terminal, ...words: string[]) => {
    const { code, stdout, stderr } = await terminal.spawn('token', 'list', ...words);
    if (code !== 0) return stderr;
    return stdout.includes(id) ? 'the gateway' : 'the store';
  };

  test('--config, --url, POSTERN_URL, a config in the folder, the login: the first that is there', async () => {
    const terminal = await loggedIn();
    rmSync(terminal.path('gateway.config.yaml'));
    const config = terminal.write('other.yaml', deskConfig);
    expect(await asks(terminal)).toBe('the gateway');
    expect(await asks(terminal, '--config', config)).toBe('the store');
    terminal.write('gateway.config.yaml', deskConfig);
    expect(await asks(terminal)).toBe('the store');
    expect(await asks(terminal, '--url', admin.url)).toBe('the gateway');
    terminal.env.POSTERN_URL = admin.url;
    expect(await asks(terminal)).toBe('the gateway');
    expect(await asks(terminal, '--config', config)).toBe('the store');
    terminal.env.POSTERN_URL = 'http://127.0.0.1:9';
    expect(await asks(terminal)).toMatch(/^error: there is no admin token for http:\/\/127\.0\.0\.1:9; /);
  });

  test('without any, what is missing is told, and both ways to say it', async () => {
    const terminal = new Terminal('');
    rmSync(terminal.path('gateway.config.yaml'));
    expect(await terminal.spawn('token', 'list')).toMatchObject({
      code: 78,
      stderr:
        'error: there is no gateway.config.yaml in this folder, and nobody is logged in; say where: --config FILE, or the gateway that runs, --url URL\n',
    });
  });

  test('is said on a terminal where the line does not say it', async () => {
    const terminal = await loggedIn();
    // This test's own folder has a config.
    expect((await piped(terminal, '', ['matrix'])).stderr).toBe(
      'beside gateway.config.yaml, and not where login is\n',
    );
    expect((await piped(new Terminal(''), '', ['matrix'])).stderr).toBe('');
    terminal.env.POSTERN_URL = admin.url;
    expect((await piped(terminal, '', ['token', 'list'])).stderr).toBe(`asking ${admin.url}\n`);
    expect((await piped(terminal, '', ['token', 'list', '--url', admin.url])).stderr).toBe('');
    expect((await piped(terminal, '', ['token', 'list'], { err: false })).stderr).toBe('');
  });

  test('the token of the environment comes before the one that is kept', async () => {
    const terminal = await loggedIn();
    const other = await admin.mint('audit:read');
    terminal.env.POSTERN_ADMIN_TOKEN = other.token;
    const told = await terminal.here('whoami', '--json');
    expect(JSON.parse(told.stdout)).toMatchObject({ url: admin.url, from: 'environment', id: other.id });
  });

  test('the kept token goes to its own address alone', async () => {
    const terminal = await loggedIn();
    let heard = '';
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        heard += chunk;
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    for (const url of [`http://127.0.0.1:${port}`, admin.url.replace('127.0.0.1', 'localhost')]) {
      const told = await terminal.here('token', 'list', '--url', url);
      expect(told).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: there is no admin token for /),
      });
    }
    expect(heard).toBe('');
  });
});

describe('the file of the login', () => {
  const told = (terminal: Terminal) => terminal.here('whoami');

  test('that others can read is not read', async () => {
    const terminal = await loggedIn();
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      chmodSync(fileOf(terminal), mode);
      const { code, stderr } = await told(terminal);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/ can be read by others, .*; revoke that one, .*\n$/),
      ]);
    }
    chmodSync(fileOf(terminal), 0o400);
    expect((await told(terminal)).code).toBe(0);
  });

  test('is no link, and holds what login writes', async () => {
    const terminal = await loggedIn();
    writeFileSync(terminal.path('elsewhere'), readFileSync(fileOf(terminal)), { mode: 0o600 });
    rmSync(fileOf(terminal));
    symlinkSync(terminal.path('elsewhere'), fileOf(terminal));
    expect((await told(terminal)).stderr).toMatch(
      / cannot be read \(ELOOP\); remove it, then postern login\n$/,
    );
    rmSync(fileOf(terminal));
    for (const text of [
      '',
      '{',
      '[]',
      '{"url":"http://127.0.0.1"}',
      '{"url":"http://127.0.0.1","token":"prj_SECRET"}',
    ]) {
      writeFileSync(fileOf(terminal), text, { mode: 0o600 });
      const { code, stderr } = await told(terminal);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/ is not what postern login writes; postern login writes it anew\n$/),
      ]);
      expect(stderr).not.toContain('SECRET');
    }
    const again = await piped(terminal, token, ['login', '--url', admin.url]);
    expect(again.code).toBe(0);
    expect((await told(terminal)).code).toBe(0);
  });

  test('that cannot be written is told, and nothing is left', async () => {
    const terminal = new Terminal('');
    writeFileSync(terminal.path('.config'), '');
    const { code, stderr } = await piped(terminal, token, ['login', '--url', admin.url]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/ cannot be written \(\w+\); set XDG_CONFIG_HOME to a folder of yours\n$/),
    ]);
    expect(stderr).not.toContain(token);
  });
});

describe('postern whoami and logout', () => {
  test('say where, who, what it may and until when, and forget it', async () => {
    const terminal = await loggedIn();
    const { code, stdout } = await terminal.here('whoami');
    expect([code, stdout]).toEqual([
      0,
      `gateway  ${admin.url}\ntoken    ${id} "admin"\nfrom     postern login\nscopes   tokens:read config:read\nexpires  never\n`,
    ]);
    expect(await terminal.here('logout')).toEqual({ code: 0, stdout: 'logged out\n', stderr: '' });
    expect(existsSync(fileOf(terminal))).toBe(false);
    expect(await terminal.here('logout')).toMatchObject({ code: 0, stdout: 'nobody was logged in\n' });
    expect(await terminal.here('whoami')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: nobody is logged in; postern login --url URL\n',
    });
    expect((await admin.ask('GET /v1/whoami', { token })).status).toBe(200);
  });
});
