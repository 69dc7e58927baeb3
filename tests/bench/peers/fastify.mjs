/** The gateway one writes with Fastify's own plugins. By itself: PORT UPSTREAM CALLERS QUOTA SECONDS [REDIS_URL]. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import bearer from '@fastify/bearer-auth';
import proxy from '@fastify/http-proxy';
import limit from '@fastify/rate-limit';
import Fastify from 'fastify';
import { Redis } from 'ioredis';

const [port, upstream, callerFile, quota, seconds, redisUrl] = process.argv.slice(2);
const subjects = new Map(
  readFileSync(callerFile, 'latin1')
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([token, subject]) => [hash('sha256', token), subject]),
);

const app = Fastify({ logger: false });
app.decorateRequest('subject', null);
await app.register(bearer, {
  // Its own way compares with each key in turn; a Map is what one would use for many.
  keys: new Set(['unused']),
  auth: (token, request) => {
    request.subject = subjects.get(hash('sha256', token)) ?? null;
    return request.subject !== null;
  },
});
if (redisUrl !== undefined) {
  await app.register(limit, {
    max: Number(quota),
    timeWindow: Number(seconds) * 1000,
    hook: 'preHandler',
    keyGenerator: (request) => request.subject,
    redis: new Redis(redisUrl),
  });
}
await app.register(proxy, {
  upstream,
  disableRequestLogging: true,
  replyOptions: {
    rewriteRequestHeaders: ({ subject }, { authorization: _, ...headers }) => ({
      ...headers,
      'x-subject': subject,
    }),
  },
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
