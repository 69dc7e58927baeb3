/** By the admin API, where something is in the way: one line says what to do, and no token is made unseen. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { adminConfig, startAdmin } from '../fixtures/admin.ts';
import { startCuttingProxy } from '../fixtures/cutting-proxy.ts';
import { freePort } from '../fixtures/free-port.ts';
import { Terminal } from './terminal.ts';

const someToken = `postern_admin_${'0'.repeat(48)}`;

/** A terminal that has a token and no config. */
function remote(token = someToken): Terminal {
  const terminal = new Terminal('');
  terminal.env.POSTERN_ADMIN_TOKEN = token;
  return terminal;
}

async function opened() {
  const admin = await startAdmin(adminConfig, 'admin: { address: 127.0.0.1:0, hosts: [127.0.0.1] }');
  const proxy = await startCuttingProxy(admin.url);
  onTestFinished(async () => {
    await proxy.stop();
    await admin.gateway.stop();
  });
  const { token } = await admin.mint();
  const terminal = remote(token);
  const run = (...words: string[]) => terminal.here(...words, '--url', proxy.url);
  const projects = async () =>
    (await admin.ask('GET /v1/tokens?type=project', { token })).json.tokens as {
      id: string;
      state: string;
    }[];
  return { admin, proxy, terminal, run, projects };
}

const create = ['token', 'create', '--type', 'project', '--attribute', 'project=p'];

describe('an answer that is lost', () => {
  test.each(['drop', 'cut'] as const)('hides no token that was made: %s', async (fate) => {
    const { proxy, run, projects } = await opened();
    proxy.fates.push(fate);
    const told = await run(...create);
    const [one, ...others] = await projects();
    expect(others).toEqual([]);
    expect(told).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${one?.id} was made, and the answer with its text was lost on the way: nobody has it; make another in its place: token rotate ${one?.id} --overlap 0s, or end it: token revoke ${one?.id}\n`,
    });
    const keys = proxy.sent.map((text) => /^idempotency-key: (\S+)/im.exec(text)?.[1]);
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), keys[0]]);
    // What it says helps.
    const next = await run('token', 'rotate', String(one?.id), '--overlap', '0s');
    expect([next.code, next.stdout]).toEqual([0, expect.stringMatching(/^prj_/)]);
    expect((await projects()).map(({ state }) => state)).toEqual(['revoked', 'active']);
    expect(new Set(proxy.sent.map((text) => /^idempotency-key: (\S+)/im.exec(text)?.[1])).size).toBe(2);
  });

  test('of a rotation or a regeneration is told as well, and done once', async () => {
    const { proxy, run, projects } = await opened();
    const { id } = JSON.parse((await run(...create, '--json')).stdout);
    for (const words of [['token', 'rotate', id], create.with(1, 'regenerate')]) {
      proxy.fates.push('drop');
      const before = (await projects()).length;
      const told = await run(...words);
      expect(told).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('was lost on the way'),
      });
      expect(await projects()).toHaveLength(before + 1);
      expect(told.stderr).toContain(`token revoke ${(await projects()).at(-1)?.id}`);
    }
  });

  test('twice leaves one token, and what is known of it is told', async () => {
    const { proxy, run, projects } = await opened();
    proxy.fates.push('drop', 'cut');
    const told = await run(...create);
    expect(told).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: .* twice .*; look with token list.*\n$/),
    });
    expect(await projects()).toHaveLength(1);
    expect(proxy.sent).toHaveLength(2);
  });

  test('of any other change is no reason to do it again unseen', async () => {
    const { proxy, run, projects } = await opened();
    const { id } = JSON.parse((await run(...create, '--json')).stdout);
    proxy.fates.push('drop');
    const told = await run('token', 'revoke', id);
    expect(told).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('it may have been done; look before you try again'),
    });
    expect(proxy.sent).toHaveLength(2);
    expect((await projects())[0]?.state).toBe('revoked');
    proxy.fates.push('drop');
    expect((await run('token', 'list')).stderr).toMatch(
      /^error: http:.* does not answer .*; see that the gateway runs.*\n$/,
    );
  });

  test('and a store that cannot say whether it was written: asked once more, then left open', async () => {
    const heard: (string | undefined)[] = [];
    let statuses: number[] = [];
    const url = await answering((request, response) => {
      heard.push(String(request.headers['idempotency-key']));
      const status = statuses.shift() ?? 503;
      const code = { 401: 'invalid_token', 409: 'idempotency_key_in_use' }[status] ?? 'store_unavailable';
      const body = { code, detail: 'No.', status };
      response.writeHead(status, { 'Content-Type': 'application/problem+json', 'Retry-After': '0' });
      response.end(JSON.stringify(body));
    });
    for (const [said, asked] of [
      [[503, 503], 2],
      [[500, 401], 2],
      [[503, 409, 409, 503], 4],
      [[503, 409, 409, 409, 409, 409], 5],
    ] as const) {
      [heard.length, statuses] = [0, [...said]];
      const told = await remote().here(...create, '--url', url);
      expect(told).toMatchObject({ code: 1, stdout: '' });
      expect(told.stderr).toMatch(
        /^error: .* gave no answer twice \(\d+\): a token may have been made .*; look .*\n$/,
      );
      expect([heard.length, new Set(heard).size]).toEqual([asked, 1]);
    }
  });

  test('by a proxy that says so (502) is a lost answer too', async () => {
    const { admin, projects, terminal } = await opened();
    let count = 0;
    const url = await answering(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const got = await fetch(`${admin.url}${request.url}`, {
        method: 'POST',
        headers: ['authorization', 'content-type', 'idempotency-key'].map((name): [string, string] => [
          name,
          String(request.headers[name]),
        ]),
        body: Buffer.concat(chunks),
      });
      const text = await got.text();
      if (count++ === 0) response.writeHead(502).end('Bad Gateway');
      else response.writeHead(got.status, Object.fromEntries(got.headers)).end(text);
    });
    const told = await terminal.here(...create, '--url', url);
    expect(told.stderr).toContain('was lost on the way');
    expect([count, (await projects()).length]).toEqual([2, 1]);
  });
});

async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('who may not, or comes to the wrong door, is told what to do', () => {
  test('a token that is over, one that lacks a scope, too many bad ones', async () => {
    const { admin, terminal, run } = await opened();
    const [weak, dead] = [await admin.mint('tokens:read'), await admin.mint()];
    await admin.ask(`POST /v1/tokens/${dead.id}/revoke`, { body: {} });
    terminal.env.POSTERN_ADMIN_TOKEN = weak.token;
    expect(await run(...create)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: the token lacks the scope tokens:write; ask by one that has it: put another into POSTERN_ADMIN_TOKEN\n',
    });
    const higher = await run('token', 'revoke', (await admin.mint()).id);
    expect(higher.stderr).toMatch(/^error: the token lacks the scope tokens:write; .*\n$/);
    terminal.env.POSTERN_ADMIN_TOKEN = dead.token;
    expect(await run('token', 'list')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: the token is not valid; it may have ended: put another into POSTERN_ADMIN_TOKEN\n',
    });
    for (let count = 0; count < 24; count++)
      await admin.ask('GET /v1/whoami', { token: `${dead.token.slice(0, -1)}${count % 10}` });
    terminal.env.POSTERN_ADMIN_TOKEN = someToken;
    const late = await run('token', 'list');
    expect(late).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: too many bad tokens from this address; try again in [0-9]+ s\n$/,
      ),
    });
  });

  test('a store that is away', async () => {
    const url = await answering((_, response) => {
      const body = {
        type: 'about:blank',
        title: 'x',
        status: 503,
        detail: 'The store cannot be reached right now.',
        code: 'store_unavailable',
        instance: 'urn:uuid:1',
      };
      response
        .writeHead(503, { 'Content-Type': 'application/problem+json', 'Retry-After': '7' })
        .end(JSON.stringify(body));
    });
    expect((await remote().here('audit', 'list', '--url', url)).stderr).toBe(
      'error: the store cannot be reached right now; try again in 7 s\n',
    );
  });

  test('nobody there, and a redirect: the token is not sent after it', async () => {
    const port = await freePort();
    const gone = await remote().here(...create, '--url', `http://127.0.0.1:${port}`);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toMatch(
      /^error: http:\/\/127.0.0.1:\d+ does not answer \(ECONNREFUSED\); see that the gateway runs, .*\n$/,
    );
    let followed = 0;
    const elsewhere = await answering((_, response) => {
      followed++;
      response.end('{}');
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await answering((_, response) => {
        response.writeHead(status, { Location: elsewhere }).end();
      });
      const told = await remote().here(...create, '--url', url);
      expect(told).toMatchObject({ code: 1, stdout: '' });
      expect(told.stderr).toMatch(
        new RegExp(`^error: .* leads elsewhere \\(${status}\\), .*; give the address itself: --url\n$`),
      );
    }
    expect(followed).toBe(0);
  });

  test.each<[string, RequestListener, string]>([
    [
      'a page',
      (_, response) => void response.setHeader('Content-Type', 'text/html').end('<p>'),
      'answered 200, as no admin API does; ',
    ],
    [
      'nothing found',
      (_, response) => void response.writeHead(404).end(),
      'answered 404, as no admin API does; ',
    ],
    [
      'JSON of another kind',
      (_, response) => void response.setHeader('Content-Type', 'application/json').end('{"tokens":7}'),
      'answered what this command line cannot read; ',
    ],
    [
      'a list',
      (_, response) => void response.setHeader('Content-Type', 'application/json').end('[]'),
      'answered what this command line cannot read; ',
    ],
    [
      'words that move the cursor',
      (_, response) =>
        void response
          .writeHead(400, { 'Content-Type': 'application/problem+json' })
          .end('{"code":"x","detail":"\\u001b[2J"}'),
      '\\u{1b}[2J; ',
    ],
    [
      'half a page',
      (_, response) =>
        void response.writeHead(200, { 'Content-Length': 9 }).end('x', () => response.destroy()),
      'does not answer (',
    ],
  ])('another server: %s', async (_, listener, words) => {
    const told = await remote().here('token', 'list', '--url', await answering(listener));
    expect([told.code, told.stdout]).toEqual([1, '']);
    expect(told.stderr).toMatch(/^error: [^\n]+; [^\n]+\n$/);
    expect(told.stderr).toContain(words);
  });

  test('a newer gateway may say more than is known here', async () => {
    const url = await answering((_, response) => {
      response.setHeader('Content-Type', 'application/json').end('{"entries":[],"next":null,"more":1}');
    });
    const told = await remote().here('audit', 'list', '--json', '--url', url);
    expect(told).toMatchObject({ code: 0, stdout: '{"entries":[],"next":null,"more":1}\n' });
  });

  test('another Host than the listener knows', async () => {
    const admin = await startAdmin();
    const proxy = await startCuttingProxy(admin.url);
    onTestFinished(async () => {
      await proxy.stop();
      await admin.gateway.stop();
    });
    const told = await remote((await admin.mint()).token).here('token', 'list', '--url', proxy.url);
    expect(told.stderr).toMatch(/^error: this listener does not answer to that Host; write .* admin\.hosts/);
  });
});
