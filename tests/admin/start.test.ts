import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Terminal } from './terminal.ts';

const start = fileURLToPath(new URL('../../gateway/start.cjs', import.meta.url));

/** Runs the start under a Node that says it is another; that Node must not get as far as an import. */
function startedBy(node: string, command = 'check') {
  let said = '';
  const process = {
    versions: { node },
    argv: ['node', 'start.cjs', command],
    stderr: {
      write: (text: string) => {
        said += text;
      },
    },
    exitCode: 0,
  };
  const code = readFileSync(start, 'utf8').replace(/^#!.*/, '').replace('import(', 'imported(');
  const imported = (name: string) => {
    said += name;
    return new Promise(() => {});
  };
  const real = createRequire(start);
  const required = (name: string) => {
    if (name !== './warm.cjs') return real(name);
    said += `${name} `;
  };
  runInNewContext(code, { process, imported, require: required });
  return { said, exitCode: process.exitCode };
}

describe('the start', () => {
  test.each(['12.22.12', '20.20.2', '22.18.0'])('says in one line that Node %s is too old', (version) => {
    expect(startedBy(version)).toEqual({
      said: `Postern needs Node 22.19 or newer; this is v${version}. Run \`npm ci\`, then start it through \`npm run\`, which uses the Node 24 that \`npm ci\` installs.\n`,
      exitCode: 1,
    });
  });

  test.each(['22.19.0', '24.0.0', '30.1.0'])('goes on with Node %s', (version) => {
    expect(startedBy(version)).toEqual({ said: './admin/cli.ts', exitCode: 0 });
  });

  test('keeps the gateway warm before anything else is loaded, and nothing else', () => {
    expect(startedBy('24.0.0', 'serve').said).toBe('./warm.cjs ./admin/cli.ts');
  });

  // V8 stops a process that has begun a collection which it is then told never to begin.
  test('is the one place that sets flags of V8 for the life of the process', () => {
    const folder = fileURLToPath(new URL('../../gateway/', import.meta.url));
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /[jt]s$/.test(name),
    );
    const setting = files.filter((name) =>
      /setFlagsFromString\('--memory/.test(readFileSync(`${folder}${name}`, 'utf8')),
    );
    expect(setting).toEqual(['warm.cjs']);
  });

  test('is written so that an old Node can read it', () => {
    expect(readFileSync(start, 'utf8')).not.toMatch(/\?\?|\?\.|\bawait\b|#[a-z]|'node:|\d_\d/);
  });
});

describe('exit codes', () => {
  test('are 2 for words nobody understands, 78 for a config, 1 for a no, 0 for help', async () => {
    const terminal = new Terminal();
    const told = await Promise.all([
      terminal.spawn(),
      terminal.spawn('chek'),
      terminal.spawn('check', '--config', 'nowhere.yaml'),
      terminal.spawn('token', 'revoke', 'tok_unknown'),
      terminal.spawn('--help'),
      terminal.spawn('help', 'token'),
    ]);
    expect(told.map(({ code }) => code)).toEqual([2, 2, 78, 1, 0, 0]);
    expect(told[1]?.stderr).toContain("unknown command 'chek'; did you mean check?");
  });

  test('are 2 for an address or a port that cannot be, and nothing starts', async () => {
    const terminal = new Terminal();
    const address = await terminal.run('serve', '--listen', '8080');
    expect(address).toMatchObject({ code: 2, stdout: '' });
    expect(address.stderr).toMatch(/^error: "8080" is not an address; write HOST:PORT/);
    const port = await terminal.run('demo', '--port', '65536');
    expect(port).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('words that stand nowhere', () => {
  test.each([
    [['check', 'gateway.config.yaml'], 'by options'],
    [['token', 'create', '--type', 'user', '--scope', 'a', 'b'], '--scope A --scope B'],
    [['tail', '--config', 'gateway.config.yaml'], 'it asks a gateway that runs: --url URL'],
  ])('are told with the place where they belong: %j', async (args, words) => {
    const told = await new Terminal().run(...args);
    expect(told).toMatchObject({ code: 2, stdout: '' });
    expect(told.stderr).toContain(words);
  });
});

describe('a config with problems', () => {
  test.each([
    ['explain', 'GET', '/status'],
    ['matrix'],
    ['token', 'list'],
    ['token', 'create', '--type', 'user'],
    ['serve'],
  ])('is told on stderr, and the code is 78: %s %s', async (...args) => {
    const terminal = new Terminal('version: 2\n');
    const told = await terminal.run(...args.filter((word) => word !== undefined));
    expect(told).toMatchObject({ code: 78, stdout: '' });
    expect(told.stderr.split('\n')[0]).toBe(
      './gateway.config.yaml:1:1: apis: the key "apis" is missing; write apis: with the rows that may be used; nothing is open by default',
    );
  });
});

describe('a word that may be a secret', () => {
  test.each([
    [['token', 'create', '--token=prj_SECRET', '--type', 'project'], "error: unknown option '--token'"],
    [['token', 'show', 'tok_1', 'prj_SECRET'], 'error: too many arguments'],
    [['token', 'show', 'prj_SECRET'], 'error: no token has this id'],
    [
      ['token', 'list', '--type', 'prj_SECRETSECRET'],
      'error: that is no token type, and may be a token; name',
    ],
    [
      ['explain', 'GET', '/', '--as', 'prj_SECRETSECRET'],
      'error: that is no token type, and may be a token; name',
    ],
    [['token', 'revoke', 'prj_SECRET'], 'error: no token has this id'],
  ])('is not repeated: %j', async (args, words) => {
    const told = await new Terminal().run(...args);
    expect(told.stderr).toContain(words);
    expect(told.stdout + told.stderr).not.toContain('SECRET');
  });
});
