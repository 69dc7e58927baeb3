/** Usage over the admin API: what the command line says, in the same words. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminFixture, startAdmin, wholeConfig } from '../fixtures/admin.ts';
import { Terminal } from './terminal.ts';

const HOUR = 3_600_000;
const route = 'main GET /events';

let admin: AdminFixture;
beforeAll(async () => {
  admin = await startAdmin();
});
afterAll(() => admin.gateway.stop());

/** A token with uses, rotated to one that is in use. */
async function rotated({ whenQuiet = false, agoMs = 2 * HOUR } = {}) {
  const { running } = admin.gateway;
  const { id: old } = await admin.gateway.mint('project', { attributes: { project: 'p' } });
  const body = { overlap: '7d', ...(whenQuiet ? { retire: 'when_quiet' } : {}) };
  const { id: successor } = (await admin.ask(`POST /v1/tokens/${old}/rotate`, { body })).json;
  const now = Date.now();
  for (const [tokenId, ago] of [
    [old, agoMs],
    [successor, 1000],
  ] as const) {
    const at = now - ago;
    await running.tokens.usage.add(
      [{ tokenId, minuteMs: at - (at % 60_000), route, passed: 3, refused: 1, failed: 2 }],
      [{ tokenId, at, address: '10.0.0.1', route }],
    );
  }
  return { old, successor };
}

describe('usage', () => {
  test('of one token: rows, last use, and whether a rotated one is still needed', async () => {
    const { old, successor } = await rotated();
    const { status, json } = await admin.ask(`GET /v1/tokens/${old}/usage?by=route`);
    expect(status).toBe(200);
    expect(json).toEqual({
      since: expect.stringMatching(/Z$/),
      bucket: 'hour',
      rows: [{ route, passed: 3, refused: 1, failed: 2 }],
      last_use: { at: expect.stringMatching(/Z$/), address: '10.0.0.1', route },
      rotation: {
        successor,
        old_last_use: expect.objectContaining({ route }),
        new_last_use: expect.objectContaining({ route }),
        safe_to_retire: false,
        because: expect.stringContaining('25 hours'),
      },
    });
    const minutes = (await admin.ask(`GET /v1/tokens/${successor}/usage?since=1h`)).json;
    expect(minutes).toMatchObject({ bucket: 'minute', rows: [{ passed: 3 }], rotation: null });
    expect((await admin.ask(`GET /v1/usage?token=${old}&by=route`)).json).toEqual({
      ...json,
      since: expect.any(String),
    });
  });

  test('says the same at the terminal, by time, row and token', async () => {
    const { old } = await rotated();
    const terminal = new Terminal(
      wholeConfig.replace(
        'version: 1\n',
        `version: 1\nstore: { url: "sqlite:${admin.gateway.folder}/data/postern.db" }\n`,
      ),
    );
    const alike = (json: object) => ({ ...json, since: '' });
    for (const by of ['time', 'route', 'token']) {
      for (const since of ['24h', '3h', '400d']) {
        const words = ['--by', by, '--since', since, '--limit', '7'];
        const query = `by=${by}&since=${since}&limit=7`;
        expect(alike((await admin.ask(`GET /v1/usage?${query}`)).json)).toEqual(
          alike(await terminal.json('usage', ...words)),
        );
        expect(alike((await admin.ask(`GET /v1/usage?token=${old}&${query}`)).json)).toEqual(
          alike(await terminal.json('usage', old, ...words)),
        );
      }
    }
    const { stderr, code } = await terminal.run('usage', '--since', '401d');
    const { status, json } = await admin.ask('GET /v1/usage?since=401d');
    expect([code, status, stderr]).toEqual([1, 400, `error: ${json.detail}; ${json.hint}\n`]);
  });

  test('is for whoever may read it, and of tokens that there are', async () => {
    const { token } = await admin.mint('tokens:read', 'tail:read');
    for (const path of ['/v1/usage', '/v1/tokens/tok_1/usage']) {
      expect((await admin.ask(`GET ${path}`, { token })).json.code).toBe('scope_missing');
    }
    for (const path of ['/v1/usage?token=tok_none', '/v1/tokens/tok_none/usage']) {
      expect((await admin.ask(`GET ${path}`)).json.code).toBe('record_not_found');
    }
    for (const query of ['by=weather', 'since=10', 'since=9999999999d', 'limit=0', 'sins=1h']) {
      const { status, json } = await admin.ask(`GET /v1/usage?${query}`);
      expect([query, status, json.code]).toEqual([query, 400, 'payload_invalid']);
    }
    expect((await admin.ask('GET /v1/tokens/tok_1/usage?by=token')).status).toBe(400);
  });
});

describe('tokens that nobody uses', () => {
  test('are listed by either face', async () => {
    const own = await startAdmin();
    try {
      const old = await own.gateway.mint('project', { attributes: { project: 'p' } });
      await new Promise((resolve) => setTimeout(resolve, 5));
      const { json } = await own.ask('GET /v1/tokens?unused_for=1ms&type=project');
      expect(json.tokens.map(({ id }: { id: string }) => id)).toEqual([old.id]);
      const terminal = new Terminal(
        wholeConfig.replace(
          'version: 1\n',
          `version: 1\nstore: { url: "sqlite:${own.gateway.folder}/data/postern.db" }\n`,
        ),
      );
      const words = ['token', 'list', '--unused-for', '1ms', '--type', 'project'];
      expect(await terminal.json(...words)).toEqual(json);
      expect(await terminal.json(...words, '--attribute', 'project=p')).toEqual(json);
      expect((await terminal.json(...words, '--attribute', 'project=q')).tokens).toEqual([]);
      expect((await terminal.json('token', 'list', '--unused-for', '90d')).tokens).toEqual([]);
      expect((await own.ask('GET /v1/tokens?unused_for=90d')).json.tokens).toEqual([]);
      expect((await own.ask('GET /v1/tokens?unused_for=90')).status).toBe(400);
      expect((await terminal.run('token', 'list', '--unused-for', '90')).code).toBe(2);
    } finally {
      await own.gateway.stop();
    }
  });
});

describe('a rotation that ends the old token when it is quiet', () => {
  test('is asked for by either face, with an overlap in which anybody could tell', async () => {
    const { old } = await rotated({ whenQuiet: true });
    const { running } = admin.gateway;
    expect(await running.tokens.retirements.pending('')).toMatchObject([{ tokenId: old }]);
    const { id } = await admin.gateway.mint('project', { attributes: { project: 'p' } });
    const tooShort = { retire: 'when_quiet' };
    const { status, json } = await admin.ask(`POST /v1/tokens/${id}/rotate`, { body: tooShort });
    expect([status, json.hint]).toEqual([400, 'write a longer one, such as 7d']);
    const terminal = new Terminal(
      wholeConfig.replace(
        'version: 1\n',
        `version: 1\nstore: { url: "sqlite:${admin.gateway.folder}/data/postern.db" }\n`,
      ),
    );
    expect(await terminal.run('token', 'rotate', id, '--retire-when-quiet')).toMatchObject({
      code: 1,
      stderr:
        'error: an overlap that ends before anybody can tell that the token is quiet, which takes 25h; write a longer one, such as 7d\n',
    });
    const { stderr } = await terminal.run('token', 'rotate', id, '--overlap', '7d', '--retire-when-quiet');
    expect(stderr).toMatch(/works until \S+Z, or until nobody needs it\. It is shown this once:\n$/);
    expect((await running.tokens.retirements.pending('')).map(({ tokenId }) => tokenId)).toEqual([old, id]);
    expect((await admin.ask(`POST /v1/tokens/${id}/rotate`, { body: { retire: 'now' } })).status).toBe(400);
  });
});
