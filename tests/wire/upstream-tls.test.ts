/** An upstream behind TLS: whose certificate it must have is the config's word, never a caller's. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGateway } from '../fixtures/gateway.ts';
import { localhostCert, localhostKey } from '../fixtures/localhost-tls.ts';
import { sendRaw } from '../fixtures/raw.ts';

const trusted = getCACertificates('default');
/** Names that were asked for, one for each connection. */
const asked: string[] = [];
let servers: Server[];

async function startTls(): Promise<Server> {
  const server = createServer({
    cert: localhostCert,
    key: localhostKey,
    SNICallback: (name, done) => {
      asked.push(name);
      done(null);
    },
  });
  server.on('request', (req, res) => res.end(`called by ${req.headers.host}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

beforeAll(async () => {
  setDefaultCACertificates([localhostCert]);
  servers = await Promise.all([startTls(), startTls()]);
});
afterAll(() => {
  setDefaultCACertificates(trusted);
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

test('a Host that is passed on names no certificate, ends no connection and takes no url out', async () => {
  const urls = servers.map((server) => `https://localhost:${(server.address() as AddressInfo).port}`);
  const gate = await startTestGateway(`
upstreams: { app: { url: [${urls.join(', ')}], preserve_host: true } }
apis: { main: { to: app, routes: { GET /a: { allow: public } } } }
`);
  const hosts = ['localhost', ...Array<string>(8).fill('evil.test'), '127.0.0.1', 'localhost'];
  const answers: string[] = [];
  for (const host of hosts) {
    const { text } = await sendRaw(
      gate.port,
      `GET /a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    answers.push(text.slice(text.indexOf('\r\n\r\n') + 4));
  }
  await gate.stop();
  expect(answers).toEqual(hosts.map((host) => `called by ${host}`));
  expect(asked).toEqual(['localhost', 'localhost']);
  expect(gate.lines.filter(({ event }) => event === 'upstream_down')).toEqual([]);
});
