/** The image's steps, taken from the Dockerfile and done in an empty folder. No container engine is needed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');
const image = mkdtempSync(join(tmpdir(), 'postern-image-'));
/** npm and node as the image has them: this very Node, whatever the machine's is. */
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  npm_config_prefer_offline: 'true',
};

type Step = { readonly word: string; readonly rest: string };

/** Instructions in order, continuation lines joined, comments gone. */
const steps: readonly Step[] = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .flatMap((line) => {
    const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return word === undefined || rest === undefined ? [] : [{ word, rest }];
  });

function only(word: string): string {
  const found = steps.filter((step) => step.word === word);
  expect(found, `exactly one ${word}`).toHaveLength(1);
  return found[0]?.rest ?? '';
}

/** `["node", "-e", …]`, with this Node for `node`. */
function execForm(text: string): { readonly file: string; readonly args: readonly string[] } {
  const [file, ...args]: string[] = JSON.parse(text);
  return { file: file === 'node' ? process.execPath : (file ?? ''), args };
}

const ignored = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const pattern = line.replace(/^!/, '');
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*');
    return { out: pattern === line, matches: new RegExp(`^${escaped}(/|$)`) };
  });

/** The last pattern that matches a path, or a folder above it, decides. */
function isInContext(path: string): boolean {
  const name = relative(root, path);
  return name === '' || ignored.findLast(({ matches }) => matches.test(name))?.out !== true;
}

function copy(rest: string): void {
  const paths = rest.split(' ').filter((path) => !path.startsWith('--'));
  const target = paths.pop() ?? '.';
  for (const path of paths) {
    const source = resolve(root, path);
    if (!isInContext(source)) throw new Error(`COPY ${path}: .dockerignore leaves it out`);
    const into = statSync(source).isDirectory() ? join(image, target) : join(image, target, basename(path));
    mkdirSync(dirname(into), { recursive: true });
    cpSync(source, into, { recursive: true, filter: isInContext });
  }
}

/** As written, but for the change of owner: there is no user `node` here. */
async function runStep(rest: string): Promise<void> {
  const command = rest.replace(/ && chown [^&]*/, '');
  await run('sh', ['-ec', command], { cwd: image, env });
}

/** The shipped config, on free ports. */
function configOnFreePorts(): string {
  const file = join(image, 'free-ports.yaml');
  const shipped = readFileSync(join(image, 'gateway.config.yaml'), 'utf8');
  const placed = shipped
    .replace('address: 0.0.0.0:8080', 'address: 127.0.0.1:0')
    .replace('address: 127.0.0.1:8082', 'address: 127.0.0.1:0');
  expect(placed.match(/127\.0\.0\.1:0\b/g)).toHaveLength(2);
  writeFileSync(file, placed);
  return file;
}

async function readyLine(child: ChildProcess): Promise<{ listen: string; health: string }> {
  if (child.stdout === null) throw new Error('no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"event":"ready"')) continue;
    child.stdout.resume();
    return JSON.parse(line);
  }
  throw new Error('it ended without a ready line');
}

afterAll(() => rmSync(image, { recursive: true, force: true }));

describe('the image', () => {
  test('is of Node 24, slim, and leaves root behind before it starts', () => {
    expect(only('FROM')).toMatch(/^node:24-\w+-slim$/);
    expect(only('USER')).toBe('node');
    const order = steps.map(({ word }) => word);
    expect(order.lastIndexOf('RUN')).toBeLessThan(order.indexOf('USER'));
    expect(order.indexOf('USER')).toBeLessThan(order.indexOf('CMD'));
  });

  test.each(['data/postern.db', '.git/config', 'tests/run.ts', 'node_modules/hono', '.env'])(
    'is never given %s',
    (path) => {
      expect(isInContext(join(root, path))).toBe(false);
    },
  );
});

describe('made in an empty folder', () => {
  let gate: ChildProcess | null = null;
  let ready = { listen: '', health: '' };

  beforeAll(async () => {
    for (const { word, rest } of steps) {
      if (word === 'COPY') copy(rest);
      if (word === 'RUN') await runStep(rest);
    }
    const { file, args } = execForm(only('CMD'));
    const config = configOnFreePorts();
    const placed = args.map((arg) => (arg === 'gateway.config.yaml' ? config : arg));
    gate = spawn(file, placed, { cwd: image, env, stdio: ['ignore', 'pipe', 'inherit'] });
    ready = await readyLine(gate);
  }, 60_000);

  afterAll(() => {
    gate?.kill('SIGKILL');
  });

  test('it starts and refuses who has no token', async () => {
    expect((await fetch(`${ready.listen}/items`)).status).toBe(401);
  });

  test('its HEALTHCHECK is content, and is not when nothing listens', async () => {
    const { file, args } = execForm(only('HEALTHCHECK').replace(/^.*? ?CMD /, ''));
    const asking = (host: string) => args.map((arg) => arg.replace('127.0.0.1:8082', host));
    const here = asking(new URL(ready.health).host);
    expect(here).not.toEqual(args);
    await run(file, here, { env });
    await expect(run(file, asking('127.0.0.1:1'), { env })).rejects.toMatchObject({ code: 1 });
  });

  test('it holds nothing that is for development only', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const there = Object.keys(devDependencies).filter((name) =>
      statSync(join(image, 'node_modules', name), { throwIfNoEntry: false }),
    );
    expect(there).toEqual([]);
  });
});
