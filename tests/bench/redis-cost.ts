/** What a Redis server has cost, by its own word. */
import type { Redis } from 'ioredis';

/** CPU in µs so far. */
export async function redisCpuUs(redis: Redis | null): Promise<number> {
  const text = (await redis?.info('cpu')) ?? '';
  const parts = ['used_cpu_user', 'used_cpu_sys'].map(
    (name) => new RegExp(`${name}:([\\d.]+)`).exec(text)?.[1],
  );
  return parts.reduce((sum, part) => sum + Number(part), 0) * 1e6;
}
