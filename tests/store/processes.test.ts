/** Two processes on one database: what one was told is done, the other sees; and no kill undoes it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { temporaryFolder } from './temporary-folder.ts';
import type { Acknowledged, ProcessOrder } from './token-process.ts';
import { newToken, USER } from './token-types.ts';

const SCRIPT = fileURLToPath(new URL('./token-process.ts', import.meta.url));

/** A child that has the database open. */
async function startOther(path: string): Promise<ChildProcess> {
  const child = fork(SCRIPT, [path], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, order: ProcessOrder): Promise<unknown> {
  child.send(order);
  const [answer] = await once(child, 'message');
  return answer;
}

test('what one process created or revoked, the very next find of the other sees, 200 times', async () => {
  const path = join(temporaryFolder(), 'tokens.db');
  const store = await openSqliteTokens({ path, now: Date.now });
  onTestFinished(() => store.close());
  const other = await startOther(path);

  for (let round = 0; round < 100; round++) {
    const { id, plaintext } = (await ask(other, { do: 'create' })) as Acknowledged;
    expect(store.find(plaintext, [USER])).toMatchObject({ id, revokedAt: null });
    await ask(other, { do: 'revoke', id });
    expect(store.find(plaintext, [USER])).toMatchObject({ id, revokedBy: 'the other process' });
  }
  for (let round = 0; round < 100; round++) {
    const { plaintext, record } = await store.create(newToken(USER));
    expect(await ask(other, { do: 'find', plaintext })).toBe('live');
    await store.revoke(record.id, 'this process', null);
    expect(await ask(other, { do: 'find', plaintext })).toBe('revoked');
  }
}, 20_000);

/** Lets a child write until so many changes were acknowledged, kills it there, and returns what it was told. */
async function killAfter(path: string, count: number): Promise<ReadonlyMap<string, Acknowledged>> {
  const child = await startOther(path);
  const told = new Map<string, Acknowledged>();
  let messages = 0;
  child.on('message', (message: Acknowledged) => {
    told.set(message.id, message);
    messages += 1;
    if (messages === count) child.kill('SIGKILL');
  });
  child.send({ do: 'hammer' } satisfies ProcessOrder);
  await once(child, 'close');
  return told;
}

/** Twelve in all with FULL=1. */
const kills = process.env.FULL === '1' ? 6 : 3;

test('kills in the middle of writing lose no change that was acknowledged', async () => {
  const runs = [join(temporaryFolder(), 'a.db'), join(temporaryFolder(), 'b.db')].map(async (path) => {
    for (let kill = 0; kill < kills; kill++) {
      const told = await killAfter(path, 1 + kill * 12);
      expect(told.size).toBeGreaterThan(0);
      const store = await openSqliteTokens({ path, now: Date.now });
      for (const { id, plaintext, revoked } of told.values()) {
        const record = await store.find(plaintext, [USER]);
        expect(record?.id).toBe(id);
        if (revoked) expect(record?.revokedBy).toBe('the other process');
      }
      await store.close();
    }
    expect(new Database(path).pragma('integrity_check', { simple: true })).toBe('ok');
  });
  await Promise.all(runs);
}, 40_000);
