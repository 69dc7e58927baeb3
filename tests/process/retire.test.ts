/** A gateway that starts ends what was to end once it is quiet, and says so. */
import { expect, onTestFinished, test } from 'vitest';
import { quietMs } from '../../policy/retire.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { configFile, startPostern } from '../fixtures/process.ts';
import { newToken, USER } from '../store/token-types.ts';

const yaml = `
upstreams:
  app: { url: http://127.0.0.1:1 }
token_types:
  user: { prefix: usr_, grantable: [events:read, events:write], attributes: { project: optional, teams: list } }
scopes: { events:read: Read, events:write: Write }
apis:
  main:
    to: app
    routes:
      GET /items: { allow: { user: any_scope } }
`;

test('the old token of a rotation ends before its overlap, and its successor goes on', async () => {
  const file = configFile(yaml);
  onTestFinished(file.remove);
  const then = Date.now() - quietMs - 1000;
  const store = await openSqliteTokens({ path: file.database, now: () => then });
  const old = await store.create(newToken(USER, { origins: [] }));
  const rotation = await store.rotate(old.record.id, USER, 30 * 86_400_000, 'op', true);
  if (rotation?.kind !== 'rotated') throw new Error('not rotated');
  const { record, plaintext } = rotation.created;
  store.touch(record.id, then);
  await store.close();
  const child = await startPostern(file.path);
  onTestFinished(child.kill);
  expect(await child.line('token_retired')).toMatchObject({ tokenId: old.record.id, successor: record.id });
  const ask = async (token: string) =>
    (await fetch(`${child.url}/items`, { headers: { Authorization: `Bearer ${token}` } })).status;
  expect([await ask(old.plaintext), await ask(plaintext)]).toEqual([401, 502]);
});
