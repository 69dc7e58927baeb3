/** Fastify's proxy with its bearer tokens and its limit, from the packages beside this file. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, launch } from '../machine.ts';
import { plain, quota, type Target, together, windowSeconds } from './stage.ts';

const here = import.meta.dirname;

/** @throws Error if they cannot be had. */
function installPackages(): void {
  if (existsSync(join(here, 'node_modules/fastify'))) return;
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status, stderr } = spawnSync('npm', args, { cwd: here, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ci: ${(stderr ?? '').trim().slice(-300)}`);
}

const target = (name: string, limit: 'none' | 'redis'): Target => ({
  ...plain,
  name,
  limit,
  needs: limit === 'redis' ? ['redis-server'] : [],
  paced: limit === 'redis',
  async start(stage) {
    installPackages();
    const port = await freePort();
    const upstream = `http://127.0.0.1:${stage.upstreamPort}`;
    const args = [join(here, 'fastify.mjs'), port, upstream, stage.callerFile, quota, windowSeconds];
    if (limit === 'redis' && stage.redisUrl !== null) args.push(stage.redisUrl);
    const command = process.execPath;
    const { folder } = stage;
    return together(port, [await launch({ command, args: args.map(String), port, folder, core: 0 })]);
  },
});

export const fastify = target('@fastify/http-proxy + bearer-auth', 'none');
export const fastifyRedis = target('@fastify/http-proxy + bearer-auth + rate-limit', 'redis');
