/** Many tokens and their real bcrypt hashes: made once and kept, since ten thousand take seconds of every core. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { Piscina } from 'piscina';
import type { HashJob, hashAll } from './bcrypt-rows-thread.ts';

export type BcryptToken = { readonly token: string; readonly bcrypt: string };

/** Beside the packages: `npm ci` starts anew. The name holds all that its content depends on. */
const kept = (tokens: readonly string[], cost: number) => {
  const which = createHash('sha256').update(tokens.join()).digest('hex').slice(0, 12);
  return resolve(import.meta.dirname, `../../node_modules/.cache/postern/bcrypt-${cost}-${which}-2.json`);
};

/** Enough jobs that no thread is idle at the end. */
const JOB = 250;

/** Token `index` after a prefix: the same in every run. */
export const tokenText = (prefix: string, index: number): string =>
  prefix + createHash('sha256').update(`${prefix}${index}`).digest('hex').slice(0, 36);

/** Has the form of a hash, and fits no token. */
const unfit = (token: string, cost: number): string =>
  `$2b$${String(cost).padStart(2, '0')}$${createHash('sha256').update(token).digest('hex').slice(0, 53)}`;

/** @param isUsed whether a token is ever asked for: the others need no hash that fits. */
export async function bcryptTokens(
  prefix: string,
  count: number,
  cost: number,
  isUsed: (index: number) => boolean,
): Promise<BcryptToken[]> {
  const tokens = Array.from({ length: count }, (_, index) => tokenText(prefix, index));
  const asked = tokens.filter((_, index) => isUsed(index));
  const path = kept(asked, cost);
  const hashes = readHashes(path) ?? keepHashes(path, await makeHashes(asked, cost));
  const hashOf = new Map(asked.map((token, index) => [token, hashes[index] ?? '']));
  return tokens.map((token) => ({ token, bcrypt: hashOf.get(token) ?? unfit(token, cost) }));
}

function readHashes(path: string): readonly string[] | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Whole or not at all; where nothing can be kept, the next run makes them again. */
function keepHashes(path: string, hashes: readonly string[]): readonly string[] {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(hashes));
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    return hashes;
  }
  return hashes;
}

async function makeHashes(tokens: readonly string[], cost: number): Promise<readonly string[]> {
  const filename = new URL('./bcrypt-rows-thread.ts', import.meta.url).href;
  const pool = new Piscina<HashJob, ReturnType<typeof hashAll>>({
    filename,
    name: 'hashAll',
    maxThreads: availableParallelism(),
  });
  try {
    const jobs: Promise<readonly string[]>[] = [];
    for (let start = 0; start < tokens.length; start += JOB) {
      jobs.push(pool.run({ tokens: tokens.slice(start, start + JOB), cost }));
    }
    return (await Promise.all(jobs)).flat();
  } finally {
    await pool.destroy();
  }
}
