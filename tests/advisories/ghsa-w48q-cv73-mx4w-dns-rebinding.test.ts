/**
 * GHSA-w48q-cv73-mx4w (MCP TypeScript SDK), CVE-2018-7160 and CVE-2022-32212 (Node's inspector): a page in a browser on
 * this host reaches a listener on 127.0.0.1 under a name of its own that points there.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { strangerFlaw } from '../../gateway/admin/http-guard.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { sendRaw } from '../fixtures/raw.ts';

let admin: AdminFixture;
let port: number;
let token: string;
beforeAll(async () => {
  admin = await startAdmin(undefined, 'admin: { address: 127.0.0.1:0, hosts: [Gate.example] }');
  port = Number(new URL(admin.url).port);
  ({ token } = await admin.mint());
});
afterAll(() => admin.gateway.stop());

async function statusOf(...fields: readonly string[]): Promise<number> {
  const lines = ['GET /v1/whoami HTTP/1.1', ...fields, `Authorization: Bearer ${token}`, 'Connection: close'];
  const { text: told } = await sendRaw(port, `${lines.join('\r\n')}\r\n\r\n`);
  return Number(told.split(' ')[1]);
}

describe('the admin listener answers to', () => {
  test.each([
    '127.0.0.1:PORT',
    'localhost:PORT',
    'LOCALHOST:PORT',
    '[::1]:PORT',
    'gate.example',
    'gate.example:443',
  ])('%s', async (host) => {
    expect(await statusOf(`Host: ${host.replace('PORT', String(port))}`)).toBe(200);
  });
});

describe('the admin listener does not answer to', () => {
  test.each([
    'evil.example',
    'evil.example:PORT',
    '127.0.0.1',
    '127.0.0.1:1',
    '127.0.0.1.evil.example:PORT',
    'localhost.evil.example:PORT',
    // CVE-2022-32212: what some resolvers read as an address, and others ask a name server for.
    '10.0.2.555:PORT',
    '127.1:PORT',
    '0x7f.0.0.1:PORT',
    '0.0.0.0:PORT',
    // CVE-2018-7160: a name that not every machine has.
    'localhost6:PORT',
    '[::ffff:127.0.0.1]:PORT',
    'localhost:PORT@evil.example',
    'localhost:PORT, evil.example',
    'notgate.example',
  ])('%s', async (host) => {
    expect(await statusOf(`Host: ${host.replaceAll('PORT', String(port))}`)).toBeGreaterThanOrEqual(400);
  });

  test('two Hosts', async () => {
    expect(await statusOf(`Host: localhost:${port}`, 'Host: evil.example')).toBe(400);
    expect(await statusOf('Host: evil.example', `Host: localhost:${port}`)).toBe(400);
  });

  test('a target that names another host', async () => {
    const { text: told } = await sendRaw(
      port,
      `GET http://evil.example/v1/whoami HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
    expect(told).toMatch(/^HTTP\/1.1 400 /);
  });

  test('pages of another origin, with a right token and without', async () => {
    const host = `Host: localhost:${port}`;
    expect(await statusOf(host, `Origin: http://localhost:${port}`)).toBe(200);
    const others = [
      'http://evil.example',
      'null',
      'http://localhost',
      `https://localhost:${port}`,
      `http://127.0.0.1:${port}`,
    ];
    for (const origin of others) expect(await statusOf(host, `Origin: ${origin}`)).toBe(403);
    expect(await statusOf(host, `Origin: http://localhost:${port}`, 'Origin: null')).toBe(403);
    expect(await statusOf('Host: gate.example', 'Origin: https://gate.example')).toBe(200);
  });

  test('even with the document that needs no token', async () => {
    const { text: told } = await sendRaw(
      port,
      'GET /v1/openapi.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
    );
    expect(told).toMatch(/^HTTP\/1.1 403 /);
  });
});

test('no Host is right but the own names with the port, and those that are listed', () => {
  const ours = ['127.0.0.1:8081', '[::1]:8081', 'localhost:8081'];
  const near = fc.tuple(fc.constantFrom(...ours, 'gate.example'), fc.string({ maxLength: 8 }), fc.nat(20));
  const mangled = near.map(([text, more, at]) => text.slice(0, at) + more + text.slice(at));
  fc.assert(
    fc.property(fc.oneof(mangled, fc.domain(), fc.ipV4(), fc.ipV6()), (host) => {
      const isListed = /^gate\.example(?::[0-9]{1,5})?$/i.test(host);
      const isOurs = ours.includes(host.toLowerCase()) || isListed;
      const flaw = strangerFlaw(['Host', host], 8081, ['gate.example']);
      if (!isOurs) expect(flaw).not.toBeNull();
    }),
    { numRuns: 2000 },
  );
});
