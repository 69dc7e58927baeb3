import { generateKeyPairSync } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deskConfig, Terminal } from './terminal.ts';

/** `diff` names its configs itself. */
function stand(before: string, after: string) {
  const terminal = new Terminal(before);
  terminal.write('new.yaml', after);
  return (...args: string[]) =>
    terminal.here('diff', terminal.path('gateway.config.yaml'), terminal.path('new.yaml'), ...args);
}

const wider = deskConfig
  .replace('rate: 600/1m', 'rate: 60/1m')
  .replace('GET /status: { allow: public }', 'GET /status: { allow: { user: any_scope } }')
  .replace('legacy: events:write }, limits', 'legacy: events:write, user: events:write }, limits');

describe('postern diff', () => {
  test('tells what opens first, then what closes', async () => {
    expect(await stand(deskConfig, wider)()).toEqual({
      code: 0,
      stdout: `opened     main POST /events  cell user     refused -> events:write
changed    main GET /status   credentials   pass -> strip
tightened  main POST /events  limit ingest  600/1m per token, local -> 60/1m per token, local
closed     main GET /status   cell nobody   public -> refused
closed     main GET /status   cell project  public -> refused
closed     main GET /status   cell legacy   public -> refused
`,
      stderr: '',
    });
  });

  test('says so where nothing changes for callers', async () => {
    const same = `# a comment\n${deskConfig.replace('{ user: events:read | events:write }', '{ user: events:write | events:read }')}`;
    expect((await stand(deskConfig, same)()).stdout).toBe('nothing changes for callers\n');
  });

  test('has a shape that scripts can read', async () => {
    const { stdout } = await stand(deskConfig, wider)('--json');
    expect(JSON.parse(stdout).changes[0]).toEqual({
      verdict: 'opened',
      row: 'main POST /events',
      what: 'cell user',
      from: 'refused',
      to: 'events:write',
    });
  });

  test('--strict is 1 where anything opens or cannot be judged, and 0 where it only closes', async () => {
    expect((await stand(deskConfig, wider)('--strict')).code).toBe(1);
    const closed = deskConfig.replace('project: events:write, legacy: events:write', 'project: events:write');
    expect((await stand(deskConfig, closed)('--strict')).code).toBe(0);
  });

  test('tells of an upstream that moved, and never of what may hold a password', async () => {
    const moved = deskConfig
      .replace('127.0.0.1:9001', '127.0.0.1:9009')
      .replace('version: 1', 'version: 1\nstore: { url: "sqlite:./other.db" }');
    const { stdout } = await stand(deskConfig, moved)();
    expect(stdout).toMatch(/^changed {2}- {2}upstream app .*9001.* -> .*9009/m);
    expect(stdout).toMatch(/^changed {2}- {2}store +… -> …$/m);
  });

  test('tells which way the trusted proxies went', async () => {
    const trusting = (networks: string) =>
      deskConfig.replace('version: 1', `version: 1\nlisten: { trusted_proxies: [${networks}] }`);
    const { stdout } = await stand(trusting('10.0.0.0/8'), trusting('10.0.0.0/8, 192.0.2.1/32'))();
    expect(stdout).toBe('loosened  -  trusted proxies  10.0.0.0/8 -> 10.0.0.0/8 192.0.2.1/32\n');
    expect((await stand(trusting('10.0.0.0/8'), deskConfig)()).stdout).toBe(
      'tightened  -  trusted proxies  10.0.0.0/8 -> none\n',
    );
  });

  test('tells that the signing key is another, and of neither key more', async () => {
    const [one, other] = [0, 1].map(() =>
      generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    );
    const config = (key: string) =>
      deskConfig.replace('identity:\n', `identity:\n  assertion: { key: { file: ./${key}.pem } }\n`);
    const terminal = new Terminal(config('one'));
    terminal.write('new.yaml', config('other'));
    for (const [name, pem = ''] of Object.entries({ one, other })) {
      terminal.write(`${name}.pem`, pem);
      chmodSync(terminal.path(`${name}.pem`), 0o600);
    }
    const { stdout } = await terminal.spawn('diff', 'gateway.config.yaml', 'new.yaml');
    expect(stdout).toBe('changed  -  signing keys  … -> …\n');
  });

  test('a config with problems is 78, with every problem', async () => {
    const told = await stand(deskConfig, deskConfig.replace('to: app', 'to: nowhere'))();
    expect(told.code).toBe(78);
    expect(told.stderr).toContain('new.yaml:20:9: apis.main.to: unknown upstream "nowhere"');
  });
});
