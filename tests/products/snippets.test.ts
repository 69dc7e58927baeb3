/** A product's clients in their own languages, where the language is on the machine. */
import { execFile, spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProduct, type Product } from './stage.ts';

const folder = join(import.meta.dirname, 'snippets');
// Debian's Python has Debian's packages; the first one on PATH may be another.
const PATH = [process.env.PATH, '/usr/bin'].join(delimiter);

const canRun = (program: string, ...args: string[]) =>
  spawnSync(program, args, { env: { PATH } }).status === 0;
const python = ['python3', '/usr/bin/python3'].find((program) => canRun(program, '-c', 'import requests'));

const clients = [
  { client: 'Node fetch', program: process.execPath, args: ['servers.mjs'] },
  { client: 'Python requests', program: python, args: ['servers.py'] },
  { client: 'Go net/http', program: canRun('go', 'version') ? 'go' : undefined, args: ['run', 'servers.go'] },
];

let product: Product;

beforeAll(async () => {
  product = await openProduct({
    example: 'piora',
    answering: () => ({ status: 200, body: { success: true, data: [] } }),
  });
  const [reader, deployer] = await Promise.all([
    product.create('api', '--scope', 'servers:read'),
    product.create('api', '--scope', 'applications:deploy'),
  ]);
  Object.assign(product.names, { READER: reader.token, DEPLOYER: deployer.token });
});
afterAll(() => product.stop());

/** What the client printed. */
function run(program: string, args: readonly string[], token: string) {
  const env = { PATH, HOME: product.folder, GW: product.gateway.url, PIORA_API_TOKEN: token };
  return new Promise<{ status: number; body: unknown }>((done, failed) => {
    execFile(program, args, { cwd: folder, env }, (error, stdout, stderr) => {
      if (error === null) done(JSON.parse(stdout));
      else failed(new Error(stderr));
    });
  });
}

describe.each(clients)('$client', ({ program, args }) => {
  test.skipIf(program === undefined)(
    'lists servers, and understands a refusal',
    async () => {
      const ask = (token = '') => run(program ?? '', args, token);
      expect(await ask(product.names.READER)).toEqual({ status: 200, body: { success: true, data: [] } });
      const refusal = (code: string) => ({ success: false, error: { code, message: expect.any(String) } });
      expect(await ask(product.names.DEPLOYER)).toEqual({
        status: 403,
        body: refusal('INSUFFICIENT_PERMISSIONS'),
      });
      expect(await ask('piora_token_xxxxxxxxxxxx')).toEqual({ status: 401, body: refusal('UNAUTHORIZED') });
    },
    60_000,
  );
});
