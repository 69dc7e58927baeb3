import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { observerFor } from '../../gateway/observer.ts';
import type { Observation, Permit } from '../../policy/types.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { gatePermit, gateRoute } from '../support/gate.ts';

const observation: Observation = { pin: 'app', subject: 'project=a', pointer: ['bundle_id'] };

/** The yes of a row that observes. */
function permitWith(...observations: readonly Observation[]): Permit {
  return { ...gatePermit(gateRoute('/user')), observations };
}

/** Rooms where everything can be read and nothing written. */
async function readonlyRooms() {
  const path = join(temporaryFolder(), 'pins.db');
  await (await openSqliteTokens({ path, now: Date.now })).close();
  const store = await openSqliteTokens({ path, now: Date.now, readonly: true });
  onTestFinished(() => store.close());
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { pins, audit } = store;
  const onUnrecorded = (requestId: string, subjects: readonly string[]) => resolve({ requestId, subjects });
  return { rooms: { pins, audit, onUnrecorded }, unrecorded: promise };
}

test('a row that observes nothing has no observer', async () => {
  const { rooms } = await readonlyRooms();
  expect(observerFor(permitWith(), rooms)).toBeNull();
});

test('a change that cannot be written is a fault of the store, and is said where the audit cannot', async () => {
  const { rooms, unrecorded } = await readonlyRooms();
  const observer = observerFor(permitWith(observation), rooms);
  const fault = expect.objectContaining({ name: 'StoreFault', code: 'store_unavailable' });
  await expect(observer?.commit(Buffer.from('{"bundle_id":"com.example.a"}'))).rejects.toEqual(fault);
  observer?.failed(new Error('why'));
  expect(await unrecorded).toEqual({ requestId: 'ours-1', subjects: ['project=a'] });
});

test('a fault never repeats what the answer holds', async () => {
  const { rooms } = await readonlyRooms();
  const observer = observerFor(permitWith(observation), rooms);
  for (const body of ['{"secret"', '{"bundle_id":["secret"]}', `{"bundle_id":"secret\\u0001"}`]) {
    const error: unknown = await observer?.commit(Buffer.from(body)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'UpstreamFault', code: 'upstream_protocol_error' });
    expect(String(error)).not.toContain('secret');
  }
});
