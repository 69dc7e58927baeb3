/** `postern alerts` and the routes about alerts, beside a store in which some were raised. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { type AdminFixture, startAdmin } from '../fixtures/admin.ts';
import { deskConfig, Terminal } from './terminal.ts';

/** A terminal beside a store with two alerts: the older of a place that its finder chose the words of. */
async function noticed() {
  const terminal = new Terminal(deskConfig);
  expect((await terminal.run('token', 'create', '--type', 'user', '--label', 'x')).code).toBe(0);
  const store = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
  const odd = {
    kind: 'spike.bundle',
    subject: 'com.\u001b[2Jevil\u202e',
    tokenId: null,
    quietMs: 0,
  } as const;
  const one = await store.alerts.raise({ ...odd, detail: { requests: 900, usual: 12.5 } });
  const token = { kind: 'unseen.origin', subject: 'tok_a', tokenId: 'tok_a', quietMs: 0 } as const;
  const two = await store.alerts.raise({
    ...token,
    detail: { values: [null, 'https://\u009b.example'], known: 2 },
  });
  await store.close();
  return { terminal, older: one?.id ?? '', newer: two?.id ?? '' };
}

describe('postern alerts', () => {
  test('shows the newest first, with nothing in them that moves a cursor', async () => {
    const { terminal, older, newer } = await noticed();
    const { code, stdout } = await terminal.run('alerts');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['ID', 'AT', 'KIND', 'SUBJECT', 'STATE', 'DETAIL'],
      [
        newer,
        expect.any(String),
        'unseen.origin',
        'tok_a',
        'open',
        'values (none sent) https://\\u{9b}.example, known 2',
      ],
      [
        older,
        expect.any(String),
        'spike.bundle',
        'com.\\u{1b}[2Jevil\\u{202e}',
        'open',
        'requests 900, usual 12.5',
      ],
      [''],
    ]);
  });

  test('pages, and says where to go on', async () => {
    const { terminal, older, newer } = await noticed();
    const first = await terminal.run('alerts', '--limit', '1');
    expect(first.stderr).toBe(`there are more: --after ${newer}\n`);
    const { alerts, next } = await terminal.json('alerts', '--after', newer);
    expect([alerts.map(({ id }: { id: string }) => id), next]).toEqual([[older], null]);
  });

  test('ack takes one out of the open ones, once, with who and when in the audit', async () => {
    const { terminal, older, newer } = await noticed();
    const acknowledged = await terminal.json('alerts', 'ack', older);
    expect(acknowledged).toMatchObject({ id: older, acknowledged_by: 'cli', kind: 'spike.bundle' });
    expect((await terminal.run('alerts', 'ack', older)).stdout).toBe(
      `${older} was acknowledged at ${acknowledged.acknowledged_at} by cli\n`,
    );
    expect((await terminal.json('alerts', '--open')).alerts).toMatchObject([{ id: newer }]);
    const { entries } = await terminal.json('audit', 'list');
    expect(entries.map(({ action }: { action: string }) => action)).toEqual([
      ...['token.create', 'alert.raised', 'alert.raised', 'alert.acknowledge'],
    ]);
  });

  test('says what is not there', async () => {
    const terminal = new Terminal(deskConfig);
    expect(await terminal.run('alerts')).toMatchObject({ code: 0, stdout: '', stderr: 'no alerts\n' });
    expect((await terminal.run('alerts', 'ack', 'alr_x')).stderr).toMatch(/^error: there is no database yet/);
    const { terminal: other } = await noticed();
    expect(await other.run('alerts', 'ack', 'alr_x')).toMatchObject({
      code: 1,
      stderr: 'error: no alert has this id; find it with alerts; an id starts with alr_\n',
    });
  });
});

describe('the admin API', () => {
  let admin: AdminFixture;
  const ids: string[] = [];
  beforeAll(async () => {
    admin = await startAdmin();
    for (const subject of ['tok_a', 'tok_b', 'tok_c']) {
      const alert = {
        kind: 'refusals.token',
        subject,
        tokenId: subject,
        detail: { refused: 9 },
        quietMs: 0,
      } as const;
      ids.unshift((await admin.gateway.running.tokens.alerts.raise(alert))?.id ?? '');
    }
  });
  afterAll(() => admin.gateway.stop());

  test('lists alerts page by page', async () => {
    const { json, headers } = await admin.ask('GET /v1/alerts?limit=2');
    expect(json.alerts.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2));
    expect(headers.get('Link')).toBe(`</v1/alerts?limit=2&after=${ids[1]}>; rel="next"`);
    const second = await admin.ask(`GET /v1/alerts?after=${json.next}`);
    expect(second.json).toMatchObject({
      alerts: [{ id: ids[2], subject: 'tok_a', acknowledged_at: null }],
      next: null,
    });
  });

  test('acknowledges by who asks, on trial without a trace, and then for good', async () => {
    const { id: reader, token: reading } = await admin.mint('alerts:read');
    expect(reader).toMatch(/^tok_/);
    const line = `POST /v1/alerts/${ids[0]}/acknowledge`;
    expect((await admin.ask(line, { token: reading, body: {} })).json.code).toBe('scope_missing');
    const { id, token } = await admin.mint('alerts:read', 'alerts:write');
    const dry = await admin.ask(`${line}?dry_run=true`, { token, body: {} });
    expect(dry.json).toMatchObject({ acknowledged_by: `token:${id}`, dry_run: true });
    expect((await admin.ask('GET /v1/alerts?open=true', { token })).json.alerts).toHaveLength(3);
    expect((await admin.ask(line, { token })).json).toMatchObject({ acknowledged_by: `token:${id}` });
    expect((await admin.ask(line)).json).toMatchObject({ acknowledged_by: `token:${id}` });
    expect((await admin.ask('GET /v1/alerts?open=true', { token })).json.alerts).toHaveLength(2);
    const none = await admin.ask('POST /v1/alerts/alr_none/acknowledge', { token });
    expect([none.status, none.json.hint]).toEqual([404, 'find it with alerts; an id starts with alr_']);
    expect((await admin.ask('GET /v1/alerts?open=yes', { token })).json.hint).toBe('write true or false');
  });
});
