/** What the chain of every audit must hold: the rows of whoever writes some, from several stores at once. */
import { expect, onTestFinished, test } from 'vitest';
import type { OpenTokens } from '../../store/tokens.ts';
import { type ChainDatabase, KEY } from './audit-chain.suite.ts';
import { dayMs, learning } from './token-life-kit.ts';
import { importedToken, NOW, newToken, USER } from './token-types.ts';

export function testEverybodysRows(name: string, createDatabase: () => Promise<ChainDatabase>): void {
  test(`the chain of the audit on ${name} is one line through alerts, sessions, retirements, imports, purges and keys, from several stores at once`, async () => {
    const database = await createDatabase();
    const clock = { now: NOW };
    const open = () => database.open({ now: () => clock.now, auditKeys: () => [KEY] });
    const stores = [await open(), await open(), await open()];
    onTestFinished(async () => {
      for (const one of stores) await one.close();
      await database.remove();
    });
    const [store] = stores as [OpenTokens];
    const said = '\0\ud800 "ü" \u2028';
    const alert = (subject: string) => ({
      ...({
        kind: 'unseen.bundle',
        subject,
        tokenId: null,
        detail: { values: [said] },
        quietMs: 0,
      } as const),
    });
    const holder = { kind: 'operator', name: 'op' } as const;
    const session = { holder, proof: 'p', address: '::1', by: 'op' };
    const of = (project: string) => new Map([['project', project]]);
    const key = { caller: 'c', keyDigest: 'k', requestDigest: 'r' };
    const work = stores.map(async (one, at) => {
      const plain = newToken(USER, { attributes: of(`p${at}`) });
      const { record } = await one.create(plain);
      const rotated = await one.rotate(record.id, USER, 10 * dayMs, 'test', true);
      const successor = rotated?.kind === 'rotated' ? rotated.created.record.id : '';
      const quiet = { tokenId: record.id, successor, lastUsedAt: 0, by: 'test', reason: 'quiet' };
      const raised = await Promise.all(
        [`${said}${at}`, 'one for all'].map((subject) => one.alerts.raise(alert(subject))),
      );
      for (const told of raised) await one.alerts.acknowledge(told?.id ?? '', 'test');
      const opened = await one.sessions.open(session);
      const learned = learning(USER, { plaintext: `usr_learned${at}`, insteadOf: of(`p${at}`) });
      await Promise.all(stores.map((other) => other.retirements.retire(quiet)));
      await Promise.all([
        one.sessions.end(opened.record.id, 'op'),
        one.import([importedToken(USER, { sha256: String(at).repeat(64) }, { expiresAt: NOW - 1 })]),
        one.once
          .writes({ ...key, keyDigest: 'k' })
          .create(plain)
          .catch(() => null),
        one.once.writes({ ...key, keyDigest: `k${at}` }).create(plain),
        one.learn(learned),
        one.dry.alerts.acknowledge(raised[0]?.id ?? '', 'test'),
        one.regenerate({
          type: USER,
          attributes: of(`p${at}`),
          scopes: null,
          label: 'l',
          graceMs: 0,
          by: 'test',
        }),
      ]);
    });
    await Promise.all(work);
    clock.now += dayMs;
    await Promise.all(stores.map((one) => one.purge({ endedBeforeMs: clock.now, but: [], by: 'test' })));
    const { entries } = await store.audit.list({ subject: null, after: null, limit: 1000 });
    const count = (action: string) => entries.filter((entry) => entry.action === action).length;
    expect([count('token.retire'), count('alert.raised'), count('alert.acknowledge')]).toEqual([3, 6, 6]);
    expect(await store.audit.verify(null)).toMatchObject({ rows: entries.length, unsealed: 0, flaw: null });
  });
}
