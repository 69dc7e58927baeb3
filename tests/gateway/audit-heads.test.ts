/** The head of the audit's chain on its way to the log. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { tellAuditHeads } from '../../gateway/audit-heads.ts';
import type { AuditHead } from '../../store/audit-store.ts';
import { StoreFault } from '../../store/fault.ts';

function teller(head: () => Promise<AuditHead | null>, everyMs?: number) {
  const sink = new PassThrough();
  const heads = tellAuditHeads({ head }, pino({ base: null, timestamp: false }, sink), everyMs);
  return { heads, next: async () => JSON.parse(String((await once(sink, 'data'))[0])), sink };
}

test('is told at once, again and again, and at the end', async () => {
  let seq = 0;
  const { heads, next, sink } = teller(async () => ({ seq: ++seq, mac: 'aa' }), 1);
  for (const expected of [1, 2, 3]) {
    expect(await next()).toEqual({ level: 30, event: 'audit_head', seq: expected, mac: 'aa' });
  }
  await heads.close();
  const last =
    String(sink.read() ?? '')
      .trim()
      .split('\n')
      .at(-1) ?? '';
  expect(JSON.parse(last).seq).toBe(seq);
});

test('is not told where there is none, and a store that cannot say is a warning without secrets', async () => {
  const none = teller(async () => null);
  await none.heads.close();
  expect(none.sink.read()).toBeNull();
  const away = teller(() => Promise.reject(new StoreFault('store_unavailable', 'PostgreSQL is away')));
  expect(await away.next()).toEqual({
    level: 40,
    event: 'audit_head_not_read',
    reason: 'PostgreSQL is away',
  });
  await away.heads.close();
});
