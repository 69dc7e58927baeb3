/** What bcrypt may cost: bounded work, shared work, and none of it on the event loop. */
import { compareSync, hashSync } from 'bcryptjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { BcryptVerifier, type VerifierOptions } from '../../store/bcrypt-verifier.ts';
import type { StoreAlert } from '../../store/tokens-options.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { cpuMs } from '../support/busy.ts';
import { longestGapMs } from './event-loop.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { bcryptRule, importedToken, NOW, newToken, PROJECT, tokenType, UPGRADING } from './token-types.ts';

async function openTokens(verifier: VerifierOptions = {}) {
  const alerts: StoreAlert[] = [];
  const path = `${temporaryFolder()}/tokens.db`;
  const onAlert = (alert: StoreAlert) => alerts.push(alert);
  const open = () => openSqliteTokens({ path, now: () => NOW, verifier, onAlert });
  const store = await open();
  onTestFinished(() => store.close());
  return { store, open, alerts };
}

function openVerifier(options: VerifierOptions) {
  const verifier = new BcryptVerifier(options);
  onTestFinished(() => verifier.close());
  return verifier;
}

describe('work that is shared', () => {
  test('sixteen finds of one token at once pay for one comparison', async () => {
    const { store } = await openTokens({ threads: 1, queueMax: 1 });
    const { plaintext, record } = await store.create(newToken(PROJECT));
    const before = store.verifierCompleted();
    const found = await Promise.all(Array.from({ length: 16 }, () => store.find(plaintext, [PROJECT])));
    expect(found).toStrictEqual(Array(16).fill(record));
    expect(store.verifierCompleted() - before).toBe(1);
  });

  test('a token that was verified is never compared again, and answered at once', async () => {
    const { store } = await openTokens();
    const { plaintext, record } = await store.create(newToken(PROJECT));
    await store.find(plaintext, [PROJECT]);
    const before = store.verifierCompleted();
    expect(store.find(plaintext, [PROJECT])).toStrictEqual(record);
    expect(store.verifierCompleted()).toBe(before);
  });

  test('without `then: sha256` each process pays once; with it, only the first', async () => {
    const { store, open } = await openTokens();
    const plain = await store.create(newToken(PROJECT));
    const upgrading = await store.create(newToken(UPGRADING));
    await store.find(plain.plaintext, [PROJECT]);
    await store.find(upgrading.plaintext, [UPGRADING]);
    await store.close();
    const next = await open();
    onTestFinished(() => next.close());
    await next.find(upgrading.plaintext, [UPGRADING]);
    expect(next.verifierCompleted()).toBe(0);
    await next.find(plain.plaintext, [PROJECT]);
    expect(next.verifierCompleted()).toBe(1);
  });

  test('a row whose digest was written is no candidate for its neighbours', async () => {
    const { store, open } = await openTokens();
    const texts = Array.from({ length: 8 }, (_, n) => `upg_samestart-${n}`);
    const row = (text: string) =>
      importedToken(UPGRADING, { bcrypt: hashSync(text, 4), lookup: text.slice(0, 12) });
    await store.import(texts.map(row));
    for (const text of texts) await store.find(text, [UPGRADING]);
    await store.close();
    // Were the eight still candidates, a ninth would be one too many.
    const same = await open();
    onTestFinished(() => same.close());
    await same.import([row('upg_samestart-8')]);
    expect(await same.find('upg_samestart-8', [UPGRADING])).not.toBeNull();
    expect(await same.find('upg_samestart-0', [UPGRADING])).not.toBeNull();
  });
});

describe('work that is bounded', () => {
  test('a full queue is "busy, come back", and counts nothing', async () => {
    const verifier = openVerifier({ threads: 1, queueMax: 2 });
    const stored = hashSync('right', 4);
    const jobs = Array.from({ length: 5 }, (_, n) => verifier.match(n === 0 ? 'right' : 'wrong', [stored]));
    expect(verifier.depth).toBe(3);
    const busy = expect.objectContaining({ code: 'verifier_busy', retryAfterMs: expect.any(Number) });
    const results = await Promise.allSettled(jobs);
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason))).toEqual([
      [0],
      [],
      [],
      busy,
      busy,
    ]);
    expect([verifier.depth, verifier.completed]).toEqual([0, 3]);
    expect(await verifier.match('right', [stored])).toEqual([0]);
  });

  test('a busy answer says to come back in a second or more', async () => {
    const verifier = openVerifier({ threads: 1, queueMax: 0 });
    const running = verifier.match('a', [hashSync('b', 4)]);
    const refused = await verifier.match('a', []).catch((fault) => fault);
    expect(refused.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    await running;
  });

  test('through the store: unknown tokens are busy, a verified one is still answered', async () => {
    const { store } = await openTokens({ threads: 1, queueMax: 1 });
    const { plaintext, record } = await store.create(newToken(PROJECT));
    await store.find(plaintext, [PROJECT]);
    const flood = Array.from({ length: 8 }, (_, n) => store.find(`${plaintext.slice(0, 20)}${n}`, [PROJECT]));
    expect(store.verifierDepth()).toBe(2);
    expect(store.find(plaintext, [PROJECT])).toStrictEqual(record);
    const results = await Promise.allSettled(flood);
    const refused = results
      .filter((result) => result.status === 'rejected')
      .map((result) => result.reason.code);
    expect(refused).toEqual(Array(6).fill('verifier_busy'));
  });

  test('a token no row could be costs no job and no wait', async () => {
    const { store } = await openTokens();
    await store.create(newToken(PROJECT));
    expect(store.find('prj_00000000000000000000', [PROJECT])).toBeNull();
    expect(store.verifierDepth()).toBe(0);
  });

  test('an overfull lookup alerts once, not once per token', async () => {
    const { store, alerts } = await openTokens();
    const rows = Array.from({ length: 9 }, (_, n) =>
      importedToken(PROJECT, { bcrypt: hashSync(`prj_samestart-${n}`, 4), lookup: 'prj_samestar' }),
    );
    await store.import(rows);
    for (let n = 0; n < 3; n++) expect(() => store.find(`prj_samestart-${n}`, [PROJECT])).toThrow();
    expect(alerts.map((alert) => alert.code)).toEqual(['lookup_overfull']);
    expect(JSON.stringify(alerts)).not.toContain('samestar');
  });

  test('at cost 10 the event loop stays free while sixteen tokens are compared', async () => {
    const verifier = openVerifier({ threads: 1, queueMax: 16 });
    const stored = await verifier.hash('right', 10);
    const one = cpuMs();
    compareSync('wrong', stored);
    const oneMs = one();
    const all = cpuMs();
    const startedMs = performance.now();
    const jobs = Array.from({ length: 16 }, (_, n) => verifier.match(`wrong-${n}`, [stored]));
    const gapMs = await longestGapMs(Promise.all(jobs));
    // This thread's own time, which a busy machine does not lengthen: here all sixteen would be sixteen times as long. And it is never only waiting.
    expect(all()).toBeLessThan(8 * oneMs);
    expect(gapMs).toBeLessThan((performance.now() - startedMs) / 2);
  });
});

describe('what cannot be compared', () => {
  test('a damaged hash fits nothing and hides no neighbour', async () => {
    const verifier = openVerifier({ threads: 1 });
    const impossible = hashSync('right', 4).replace('$04$', '$99$');
    expect(await verifier.match('right', [impossible, '', hashSync('right', 4)])).toEqual([2]);
  });

  test('a type whose tokens exceed 72 bytes mints none', async () => {
    const { store } = await openTokens();
    const long = {
      ...tokenType('long', 'lng_', bcryptRule),
      issue: { length: 69, alphabet: 'hex' } as const,
    };
    await expect(store.create(newToken(long))).rejects.toThrow(/cannot judge all/);
    expect(store.list({ limit: 1 }).tokens).toEqual([]);
  });

  test('after close a comparison is a fault, never a miss', async () => {
    const { store } = await openTokens();
    const { plaintext } = await store.create(newToken(PROJECT));
    const found = Promise.allSettled([store.find(plaintext, [PROJECT])]);
    await store.close();
    expect(await found).toMatchObject([{ status: 'rejected', reason: { code: 'store_unavailable' } }]);
  });
});
