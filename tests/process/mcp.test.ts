/** `postern mcp` as a process: what is on its pipes, how it ends, and who else loads what it needs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Terminal } from '../admin/terminal.ts';
import { configFile, runPostern, startPostern } from '../fixtures/process.ts';

const start = resolve(import.meta.dirname, '../../gateway/start.cjs');
const config = `upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types: { project: { prefix: prj_, scopes: [events:write] } }
scopes: { events:write: Send events }
apis: { main: { to: app, routes: { POST /events: { allow: { project: events:write } } } } }
`;

function launched(...args: readonly string[]) {
  const file = configFile(config);
  onTestFinished(file.remove);
  const child = spawn(process.execPath, [start, 'mcp', '--config', file.path, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const send = (...messages: readonly object[]) =>
    void child.stdin.write(messages.map((one) => `${JSON.stringify({ jsonrpc: '2.0', ...one })}\n`).join(''));
  const answers = () =>
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { file, child, send, answers, stderr: () => stderr };
}

const hello = {
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '0' } },
};
const ready = { method: 'notifications/initialized' };
const call = (id: number, name: string, args: object = {}) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

async function endOf(child: ChildProcess) {
  const [code, signal] = await once(child, 'close');
  return [code, signal];
}

describe('postern mcp', () => {
  test('answers all it was asked before its client went, one message a line, and ends well', async () => {
    const { child, send, answers, stderr, file } = launched('--allow', 'read,apply', '--reveal');
    send(hello, ready, call(2, 'create_project_token', { label: 'x' }), call(3, 'list_tokens'));
    child.stdin.end();
    expect(await endOf(child)).toEqual([0, null]);
    const [first, made, listed] = answers();
    expect(first).toMatchObject({
      id: 1,
      result: { serverInfo: { name: 'postern' }, capabilities: { tools: {} } },
    });
    expect([made.id, listed.id, answers().length]).toEqual([2, 3, 3]);
    expect(listed.result.structuredContent.tokens).toEqual([made.result.structuredContent.token]);
    expect(stderr()).toBe('');
    // Nobody holds the database any more: what was written beside it is in it.
    expect(readFileSync(file.database).length).toBeGreaterThan(4096);
  });

  test('ends on SIGTERM too, and a line that is no message stops nothing and is not repeated', async () => {
    const { child, send, answers, stderr } = launched();
    child.stdin.write('prj_SECRET\n{"jsonrpc":"1.0","id":"prj_SECRET"}\n');
    send(hello, ready, { id: 2, method: 'ping' });
    while (answers().length < 2) await once(child.stdout, 'data');
    expect(answers()[1]).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
    child.kill('SIGTERM');
    expect(await endOf(child)).toEqual([0, null]);
    expect(stderr().split('\n').slice(0, 2)).toEqual([
      'a message was not understood (SyntaxError)',
      'a message was not understood (ZodError)',
    ]);
    expect(stderr()).not.toContain('SECRET');
  });

  test('is a usage error where its words make no sense, and 78 where the config is wrong', async () => {
    const terminal = new Terminal();
    for (const [words, said] of [
      [['--allow', 'write'], '"write" is not what may be allowed; write read,propose,apply or some of them'],
      [['--allow', ''], '"" is not what may be allowed'],
      [['--attribute', 'tenant=a'], 'no token type has the attribute "tenant"; write name=value'],
      [['--attribute', 'team'], 'no token type has the attribute ""'],
      [
        ['--reveal', '--secrets-to', 'x'],
        "option '--secrets-to <folder>' cannot be used with option '--reveal'",
      ],
    ] as const) {
      const told = await terminal.run('mcp', ...words);
      expect([told.code, told.stdout]).toEqual([2, '']);
      expect(told.stderr).toContain(said);
    }
    expect(await new Terminal('version: 2\n').run('mcp')).toMatchObject({ code: 78, stdout: '' });
  });
});

describe('what speaks MCP', () => {
  // Says at the end which packages and which files of its own were loaded: a hook of the tests, before the program.
  const hook = `data:text/javascript,${encodeURIComponent(`
    import { registerHooks } from 'node:module';
    import { writeSync } from 'node:fs';
    const loaded = new Set();
    registerHooks({
      resolve: (name, context, next) => {
        const found = next(name, context);
        loaded.add(/node_modules.((?:@[^/]+.)?[^/]+)/.exec(found.url)?.[1] ?? found.url.split('/').at(-1));
        return found;
      },
    });
    process.on('exit', () => writeSync(2, '\\nloaded ' + [...loaded].join(' ') + '\\n'));
  `)}`;
  const env = { NODE_OPTIONS: `--import ${hook}` };
  /** By the process and its threads. */
  const loadedBy = (stderr: string): readonly string[] =>
    [...stderr.matchAll(/^loaded (.*)$/gm)].flatMap(([, names = '']) => names.split(' '));
  const speaks = /^(?:@modelcontextprotocol\/sdk|zod|ajv|mcp-.*\.ts)$/;

  test('is not loaded by serve, nor by a command', async () => {
    const file = configFile(config);
    onTestFinished(file.remove);
    const gateway = await startPostern(file.path, [], env);
    onTestFinished(gateway.kill);
    await (await fetch(`${gateway.health}/livez`)).text();
    gateway.signal('SIGTERM');
    await gateway.exited;
    const listed = await runPostern(['token', 'list', '--config', file.path], process.execPath, env);
    for (const stderr of [gateway.stderr(), listed.stderr]) {
      expect(loadedBy(stderr).length).toBeGreaterThan(50);
      expect(loadedBy(stderr).filter((name) => speaks.test(name))).toEqual([]);
      // Nor what traces, where nothing is traced.
      const traces = /^(?:@opentelemetry\/(?!api$).*|trace-export\.ts)$/;
      expect(loadedBy(stderr).filter((name) => traces.test(name))).toEqual([]);
    }
    const mcp = await runPostern(['mcp', '--config', file.path], process.execPath, env);
    expect(mcp.code).toBe(0);
    const loaded = loadedBy(mcp.stderr);
    expect(loaded.filter((name) => speaks.test(name))).toContain('@modelcontextprotocol/sdk');
    // Of all that comes with the package, no web server.
    expect(loaded.filter((name) => /^(?:express|cors|hono|@hono\/node-server)$/.test(name))).toEqual([]);
  });

  test('is loaded by serve when somebody with a right token asks for it, and not before', async () => {
    const file = configFile(config, { head: 'admin: { address: 127.0.0.1:0, mcp: true }' });
    onTestFinished(file.remove);
    const loadedAfter = async (token: (bootstrapFile: string) => string) => {
      const gateway = await startPostern(file.path, [], env);
      onTestFinished(gateway.kill);
      const { admin, bootstrap_token_file: bootstrapFile } = JSON.parse(gateway.readyLine);
      const headers = {
        Authorization: `Bearer ${token(bootstrapFile)}`,
        Accept: 'application/json, text/event-stream',
        'Content-Type': 'application/json',
      };
      const body = JSON.stringify({ jsonrpc: '2.0', ...hello });
      const { status } = await fetch(`${admin}/mcp`, { method: 'POST', headers, body });
      gateway.signal('SIGTERM');
      await gateway.exited;
      return { status, loaded: loadedBy(gateway.stderr()) };
    };
    let first = '';
    const stranger = await loadedAfter((bootstrapFile) => {
      first = readFileSync(bootstrapFile, 'utf8').trimEnd();
      return `postern_admin_${'0'.repeat(48)}`;
    });
    expect([stranger.status, stranger.loaded.filter((name) => speaks.test(name))]).toEqual([401, []]);
    const operator = await loadedAfter(() => first);
    expect([operator.status, operator.loaded.filter((name) => speaks.test(name))]).toEqual([
      200,
      expect.arrayContaining(['@modelcontextprotocol/sdk', 'mcp-server.ts']),
    ]);
    expect(operator.loaded.filter((name) => /^(?:express|cors|ajv)$/.test(name))).toEqual(['ajv']);
  });
});
