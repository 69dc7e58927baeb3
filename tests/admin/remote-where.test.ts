/** Where a command may send an admin token. */
import { once } from 'node:events';
import { type AddressInfo, BlockList, connect, isIP } from 'node:net';
import { createServer } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { originOf } from '../../gateway/admin/cli-place.ts';
import { adminConfig, startAdmin } from '../fixtures/admin.ts';
import { localhostCert, localhostKey } from '../fixtures/localhost-tls.ts';
import { Terminal } from './terminal.ts';

const someToken = `postern_admin_${'0'.repeat(48)}`;

/** A terminal that has a token and no config. */
function remote(token = someToken): Terminal {
  const terminal = new Terminal('');
  terminal.env.POSTERN_ADMIN_TOKEN = token;
  return terminal;
}

describe('where the token may go', () => {
  test.each([
    ['http://gateway.example:8081', 'use https, or say --insecure-http'],
    ['http://10.0.0.1', 'use https, or say --insecure-http'],
    ['http://127.0.0.1.example', 'use https, or say --insecure-http'],
    ['http://localhost.example', 'use https, or say --insecure-http'],
    ['ftp://127.0.0.1', 'write http://127.0.0.1:8081'],
    ['127.0.0.1:8081', 'write http://127.0.0.1:8081'],
    ['http://a:SECRET@127.0.0.1', 'write http://127.0.0.1:8081'],
    ['http://127.0.0.1/v1', 'write http://127.0.0.1:8081'],
    ['http://127.0.0.1/?SECRET', 'write http://127.0.0.1:8081'],
    [someToken, 'write http://127.0.0.1:8081'],
  ])('not to %s', async (url, words) => {
    for (const insecure of words.includes('insecure') ? [] : [[], ['--insecure-http']]) {
      const told = await remote().here('token', 'list', '--url', url, ...insecure);
      expect(told).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(words) });
    }
    const told = await remote().here('token', 'list', '--url', url);
    expect(told.stderr).toMatch(/^error: [^\n]+; [^\n]+\n$/);
    expect(told.stderr).not.toMatch(/SECRET|0000/);
  });

  test('over http to no host that is not this one, whatever is written', () => {
    const own = new BlockList();
    own.addSubnet('127.0.0.0', 8);
    own.addAddress('::1', 'ipv6');
    const isOwn = (name: string) => {
      const bare = name.replace(/^\[|\]$/g, '');
      return name === 'localhost' || (isIP(bare) > 0 && own.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4'));
    };
    const piece = fc.oneof(
      fc.constantFrom(
        '127.0.0.1',
        '127.1',
        '0x7f.1',
        '2130706433',
        '[::1]',
        '[::ffff:127.0.0.1]',
        'localhost',
      ),
      fc.constantFrom('localhost.', '.example', '@', ':8081', ':80', '/', '#', '?', '\\', '%2e', '0', '.'),
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((text) => `[${text}]`),
    );
    const written = fc.tuple(
      fc.constantFrom('http://', 'HTTP:', 'http:/', ''),
      fc.array(piece, { maxLength: 4 }),
    );
    fc.assert(
      fc.property(written, ([scheme, pieces]) => {
        let origin: string;
        try {
          origin = originOf(scheme + pieces.join(''), false);
        } catch {
          return;
        }
        expect(isOwn(new URL(origin).hostname)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(originOf('HTTP://127.1:80/', false)).toBe('http://127.0.0.1');
    expect(originOf('https://gateway.example/', false)).toBe('https://gateway.example');
    expect(originOf('http://gateway.example', true)).toBe('http://gateway.example');
  });

  test('a variable that holds something else is not sent, and not repeated', async () => {
    const told = await remote('prj_SECRET').here('token', 'list', '--url', 'http://127.0.0.1:9');
    expect(told).toMatchObject({ code: 2, stdout: '' });
    expect(told.stderr).toMatch(/^error: POSTERN_ADMIN_TOKEN holds no admin token; .*\n$/);
    expect(told.stderr).not.toContain('SECRET');
  });

  test('without a token nobody is asked; a config and a gateway are two places', async () => {
    const terminal = new Terminal('');
    const told = await terminal.here('token', 'list', '--url', 'http://127.0.0.1:9');
    expect(told).toMatchObject({
      code: 1,
      stderr:
        'error: there is no admin token for http://127.0.0.1:9; postern login --url http://127.0.0.1:9, or set POSTERN_ADMIN_TOKEN\n',
    });
    expect(await terminal.run('token', 'list', '--url', 'http://127.0.0.1:9')).toMatchObject({ code: 2 });
    const alone = await terminal.here('token', 'import', '--file', 'x', '--url', 'http://127.0.0.1:9');
    expect(alone).toMatchObject({
      code: 2,
      stderr: "error: unknown option '--url'; it works beside a store: --config FILE\n",
    });
  });
});

test('over https to whom the certificate names, and to nobody whose certificate is not trusted', async () => {
  const admin = await startAdmin(adminConfig, 'admin: { address: 127.0.0.1:0, hosts: [localhost] }');
  const { hostname, port } = new URL(admin.url);
  let heard = '';
  const proxy = createServer({ cert: localhostCert, key: localhostKey }, (client) => {
    const upstream = connect(Number(port), hostname);
    client
      .on('error', () => {})
      .on('data', (chunk) => {
        heard += chunk;
      });
    client
      .pipe(upstream)
      .on('error', () => {})
      .pipe(client);
  });
  proxy.on('tlsClientError', () => {});
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(async () => {
    proxy.close();
    await admin.gateway.stop();
  });
  const url = `https://localhost:${(proxy.address() as AddressInfo).port}`;
  const terminal = remote((await admin.mint()).token);
  const stranger = await terminal.here('whoami', '--url', url);
  expect([stranger.code, heard]).toEqual([1, '']);
  expect(stranger.stderr).toMatch(
    / does not answer \(\w*CERT\w*\); let its certificate be trusted: NODE_EXTRA_CA_CERTS=FILE\n$/,
  );
  terminal.env.NODE_EXTRA_CA_CERTS = terminal.write('ca.pem', localhostCert);
  const known = await terminal.spawn('whoami', '--url', url);
  expect(JSON.parse(known.stdout)).toMatchObject({ url, from: 'environment' });
});
