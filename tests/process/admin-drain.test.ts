/** The admin listener is the last to go: whoever looks after a drain can do so until it is over. */
import { expect, test } from 'vitest';
import { adminConfig, startAdmin } from '../fixtures/admin.ts';

test('while the gate drains the admin listener answers, and then no more', async () => {
  const listen = 'listen: { address: 127.0.0.1:0, drain: { announce: 300ms, requests: 2s, streams: 1s } }';
  const admin = await startAdmin(adminConfig, `admin: { address: 127.0.0.1:0 }\n${listen}`);
  const { running } = admin.gateway;
  const stopped = admin.gateway.stop();
  expect(running.life.phase).toBe('announcing');
  expect((await admin.ask('GET /v1/whoami')).status).toBe(200);
  const body = { type: 'project', attributes: { project: 'late' } };
  expect((await admin.ask('POST /v1/tokens', { body })).status).toBe(201);
  await stopped;
  await expect(admin.ask('GET /v1/whoami')).rejects.toThrow('fetch failed');
});
