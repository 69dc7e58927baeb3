/** Idempotency-Key: once in a day, whoever of two gateways on one store is asked, and never twice the secret. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AdminFixture } from '../fixtures/admin.ts';
import { startTwoAdmins, storeKinds, type TwoAdmins } from '../fixtures/two-admins.ts';

describe.each(storeKinds)('an Idempotency-Key on %s', (kind) => {
  let one: AdminFixture;
  let other: AdminFixture;
  let token: string;
  let kept: TwoAdmins['kept'];
  let stop: TwoAdmins['stop'];
  beforeAll(async () => {
    ({ one, other, token, kept, stop } = await startTwoAdmins(kind));
  });
  afterAll(() => stop());

  const keyed = (key: string, body: unknown = {}, by = token) => ({
    token: by,
    body,
    headers: { 'Idempotency-Key': key },
  });
  const made = (name: string) => ({ type: 'project', attributes: { project: name } });
  const countOf = async (name: string) => {
    const { json } = await one.ask(`GET /v1/tokens?type=project&attribute=project=${name}&limit=1000`, {
      token,
    });
    return json.tokens.length;
  };

  test('makes one token of a request that comes again, by either gateway, and shows it once', async () => {
    const first = await one.ask('POST /v1/tokens', keyed('k-1', made('a')));
    expect(first.headers.get('Idempotent-Replayed')).toBeNull();
    expect(first.json.token).toMatch(/^prj_/);
    for (const face of [one, other]) {
      const again = await face.ask('POST /v1/tokens', keyed('k-1', made('a')));
      expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 'true']);
      expect(again.json).toEqual({ ...first.json, token: null });
    }
    // A structured field's text is the same key.
    expect((await one.ask('POST /v1/tokens', keyed('"k-1"', made('a')))).json.token).toBeNull();
    expect(await countOf('a')).toBe(1);
  });

  test('makes one token of requests that come at once', async () => {
    for (let round = 0; round < 5; round++) {
      const name = `race-${round}`;
      const faces = [one, other, one, other, one, other, one, other];
      const all = await Promise.all(
        faces.map((face) => face.ask('POST /v1/tokens', keyed(name, made(name)))),
      );
      const secrets = all.filter(({ json }) => typeof json.token === 'string');
      expect(secrets).toHaveLength(1);
      for (const { status, json, headers } of all) {
        if (status === 201 && json.token === null) expect(headers.get('Idempotent-Replayed')).toBe('true');
        else if (status !== 201) expect([status, json.code]).toEqual([409, 'idempotency_key_in_use']);
      }
      expect(await countOf(name)).toBe(1);
    }
  });

  test('rotates and regenerates once, and says again what was replaced', async () => {
    const { id } = (await one.ask('POST /v1/tokens', { token, body: made('r') })).json;
    const line = `POST /v1/tokens/${id}/rotate`;
    const rotated = await one.ask(line, keyed('k-r', { overlap: '1h' }));
    const again = await other.ask(line, keyed('k-r', { overlap: '1h' }));
    expect(again.json).toEqual({ ...rotated.json, token: null });
    const regenerated = await one.ask('POST /v1/tokens/regenerate', keyed('k-g', made('r')));
    const anew = await other.ask('POST /v1/tokens/regenerate', keyed('k-g', made('r')));
    expect(regenerated.json.replaced).toHaveLength(2);
    expect(anew.json).toEqual({ ...regenerated.json, token: null });
  });

  test('is for one request, and for one caller', async () => {
    await one.ask('POST /v1/tokens', keyed('k-2', made('b')));
    for (const [line, body] of [
      ['POST /v1/tokens', made('c')],
      ['POST /v1/tokens', { ...made('b'), label: 'y' }],
      ['POST /v1/tokens/regenerate', made('b')],
    ] as const) {
      const { status, json } = await other.ask(line, keyed('k-2', body));
      expect([status, json.code]).toEqual([422, 'idempotency_key_reused']);
    }
    const { token: second } = await one.mint();
    expect((await one.ask('POST /v1/tokens', keyed('k-2', made('c'), second))).json.token).toMatch(/^prj_/);
  });

  test('is free again where nothing was made', async () => {
    const { id } = (await one.ask('POST /v1/tokens', { token, body: made('f') })).json;
    expect((await one.ask('POST /v1/tokens', keyed('k-3', { type: 'nothing' }))).status).toBe(400);
    await one.ask(`POST /v1/tokens/${id}/disable`, { token, body: {} });
    const line = `POST /v1/tokens/${id}/rotate`;
    expect((await one.ask(line, keyed('k-3'))).status).toBe(409);
    await one.ask(`POST /v1/tokens/${id}/enable`, { token, body: {} });
    expect((await one.ask(line, keyed('k-3'))).json.token).toMatch(/^prj_/);
  });

  test('is left alone by a dry run', async () => {
    expect((await one.ask('POST /v1/tokens?dry_run=true', keyed('k-4', made('d')))).json.dry_run).toBe(true);
    expect((await one.ask('POST /v1/tokens', keyed('k-4', made('d')))).json.token).toMatch(/^prj_/);
  });

  test('that is none is refused, and so is one where it would have no effect', async () => {
    for (const key of ['', 'a b', 'x'.repeat(256), '"', '"a']) {
      expect((await one.ask('POST /v1/tokens', keyed(key, made('e')))).status).toBe(400);
    }
    const probe = { for: 'prj_a', label_pattern: 'x' };
    expect((await one.ask('POST /v1/probes', keyed('k-5', probe))).status).toBe(400);
    expect(await countOf('e')).toBe(0);
  });

  test('is kept as a digest, with nothing of the request or the secret', async () => {
    const { token: secret } = (await one.ask('POST /v1/tokens', keyed('k-very-own', made('kept')))).json;
    const rows = await kept('idempotency');
    for (const text of ['k-very-own', secret]) expect(rows).not.toContain(text);
  });
});
