/** SIGHUP: the new config whole or the old one kept, and never an answer that belongs to neither. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeepAlive } from '../fixtures/keep-alive.ts';
import {
  type ConfigFile,
  configFile,
  metricOf,
  type PosternProcess,
  startPostern,
} from '../fixtures/process.ts';
import { startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

let upstream: UpstreamFixture;
let file: ConfigFile;
let gateway: PosternProcess;
beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answer = (_req, res) => void res.end('ok');
  file = configFile(withRow('/one'));
  gateway = await startPostern(file.path);
});
afterAll(async () => {
  await gateway.kill();
  file.remove();
  await upstream.stop();
});

/** `idle` makes the upstream another one, so that its connections are replaced too. */
const withRow = (path: string, idle = '60s') => `
upstreams:
  app: { url: ${upstream.url}, timeout: { connect: 1s, first_byte: 10s, idle: ${idle} } }
apis:
  main:
    to: app
    routes:
      GET ${path}: { allow: public }
      GET /always: { allow: public }
`;

async function reload(event: 'config_reloaded' | 'config_reload_failed') {
  const from = gateway.lines.length;
  gateway.signal('SIGHUP');
  return gateway.line(event, from);
}

async function readiness() {
  const response = await fetch(`${gateway.health}/readyz`);
  const state = (await response.json()) as {
    config: string;
    checks: { reload: { ok: boolean; reason: string } };
  };
  return { status: response.status, config: state.config, reload: state.checks.reload };
}

test('a good config is in force for the next request of an open connection', async () => {
  const client = new KeepAlive(gateway.port);
  expect((await client.get('/two')).status).toBe(404);
  file.write(withRow('/two'));
  const { version } = await reload('config_reloaded');
  expect((await client.get('/two')).status).toBe(200);
  expect((await client.get('/one')).status).toBe(404);
  expect(client.opened).toBe(1);
  client.close();
  expect(await readiness()).toEqual({ status: 200, config: version, reload: { ok: true, reason: null } });
});

test('a broken config is refused: the old one stays, and log, readiness and metrics say why', async () => {
  const client = new KeepAlive(gateway.port);
  const before = await readiness();
  const failures = await metricOf(gateway.health, 'postern_config_reloads_total');
  file.write(withRow('/three').replace('allow: public', 'alow: public'));
  const line = await reload('config_reload_failed');
  expect(line).toMatchObject({
    kept: before.config,
    problem: expect.stringMatching(/yaml:[0-9]+:[0-9]+: .*alow/),
  });
  expect((await client.get('/two')).status).toBe(200);
  client.close();
  expect(await readiness()).toEqual({
    status: 200,
    config: before.config,
    reload: { ok: false, reason: line.problem },
  });
  expect(await metricOf(gateway.health, 'postern_config_reloads_total')).toBe(failures + 1);

  file.writeWhole('{ this is not: yaml');
  expect(await reload('config_reload_failed')).toMatchObject({ kept: before.config });
  file.write(withRow('/two'));
  await reload('config_reloaded');
  expect((await readiness()).reload).toEqual({ ok: true, reason: null });
});

test('a change that needs a restart is refused by the name of its key', async () => {
  file.writeWhole(`version: 1\nlisten: { address: 127.0.0.1:0, max: { body: 1MiB } }
health: { address: 127.0.0.1:0 }\nstore: { url: "sqlite:./data/other.db" }\n${withRow('/four')}`);
  const line = await reload('config_reload_failed');
  expect(line.problem).toBe('restart needed: listen, store');
  expect((await fetch(`${gateway.url}/two`)).status).toBe(200);
  expect((await fetch(`${gateway.url}/four`)).status).toBe(404);
  file.write(withRow('/two'));
  await reload('config_reloaded');
});

test('twenty reloads under load: every answer is of the old config or the new one', async () => {
  let done = false;
  const seen = new Map<string, number>();
  const client = async (path: string): Promise<void> => {
    const connection = new KeepAlive(gateway.port);
    while (!done) {
      const { status } = await connection.get(path);
      seen.set(`${path} ${status}`, (seen.get(`${path} ${status}`) ?? 0) + 1);
    }
    expect(connection.opened).toBe(1);
    connection.close();
  };
  const clients = ['/even', '/odd', '/always', '/always'].map(client);
  for (let round = 0; round < 20; round++) {
    file.write(withRow(round % 2 === 0 ? '/even' : '/odd', `${60 + round}s`));
    await reload('config_reloaded');
  }
  done = true;
  await Promise.all(clients);
  expect([...seen.keys()].sort()).toEqual(['/always 200', '/even 200', '/even 404', '/odd 200', '/odd 404']);
});

test('--watch reloads by itself once a change has stood for a second', async () => {
  const own = configFile(withRow('/one'));
  const watching = await startPostern(own.path, ['--watch']);
  const client = new KeepAlive(watching.port);
  own.write(withRow('/three'));
  await watching.line('config_reloaded');
  const status = (await client.get('/three')).status;
  await watching.kill();
  own.remove();
  expect(status).toBe(200);
});
