/** Where a curve is measured: gateways as their operators run them, on core 0, and what drives them, on core 1. */
import { hash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../../../gateway/admin/cli.ts';
import { rush } from '../load.ts';
import { costOf, freePort, launch } from '../machine.ts';
import type { Sample } from './curve.ts';

const start = resolve(import.meta.dirname, '../../../gateway/start.cjs');

/** What a run hands to each of its curves. */
export type Stand = {
  /** The run's own; removed at its end. */
  readonly folder: string;
  /** Answers at once with 200 bytes. */
  readonly upstreamPort: number;
  /** Small sizes and one round: only whether it works. */
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Before the first round: most of the code is compiled by then. */
  readonly warmSeconds: number;
  readonly say: (text: string) => void;
};

export type TokenRow = {
  readonly token: string;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** Kept so, under its first 12 characters, instead of as a SHA-256. */
  readonly bcrypt?: string;
};

export type Gateway = {
  readonly port: number;
  readonly pid: number;
  /** From the start of the process until it listens; tokens are there before. */
  readonly startMs: number;
  readonly stop: () => Promise<void>;
};

export type GatewayOptions = {
  /** Without version, listeners and store. */
  readonly yaml: string;
  readonly store?: string;
  readonly tokens?: readonly TokenRow[];
  readonly env?: Readonly<Record<string, string>>;
};

/** A folder of its own with its config in it. */
export async function writeConfig(stand: Stand, { yaml, store }: GatewayOptions) {
  const [port, health] = [await freePort(), await freePort()];
  const folder = join(stand.folder, `postern-${port}`);
  mkdirSync(join(folder, 'data'), { recursive: true });
  const path = join(folder, 'gateway.config.yaml');
  writeFileSync(
    path,
    `version: 1
listen: { address: 127.0.0.1:${port}, drain: { announce: 0s, requests: 1s, streams: 1s } }
health: { address: 127.0.0.1:${health} }
store: { url: ${store ?? '"sqlite:./data/postern.db"'} }
${yaml}`,
  );
  return { port, folder, path };
}

/** @throws Error with what it said, if it does not start. */
export async function openGateway(stand: Stand, options: GatewayOptions): Promise<Gateway> {
  const { port, folder, path } = await writeConfig(stand, options);
  const { tokens = [], env = {} } = options;
  if (tokens.length > 0) await importTokens(folder, path, tokens, env);
  const began = performance.now();
  const args = [start, 'serve', '--config', path];
  const launched = await launch({ command: process.execPath, args, env, port, folder, core: 0 });
  const startMs = performance.now() - began;
  return { port, pid: launched.pid, startMs, stop: () => launched.stop() };
}

async function importTokens(
  folder: string,
  config: string,
  tokens: readonly TokenRow[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const rows = tokens.map(({ token, type = 'service', attributes = {}, bcrypt }, n) =>
    JSON.stringify({
      ...{ type, label: `caller-${n}`, attributes },
      ...(bcrypt === undefined ? { sha256: hash('sha256', token) } : { bcrypt, lookup: token.slice(0, 12) }),
    }),
  );
  const file = join(folder, 'tokens.jsonl');
  writeFileSync(file, rows.join('\n'));
  let said = '';
  const say = (text: string): void => {
    said += text;
  };
  const shell = { env: { ...process.env, ...env }, out: say, err: say, colours: false, now: Date.now };
  const code = await run(['token', 'import', '--config', config, '--file', file], shell);
  if (code !== 0) throw new Error(`token import: ${said.trim().slice(-300)}`);
}

export const newToken = (prefix = 'scale_'): string => `${prefix}${randomBytes(20).toString('hex')}`;

/** The beginning of most configs here; rows that are named by `routes` stand under it. */
export const configOf = (stand: Stand, routes: string, rest = '', attributes = ''): string => `
upstreams:
  app: { url: http://127.0.0.1:${stand.upstreamPort} }
token_types:
  service: { prefix: scale_, scopes: [items:read], attributes: { ${attributes} } }
scopes:
  items:read: Read items
${rest}
apis:
  main:
    to: app
    routes:
${routes}
`;

/** A file of what is asked in turn: a token a line, with its path where that is not the same for all. */
export function askFile(stand: Stand, name: string, lines: readonly string[]): string {
  const file = join(stand.folder, `${name}.asks`);
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

export type Asked = { readonly gateway: Gateway; readonly file: string; readonly path: string };

const nothing: Sample = { cpuUs: Number.NaN, perSecond: Number.NaN };

/** How often a round is tried whose answers are not all 2xx. */
const tries = 3;

/** wrk on 64 connections. NaN where there was a refusal in every try, or no time. */
export async function drive(stand: Stand, { gateway, file, path }: Asked, seconds: number): Promise<Sample> {
  if (seconds === 0) return nothing;
  for (let left = tries; left > 0; left--) {
    const before = costOf([gateway.pid]).cpuUs;
    const ask = { port: gateway.port, tokenFile: file, path, method: 'GET', body: '' } as const;
    const { requests, perSecond, refused, broken } = await rush(ask, seconds);
    const cpuUs = (costOf([gateway.pid]).cpuUs - before) / requests;
    if (refused + broken === 0) return { cpuUs, perSecond };
    stand.say(`${refused} answers were not 2xx, ${broken} did not come; once more`);
  }
  return nothing;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
