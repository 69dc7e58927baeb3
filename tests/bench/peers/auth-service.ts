/**
 * The service people write to stand behind nginx's auth_request: SHA-256 of the token, a Map, 200 or 401; with a Redis
 * url also a sliding-window counter, one EVALSHA for each request. By itself: PORT CALLERS QUOTA SECONDS [REDIS_URL].
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const [port, callerFile = '', quota, seconds, redisUrl] = process.argv.slice(2);
const windowMs = Number(seconds) * 1000;
const subjects = new Map(
  readFileSync(callerFile, 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([token = '', subject = '']) => [hash('sha256', token), subject] as const),
);

const script = `
local used = redis.call('INCR', KEYS[1])
if used == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2) end
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
return used + before * tonumber(ARGV[2]) > tonumber(ARGV[3]) and 0 or 1`;
type Counting = Redis & {
  count(now: string, before: string, windowMs: number, share: number, quota: number): Promise<number>;
};
const redis = redisUrl === undefined ? null : (new Redis(redisUrl) as Counting);
redis?.defineCommand('count', { numberOfKeys: 2, lua: script });

async function admits(subject: string): Promise<boolean> {
  if (redis === null) return true;
  const now = Date.now();
  const window = Math.floor(now / windowMs);
  const share = 1 - (now % windowMs) / windowMs;
  const keys = [`auth:${subject}:${window}`, `auth:${subject}:${window - 1}`] as const;
  return (await redis.count(...keys, windowMs, share, Number(quota))) === 1;
}

const server = createServer((request, response) => {
  const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ');
  const subject = scheme === 'Bearer' ? subjects.get(hash('sha256', token)) : undefined;
  if (subject === undefined) {
    response.writeHead(401).end();
    return;
  }
  if (redis === null) {
    response.writeHead(200, { 'X-Subject': subject }).end();
    return;
  }
  admits(subject).then(
    // auth_request knows 401 and 403; anything else is 500.
    (yes) => response.writeHead(yes ? 200 : 403, { 'X-Subject': subject }).end(),
    () => response.writeHead(503).end(),
  );
});
server.keepAliveTimeout = 65_000;
server.listen(Number(port), '127.0.0.1');
