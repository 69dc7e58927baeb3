/** The signing key: made once where it may be, judged where it is there, and never repeated in words. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import { fileSchema } from '../../gateway/config/schema.ts';
import { type KeyReading, resolveSigningKeys } from '../../gateway/config/signing-keys.ts';
import { createSigningKey } from '../../gateway/signing-key-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'postern-keys-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const configOf = (key: string) => `version: 1
upstreams: { app: { url: http://127.0.0.1:9001 } }
identity: { assertion: { key: ${key} } }
apis: { main: { to: app, routes: { GET /a: { allow: public } } } }
`;

function load(key: string, env: Record<string, string> = {}) {
  const loading = loadConfigText(configOf(key), join(scratch, 'gateway.config.yaml'), env);
  return {
    keys: loading.ok ? loading.config.signingKeys : [],
    said: (loading.ok ? loading.config.warnings : loading.problems).map(({ message }) =>
      message.replaceAll(`${scratch}/`, ''),
    ),
  };
}

function pemOf(kind: 'ed25519' | 'rsa' | 'p256' | 'x25519' | 'public' | 'locked'): string {
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
  const ed25519 = generateKeyPairSync('ed25519');
  switch (kind) {
    case 'ed25519':
      return ed25519.privateKey.export(pkcs8).toString();
    case 'public':
      return ed25519.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    case 'locked':
      return ed25519.privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'p' }).toString();
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pkcs8).toString();
    case 'p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8).toString();
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey.export(pkcs8).toString();
  }
}

function keep(name: string, pem: string, mode = 0o600): string {
  writeFileSync(join(scratch, name), pem);
  chmodSync(join(scratch, name), mode);
  return name;
}

describe('a key', () => {
  test('is read from a file or the environment', () => {
    keep('good.pem', pemOf('ed25519'));
    expect(load('{ file: good.pem }')).toEqual({
      keys: [{ kind: 'read', key: expect.anything() }],
      said: [],
    });
    expect(load('{ env: KEY }', { KEY: pemOf('ed25519') })).toMatchObject({
      keys: [{ kind: 'read' }],
      said: [],
    });
  });

  test('that others may read is used, and warned of', () => {
    for (const mode of [0o640, 0o604, 0o644]) {
      keep('open.pem', pemOf('ed25519'), mode);
      const { keys, said } = load('{ file: open.pem }');
      expect([keys.length, said]).toEqual([1, ['the signing key open.pem is open to other users']]);
    }
  });

  test.each([
    ['rsa', 'holds a key of type rsa, and only ed25519 signs assertions'],
    ['p256', 'holds a key of type ec, and only ed25519 signs assertions'],
    ['x25519', 'holds a key of type x25519, and only ed25519 signs assertions'],
    ['public', 'holds no private key in PEM (PKCS #8) without a passphrase'],
    ['locked', 'holds no private key in PEM (PKCS #8) without a passphrase'],
  ] as const)('of the kind %s is refused', (kind, why) => {
    const pem = pemOf(kind);
    keep('wrong.pem', pem);
    expect(load('{ file: wrong.pem }').said).toEqual([`wrong.pem ${why}`]);
    expect(load('{ env: KEY }', { KEY: pem }).said).toEqual([`the environment variable KEY ${why}`]);
  });

  test('stands in a list once', () => {
    keep('good.pem', pemOf('ed25519'));
    keep('next.pem', pemOf('ed25519'));
    expect(load('[{ file: good.pem }, { file: next.pem }]')).toMatchObject({ keys: [{}, {}], said: [] });
    keep('copy.pem', readFileSync(join(scratch, 'good.pem'), 'utf8'));
    const twice = load('[{ file: good.pem }, { file: next.pem }, { file: copy.pem }]');
    expect(twice.said).toEqual(['the same key stands twice']);
  });
});

describe('a missing file', () => {
  test('will be made at the start, and is not made by reading the config', () => {
    expect(load('{ file: new/key.pem }')).toEqual({
      keys: [{ kind: 'missing', file: join(scratch, 'new/key.pem') }],
      said: [],
    });
    expect(readdirSync(scratch)).not.toContain('new');
  });

  test('is an error with its remedy where several hosts could each make their own, and in every list', () => {
    const read = (key: string, mayCreate: boolean) => {
      const config = v.parse(fileSchema, {
        version: 1,
        apis: {},
        identity: { assertion: { key: JSON.parse(key) } },
      });
      const at: KeyReading = { config, folder: scratch, env: {}, mayCreate, errors: [], warnings: [] };
      return { keys: resolveSigningKeys(at), errors: at.errors };
    };
    const file = join(scratch, 'gone.pem');
    const refused = {
      keys: [],
      errors: [
        {
          path: expect.anything(),
          at: 'value',
          message: `cannot read the signing key ${file}`,
          hint: `make one: openssl genpkey -algorithm ed25519 -out ${file}`,
        },
      ],
    };
    expect(read('{"file":"gone.pem"}', false)).toEqual(refused);
    expect(read('[{"file":"gone.pem"}]', true)).toEqual(refused);
    expect(read('{"file":"gone.pem"}', true).errors).toEqual([]);
  });
});

describe('making a key', () => {
  test('leaves one whole file in a folder for this user alone, and takes what is there', () => {
    const file = join(scratch, 'made/key.pem');
    const key = createSigningKey(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(scratch, 'made')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(scratch, 'made'))).toEqual(['key.pem']);
    expect(createSigningKey(file).equals(key)).toBe(true);
  });

  test('by several processes at once ends with one key, and each has that one', async () => {
    const file = join(scratch, 'race/key.pem');
    const source = JSON.stringify(resolve(import.meta.dirname, '../../gateway/signing-key-file.ts'));
    const program = `
      const { createSigningKey } = await import(${source});
      process.stdout.write('ready\\n');
      process.stdin.once('data', () => {
        const key = createSigningKey(${JSON.stringify(file)});
        process.stdout.write(key.export({ type: 'pkcs8', format: 'pem' }));
        process.exit();
      });`;
    const racers = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    await Promise.all(racers.map(({ stdout }) => once(stdout, 'readable')));
    const said = racers.map(({ stdout }) => text(stdout));
    for (const { stdin } of racers) stdin.write('go\n');
    const keys = new Set((await Promise.all(said)).map((all) => all.replace('ready\n', '')));
    expect([...keys]).toEqual([readFileSync(file, 'utf8')]);
    expect(readdirSync(join(scratch, 'race'))).toEqual(['key.pem']);
  });

  test('where nothing can be made says so, and leaves nothing behind', () => {
    writeFileSync(join(scratch, 'file'), '');
    expect(() => createSigningKey(join(scratch, 'file/key.pem'))).toThrow(/^cannot make the signing key /);
    keep('bad.pem', 'hunter2');
    expect(() => createSigningKey(join(scratch, 'bad.pem'))).toThrow(/bad\.pem holds no private key/);
    expect(readdirSync(scratch).filter((name) => /^bad\.pem./.test(name))).toEqual([]);
  });
});
