/**
 * A product on Postern: its example config as it stands in docs/examples (on free ports), a gateway process, an
 * upstream that answers as the product's own would, and curl.
 */
import { isUtf8 } from 'node:buffer';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from '../../gateway/admin/cli.ts';
import { type PosternProcess, startPostern } from '../fixtures/process.ts';
import { type Seen, startUpstream, type UpstreamFixture } from '../fixtures/upstream.ts';

const examples = resolve(import.meta.dirname, '../../docs/examples');

/** What curl got. */
export type Told = {
  readonly status: number;
  /** Names in lower case; of a name that came several times, all values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON; undefined: it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly body: any;
};

/** What the product's own upstream answers; null: 200 and an echo, `nothing`: it never does. */
export type Answering = (
  request: Seen,
) =>
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | 'nothing'
  | null;

export type Minted = { readonly id: string; readonly token: string };

export type Product = {
  readonly gateway: PosternProcess;
  readonly folder: string;
  readonly config: string;
  /** Requests that reached the upstream so far. */
  readonly seen: Seen[];
  /** What stands for `$NAME` in lines of curl; `$GW` is the gateway. */
  readonly names: Record<string, string>;
  /** A line as people paste it. ` J ` is `-H 'Content-Type: application/json'`. */
  readonly curl: (line: string) => Promise<Told>;
  /** A line of bash as it stands; what it prints. For many requests at once. */
  readonly shell: (line: string) => Promise<string>;
  /** Many lines, one after the other on one connection: a single curl with `--next` between them. */
  readonly curls: (lines: readonly string[]) => Promise<Told[]>;
  /** `postern token create` of this type, with more words. */
  readonly create: (type: string, ...words: string[]) => Promise<Minted>;
  /** `postern token import` or `pin import` of these rows, in one process. */
  readonly bring: (what: 'token' | 'pin', rows: readonly object[]) => Promise<void>;
  /** Any command on the same config; its JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly postern: (...words: string[]) => Promise<any>;
  /** Everything the product keeps and says: database files, log, metrics. */
  readonly traces: () => Promise<string>;
  readonly stop: () => Promise<void>;
};

export type ProductOptions = {
  /** A file of docs/examples by its name, or a text. */
  readonly example?: string;
  readonly yaml?: string;
  readonly answering?: Answering;
  readonly env?: Readonly<Record<string, string>>;
  /** Replaces parts of the config that a test must have otherwise, each exactly once. */
  readonly replaced?: Readonly<Record<string, string>>;
  /** Rows of `postern token import`, which runs while the gateway starts. */
  readonly imported?: readonly object[];
};

export async function openProduct(options: ProductOptions): Promise<Product> {
  const { env = {}, answering = () => null } = options;
  const upstream = await startUpstream();
  upstream.answer = answerer(upstream, answering);
  const folder = mkdtempSync(join(tmpdir(), 'postern-product-'));
  const config = join(folder, 'gateway.config.yaml');
  const text = options.yaml ?? readFileSync(join(examples, `${options.example}.yaml`), 'utf8');
  writeFileSync(config, onFreePorts(replacedIn(text, options.replaced ?? {}), upstream.url));
  // The command itself, beside the gateway's process: to start one more would cost ten times what it does.
  const postern: Product['postern'] = async (...words) => {
    let [stdout, stderr] = ['', ''];
    const code = await run([...words, '--config', config, '--json'], {
      env: { ...process.env, ...env },
      out: (text) => {
        stdout += text;
      },
      err: (text) => {
        stderr += text;
      },
      colours: false,
      now: Date.now,
    });
    if (code !== 0) throw new Error(`postern ${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
    return JSON.parse(stdout);
  };
  const [gateway] = await Promise.all([
    startPostern(config, [], env),
    importRows(folder, options.imported ?? [], postern),
  ]);
  const names: Record<string, string> = { GW: gateway.url };
  return {
    gateway,
    folder,
    config,
    seen: upstream.seen,
    names,
    curl: async (line) => only(await curls([line], names)),
    curls: (lines) => curls(lines, names),
    shell: (line) => shell(line, names),
    create: (type, ...words) => postern('token', 'create', '--type', type, ...words),
    bring: async (what, rows) => {
      const file = join(folder, `${what}s.jsonl`);
      writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const { imported } = await postern(what, 'import', '--file', file);
      rmSync(file);
      if (imported !== rows.length) throw new Error(`${imported} of ${rows.length} rows were imported`);
    },
    postern,
    traces: async () => {
      const data = join(folder, 'data');
      const files = readdirSync(data).map((name) => readFileSync(join(data, name), 'latin1'));
      const metrics = await (await fetch(`${gateway.health}/metrics`)).text();
      return [...files, metrics, gateway.stderr(), ...gateway.lines.map((line) => JSON.stringify(line))].join(
        '\n',
      );
    },
    stop: async () => {
      await gateway.kill();
      await upstream.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function importRows(folder: string, rows: readonly object[], postern: Product['postern']) {
  if (rows.length === 0) return;
  const file = join(folder, 'tokens.jsonl');
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  await postern('token', 'import', '--file', file);
}

function replacedIn(text: string, replaced: Readonly<Record<string, string>>): string {
  return Object.entries(replaced).reduce((so, [from, to]) => {
    if (so.split(from).length !== 2) throw new Error(`"${from}" does not stand exactly once in the config`);
    return so.replace(from, () => to);
  }, text);
}

function onFreePorts(text: string, upstream: string): string {
  return text
    .replace(/^(listen: \{ address: )[^ ,}]+/m, '$1127.0.0.1:0')
    .replace(/^(health: \{ address: )[^ ,}]+/m, '$1127.0.0.1:0')
    .replaceAll(/http:\/\/127\.0\.0\.1:900[0-9]/g, upstream);
}

/** Reads the request whole, records it, and answers as the product would. */
function answerer(upstream: UpstreamFixture, answering: Answering) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const request: Seen = {
        method: req.method ?? '',
        target: req.url ?? '',
        rawHeaders: req.rawHeaders,
        headers: req.headers,
        body: textOf(Buffer.concat(chunks)),
      };
      upstream.seen.push(request);
      const answer = answering(request) ?? { status: 200 };
      if (answer === 'nothing') return;
      const { status, body = request, headers = {} } = answer;
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(status === 204 ? undefined : JSON.stringify(body));
    });
  };
}

/** What is no text, one character a byte. */
function textOf(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

/** Stands between the answers that one curl prints. */
const boundary = '--- the next answer of this curl ---';

/** What stands before `curl` in the first line is piped into it. */
async function curls(lines: readonly string[], names: Readonly<Record<string, string>>): Promise<Told[]> {
  const json = `-H 'Content-Type: application/json'`;
  const calls = lines.map((line) => {
    const [, words] = /(?:^|\| )curl (.*)$/s.exec(line) ?? [];
    if (words === undefined) throw new Error('not a line of curl');
    return `-i --max-time 20 -w '${boundary}' ${words.replaceAll(' J ', ` ${json} `)}`;
  });
  const [, piped = ''] = /^(.*\| )curl /s.exec(lines[0] ?? '') ?? [];
  const said = await shell(`${piped}curl -sS ${calls.join(' --next ')}`, names);
  return said.split(boundary).slice(0, -1).map(toldBy);
}

/** Run by bash, so that quotes and `$NAMES` are what they are in a terminal. */
function shell(line: string, names: Readonly<Record<string, string>>): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', ...names };
  return new Promise((done, failed) => {
    execFile('bash', ['-uc', line], { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null) failed(new Error(`curl: ${stderr}`));
      else done(stdout);
    });
  });
}

function only([told]: readonly Told[]): Told {
  if (told === undefined) throw new Error('curl printed no answer');
  return told;
}

/** The last answer: those before it are 1xx. */
function toldBy(output: string): Told {
  let rest = output;
  let head = '';
  do {
    const end = rest.indexOf('\r\n\r\n');
    head = rest.slice(0, end);
    rest = rest.slice(end + 4);
  } while (/^HTTP\/1\.1 1/.test(head));
  const [first = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    const value = line.slice(at + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { status: Number(first.split(' ')[1]), headers, text: rest, body: jsonOf(rest) };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
