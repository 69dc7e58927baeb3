/** If-Match on the admin API: of several who save what they all have seen one does, by whichever gateway on the store. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readIfMatch, tagOf } from '../../gateway/admin/http-match.ts';
import type { AdminFixture } from '../fixtures/admin.ts';
import { startTwoAdmins, storeKinds } from '../fixtures/two-admins.ts';

describe.each(storeKinds)('on %s', (kind) => {
  let one: AdminFixture;
  let other: AdminFixture;
  let token: string;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ one, other, token, stop } = await startTwoAdmins(kind));
  });
  afterAll(() => stop());

  const make = async (): Promise<string> =>
    (await one.ask('POST /v1/tokens', { token, body: { type: 'user', label: 'first' } })).json.id;
  const save = (at: AdminFixture, id: string, body: unknown, match: string | null) =>
    at.ask(`PATCH /v1/tokens/${id}`, { token, body, headers: match === null ? {} : { 'If-Match': match } });
  const updatesOf = async (id: string) => {
    const { entries } = (await one.ask(`GET /v1/audit?subject=${id}`, { token })).json;
    return entries.filter(({ action }: { action: string }) => action === 'token.update').length;
  };

  test('what is shown and what is changed has its version as its ETag', async () => {
    const id = await make();
    const shown = await one.ask(`GET /v1/tokens/${id}`, { token });
    expect([shown.headers.get('ETag'), shown.json.version]).toEqual(['"1"', 1]);
    const saved = await save(one, id, { label: 'second' }, '"1"');
    expect([saved.status, saved.headers.get('ETag'), saved.json.version]).toEqual([200, '"2"', 2]);
    expect((await one.ask('GET /v1/tokens', { token })).headers.get('ETag')).toBeNull();
  });

  test('of saves at the same moment one is made; each other is 412, and leaves nothing', async () => {
    const id = await make();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => save(n % 2 === 0 ? one : other, id, { label: `n${n}` }, '"1"')),
    );
    const made = answers.findIndex(({ status }) => status === 200);
    for (const [n, { status, json }] of answers.entries()) {
      if (n === made) continue;
      expect([status, json.code, json.path]).toEqual([412, 'precondition_failed', 'If-Match']);
    }
    const { json } = await other.ask(`GET /v1/tokens/${id}`, { token });
    expect([json.label, json.version, await updatesOf(id)]).toEqual([`n${made}`, 2, 1]);
  });

  test('whoever reads, changes and tries again loses nothing of what others wrote', async () => {
    const id = await make();
    const add = async (at: AdminFixture, origin: string): Promise<void> => {
      for (let status = 412; status !== 200; ) {
        const { json, headers } = await at.ask(`GET /v1/tokens/${id}`, { token });
        const body = { origins: [...json.origins, origin] };
        ({ status } = await save(at, id, body, headers.get('ETag')));
        expect([200, 412]).toContain(status);
      }
    };
    const origins = Array.from({ length: 6 }, (_, n) => `https://a${n}.example`);
    await Promise.all(origins.map((origin, n) => add(n % 2 === 0 ? one : other, origin)));
    const { json } = await one.ask(`GET /v1/tokens/${id}`, { token });
    expect([json.origins, json.version]).toEqual([origins, 7]);
  });

  test('a dry run says the same, and a revoked or unknown token what it says anyway', async () => {
    const id = await make();
    const dry = (match: string) =>
      one.ask(`PATCH /v1/tokens/${id}?dry_run=true`, {
        token,
        body: { label: 'x' },
        headers: { 'If-Match': match },
      });
    expect((await dry('"2"')).status).toBe(412);
    expect((await dry('"1"')).json).toMatchObject({ label: 'x', dry_run: true });
    expect((await save(one, id, { label: '' }, '"2"')).status).toBe(400);
    expect((await save(one, 'tok_none', { label: 'x' }, '"1"')).status).toBe(404);
    await one.ask(`POST /v1/tokens/${id}/revoke`, { token, body: {} });
    expect((await save(one, id, { label: 'x' }, '"1"')).json.code).toBe('state_conflict');
  });

  test.each([
    ['*', 200],
    ['"7", "1"', 200],
    ['"7","8"', 412],
    ['W/"1"', 412],
    ['"x"', 412],
    ['""', 412],
    ['"01"', 412],
    ['1', 400],
    ['"1', 400],
    ['*, "1"', 400],
    [',', 400],
  ])('%s is %i', async (match, status) => {
    const id = await make();
    const answer = await save(one, id, { label: 'second' }, match);
    expect([answer.status, await updatesOf(id)]).toEqual([status, status === 200 ? 1 : 0]);
    if (status !== 200) expect(answer.json.path).toBe('If-Match');
  });

  test('on a change that does not heed it, it is refused', async () => {
    const id = await make();
    for (const verb of ['rotate', 'revoke', 'disable']) {
      const asking = { token, body: {}, headers: { 'If-Match': '"1"' } };
      const { status, json } = await one.ask(`POST /v1/tokens/${id}/${verb}`, asking);
      expect([status, json.path]).toEqual([400, 'If-Match']);
    }
    expect((await one.ask(`GET /v1/tokens/${id}`, { token })).json).toMatchObject({
      state: 'active',
      version: 1,
    });
  });
});

test('a version is understood exactly where its tag is one of the list', () => {
  const heeds = { changes: true, versioned: true } as const;
  const opaque = fc.string({ unit: fc.constantFrom(...'0123456789,/W *é') });
  const tag = fc.oneof(
    fc.integer({ min: 1, max: 99 }).map((version) => ({ text: tagOf(version), version })),
    fc.record({ weak: fc.boolean(), inside: opaque }).map(({ weak, inside }) => {
      const text = inside.replaceAll(' ', '');
      const isOurs = !weak && /^[1-9][0-9]{0,14}$/.test(text);
      return { text: `${weak ? 'W/' : ''}"${text}"`, version: isOurs ? Number(text) : null };
    }),
  );
  const gap = fc.constantFrom(',', ', ', ' ,', ' , ,\t');
  fc.assert(
    fc.property(fc.array(fc.tuple(tag, gap), { minLength: 1, maxLength: 5 }), (list) => {
      const field = list.map(([{ text }, after], n) => text + (n < list.length - 1 ? after : '')).join('');
      const versions = list.flatMap(([{ version }]) => version ?? []);
      expect(readIfMatch(['If-Match', field], heeds)).toEqual(versions);
    }),
  );
});
