import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deskConfig, Terminal } from './terminal.ts';

describe('postern explain', () => {
  test('shows the steps, what the upstream is told, and the verdict last', async () => {
    expect(await new Terminal().spawn('explain', 'POST', '/events', '--as', 'project', '--table')).toEqual({
      code: 0,
      stdout: `✓ caller      a made-up token of type project; scopes: events:write; project: fixture (filled in)
✓ request     POST /events at host localhost
✓ row set     rows of this path: 2
✓ method      row main POST /events
✓ credential  read as project from bearer
✓ state       passed
✓ type        passed
✓ scopes      passed
✓ csrf        passed
✓ bind        passed
✓ origin      passed
✓ address     passed
✓ limits      1 counted
✓ body        within the cap
→ X-Postern-Type:     project
→ X-Postern-Project:  fixture
forwarded to app (row main POST /events)
`,
      stderr: '',
    });
  });

  test('of a refusal is an explanation too: the code is 0', async () => {
    const told = await new Terminal().run(
      ...['explain', 'GET', '/projects/p9', '--as', 'user:events:read'],
      ...['--attribute', 'projects=p1', '--attribute', 'projects=p2'],
    );
    expect(told).toEqual({
      code: 0,
      stdout: `✓ caller      a made-up token of type user; scopes: events:read; projects: p1, p2
✓ request     GET /projects/p9 at host localhost
✓ row set     rows of this path: 1
✓ method      row main GET /projects/{project}
✓ credential  read as user from bearer
✓ state       passed
✓ type        passed
✓ scopes      passed
✓ csrf        passed
✗ bind        {project} is not the token's projects
refused: 403 bind_mismatch (row main GET /projects/{project})
`,
      stderr: '',
    });
  });

  test('reads a body from a file, and takes what is pinned from the line', async () => {
    const terminal = new Terminal(
      deskConfig
        .replace('legacy: events:write }, limits: [ingest] }', 'legacy: events:write }, pins: [app] }')
        .concat(
          'pins: { app: { kind: bundle_id, from: json:/app_id, first_use: pin, belongs_to: token, when_missing: deny } }\n',
        ),
    );
    const file = fileURLToPath(import.meta.url);
    const asked = ['explain', 'POST', '/events', '--as', 'project', '--body-file'];
    expect((await terminal.run(...asked, file)).stdout).toContain(
      '✗ body        not JSON as it may be here: no JSON value',
    );
    const body = join(mkdtempSync(join(tmpdir(), 'postern-explain-')), 'body.json');
    writeFileSync(body, '{"app_id":"com.acme"}');
    onTestFinished(() => rmSync(dirname(body), { recursive: true }));
    const first = await terminal.run(...asked, body);
    expect(first.stdout).toContain(
      '✓ body        21 bytes of JSON\n✓ pin app     first use: pinned by this request\n',
    );
    const other = await terminal.run(...asked, body, '--pinned', 'app=com.other');
    expect(other.stdout).toContain(
      '✗ pin app     pin app: another id is pinned\nrefused: 403 bundle_mismatch',
    );
    expect(await terminal.run(...asked, '/nowhere/body.json')).toMatchObject({ code: 2, stdout: '' });
    expect(await terminal.run(...asked, body, '--pinned', 'app')).toMatchObject({ code: 2, stdout: '' });
  });

  test('takes the address of the caller, the origins of the token, and the count of the request', async () => {
    const terminal = new Terminal(
      deskConfig
        .replace('POST /events: {', 'POST /events: { pins: [office],')
        .concat('pins: { office: { kind: cidr, allow: [203.0.113.0/24] } }\n'),
    );
    const ask = async (...words: readonly string[]) => {
      const told = await terminal.run('explain', 'POST', '/events', '--as', 'project', ...words);
      return told.code === 0 ? told.stdout.trim().split('\n').at(-1) : told.stderr;
    };
    const office = ['--from', '203.0.113.9'];
    expect(await ask()).toBe('refused: 403 address_not_allowed (row main POST /events)');
    expect(await ask(...office)).toBe('forwarded to app (row main POST /events)');
    expect(await ask(...office, '--nth', '600')).toBe('forwarded to app (row main POST /events)');
    expect(await ask(...office, '--nth', '601')).toBe('refused: 429 rate_limited (row main POST /events)');
    const pinned = [...office, '--origin', 'https://a.example', '--origin', 'https://b.example'];
    expect(await ask(...pinned)).toBe('refused: 403 origin_not_allowed (row main POST /events)');
    expect(await ask(...pinned, '--header', 'Origin: https://b.example')).toContain('forwarded to app');
    expect(await ask('--nth', '0')).toBe('error: "0" is no count; write a number from 1 to 1000000000\n');
    expect(await ask('--from', 'home')).toContain('error: not an address "home"; write one address:');
  });

  test('has the shape that scripts rely on', async () => {
    const told = await new Terminal().run('explain', 'GET', '/events', '--json', '--header', 'Host: a.b');
    expect(told.code).toBe(0);
    expect(Object.keys(JSON.parse(told.stdout))).toEqual([
      ...['outcome', 'status', 'code', 'row', 'upstream', 'identity', 'steps'],
    ]);
    expect(JSON.parse(told.stdout)).toMatchObject({
      outcome: 'refuse',
      status: 401,
      code: 'credential_missing',
      row: 'main GET /events',
      steps: expect.arrayContaining([{ step: 'request', ok: true, detail: 'GET /events at host a.b' }]),
    });
  });

  test.each([
    ['usr', 'unknown token type "usr"; did you mean "user"?'],
    [
      'user:events:raed',
      'no token of type user can hold the scope "events:raed"; did you mean "events:read"?',
    ],
  ])('does not guess what --as %s means: the code is 2', async (as, words) => {
    expect(await new Terminal().run('explain', 'GET', '/events', '--as', as, '--json')).toEqual({
      code: 2,
      stdout: '',
      stderr: `error: ${words}\n`,
    });
  });
});
