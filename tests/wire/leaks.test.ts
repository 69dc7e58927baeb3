/** Reports of leaks on the wire: signed by somebody known they are acted on, each once; anything else changes nothing. */
import { createHash, sign } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adminType } from '../../policy/admin-type.ts';
import type { TokenType } from '../../policy/token-types.ts';
import { mintSecret } from '../../store/secret.ts';
import {
  actionsOn,
  alertsOf,
  config,
  path,
  privateKey,
  report,
  start,
  statusOf,
  typesOf,
} from './leak-stage.ts';

test('tokens of every kind are answered as their type says, told once, and nothing of a report is kept', async () => {
  const gateway = await start();
  const made = await Promise.all(
    typesOf(gateway).map(async (type) => ({ type, ...(await gateway.mint(type.name)) })),
  );
  const strangers = typesOf(gateway).map((type) =>
    mintSecret(type, type.format === undefined ? undefined : '01NOBODY'),
  );
  const tokens = [...made.map(({ token }) => token), ...strangers, 'no token at all'];
  const answer = await report(
    gateway,
    tokens.map((token) => ({ token })),
  );
  expect(answer.status).toBe(200);
  expect(answer.json).toEqual(
    tokens.map((token, index) => ({
      token_hash: createHash('sha256').update(token).digest('hex'),
      token_type: 'any',
      label: index < made.length ? 'true_positive' : 'false_positive',
    })),
  );
  for (const { type, id, token } of made) {
    const [status, action] =
      type.name === 'noted' ? [200, []] : [401, [`token.${type.name === 'ended' ? 'revoke' : 'disable'}`]];
    expect(await statusOf(gateway, token)).toBe(status);
    expect(await actionsOn(gateway, id)).toEqual([
      'test token.create',
      ...action.map((one) => `leak-report ${one}`),
      'postern alert.raised',
    ]);
  }
  const alerts = await alertsOf(gateway);
  expect(alerts.map(({ kind, subject }) => [kind, subject]).sort()).toEqual(
    made.map(({ id }) => ['leak.reported', id]).sort(),
  );
  expect(alerts[0]?.detail).toMatchObject({ places: ['Content https://h.example/f'] });
  await gateway.stop();
  for (const token of tokens) expect(gateway.logText()).not.toContain(token);
  expect(gateway.lines.find(({ event }) => event === 'leak_report')).toMatchObject({
    reports: tokens.length,
    ours: made.length,
  });
});

test('a report that is sent again changes nothing, not even for a token that was enabled meanwhile', async () => {
  const gateway = await start();
  const { id, token } = await gateway.mint('plain');
  await report(gateway, [{ token }]);
  await gateway.running.tokens.enable(id, 'operator');
  expect((await report(gateway, [{ token }])).status).toBe(200);
  expect(await statusOf(gateway, token)).toBe(200);
  expect(await alertsOf(gateway)).toHaveLength(1);
  // Another leak of it is another leak.
  await report(gateway, [{ token, url: 'https://elsewhere.example' }]);
  expect(await statusOf(gateway, token)).toBe(401);
  expect(await alertsOf(gateway)).toHaveLength(2);
});

test('a report that arrives many times at once is acted on once', async () => {
  const gateway = await start();
  const { id, token } = await gateway.mint('plain');
  const answers = await Promise.all(Array.from({ length: 6 }, () => report(gateway, [{ token }])));
  expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
  expect(await alertsOf(gateway)).toHaveLength(1);
  expect(await actionsOn(gateway, id)).toHaveLength(3);
});

test('more reports than may wait are told to come again, and nothing is lost by it', async () => {
  const gateway = await start();
  const made = await Promise.all(Array.from({ length: 24 }, () => gateway.mint('plain')));
  const answers = await Promise.all(made.map(({ token }) => report(gateway, [{ token }])));
  for (const [index, { status }] of answers.entries()) {
    const { token } = made[index] ?? { token: '' };
    expect([200, 503]).toContain(status);
    if (status === 503) expect((await report(gateway, [{ token }])).status).toBe(200);
    expect(await statusOf(gateway, token)).toBe(401);
  }
});

test('many reports of one token are one step and one alert', async () => {
  const gateway = await start();
  const { id, token } = await gateway.mint('plain');
  const reports = Array.from({ length: 8 }, (_, n) => ({ token, url: `https://h.example/${n}` }));
  expect((await report(gateway, reports)).json).toHaveLength(8);
  const alerts = await alertsOf(gateway);
  expect(alerts).toHaveLength(1);
  expect(alerts[0]?.detail).toMatchObject({ more: 3, state: 'disabled', respond: 'quarantine' });
  expect(await actionsOn(gateway, id)).toHaveLength(3);
});

test('a token that stands in the address it was found at is kept nowhere', async () => {
  const gateway = await start();
  const made = await Promise.all(['plain', 'ended', 'piped'].map((type) => gateway.mint(type)));
  const [first = '', , piped = ''] = made.map(({ token }) => token);
  const reports = made.flatMap(({ token }) => [
    { token, url: `https://h.example/${token}/x?key=${token}#${encodeURIComponent(token)}` },
    { token, url: `https://h.example/?other=${first}&piped=${piped}`, source: token },
  ]);
  expect((await report(gateway, reports)).status).toBe(200);
  const { tokens } = gateway.running;
  const records = await Promise.all(made.map(({ id }) => tokens.byId(id)));
  const audits = await Promise.all(
    made.map(({ id }) => tokens.audit.list({ subject: id, after: null, limit: 100 })),
  );
  const kept = JSON.stringify([await alertsOf(gateway), records, audits]);
  await gateway.stop();
  for (const { token } of made) {
    for (const form of [token, encodeURIComponent(token)]) {
      expect(kept).not.toContain(form);
      expect(gateway.logText()).not.toContain(form);
    }
  }
  expect(kept).toContain('https://h.example/[token]/x?key=[token]#[token]');
});

test('a canary that leaks stays on guard, and an admin token does not', async () => {
  const gateway = await start();
  const [type] = typesOf(gateway) as [TokenType];
  const base = { label: 'c', attributes: new Map(), origins: [], expiresAt: null, createdBy: 'test' };
  const { tokens } = gateway.running;
  const canary = await tokens.create({ ...base, type, scopes: ['read'], canary: true });
  const admin = await tokens.create({ ...base, type: adminType, scopes: ['tokens:write'] });
  const { json } = await report(gateway, [{ token: canary.plaintext }, { token: admin.plaintext }]);
  expect(json.map(({ label }: { label: string }) => label)).toEqual(['true_positive', 'true_positive']);
  expect(await tokens.byId(canary.record.id)).toMatchObject({ revokedAt: null, disabledAt: null });
  expect((await tokens.byId(admin.record.id))?.disabledAt).not.toBeNull();
  expect((await alertsOf(gateway)).map(({ detail }) => detail.state).sort()).toEqual(['canary', 'disabled']);
});

test('where the store cannot write, the reporter is told to come again, and then all is done', async () => {
  const gateway = await start();
  const [one, other] = [await gateway.mint('plain'), await gateway.mint('ended')];
  const file = join(gateway.folder, 'data/postern.db');
  renameSync(file, `${file}.away`);
  gateway.running.tokens.health();
  const reports = [{ token: one.token }, { token: other.token }];
  const answer = await report(gateway, reports);
  expect([answer.status, answer.json.code, answer.headers.get('retry-after')]).toEqual([
    503,
    'store_unavailable',
    expect.any(String),
  ]);
  renameSync(`${file}.away`, file);
  gateway.running.tokens.health();
  expect((await report(gateway, reports)).status).toBe(200);
  expect([await statusOf(gateway, one.token), await statusOf(gateway, other.token)]).toEqual([401, 401]);
  expect(await alertsOf(gateway)).toHaveLength(2);
});

describe('what is not signed', () => {
  test('is 401 and changes nothing, and whoever sends much of it must wait', async () => {
    const gateway = await start();
    const { token } = await gateway.mint('plain');
    const wrong = sign('sha256', Buffer.from('[]'), privateKey).toString('base64');
    const tries: Readonly<Record<string, string>>[] = [
      { 'Github-Public-Key-Identifier': 'two' },
      { 'Github-Public-Key-Identifier': '' },
      { 'Github-Public-Key-Signature': '' },
      { 'Github-Public-Key-Signature': wrong },
      { 'Github-Public-Key-Signature': `${wrong}, ${wrong}` },
      { 'Github-Public-Key-Signature': 'x'.repeat(5000) },
    ];
    for (const headers of tries) {
      const answer = await report(gateway, [{ token }], headers);
      expect([answer.status, answer.json.code]).toEqual([401, 'report_unsigned']);
    }
    const statuses: number[] = [];
    for (let n = 0; n < 20; n++) {
      statuses.push((await report(gateway, [{ token }], { 'Github-Public-Key-Signature': wrong })).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(await statusOf(gateway, token)).toBe(200);
    expect(await alertsOf(gateway)).toEqual([]);
  });

  test('spends from the failure budget of the config', async () => {
    const gateway = await start(null, 'failure_budget: { rate: 3/1m, per: address }');
    for (let n = 0; n < 4; n++) await report(gateway, '[]', { 'Github-Public-Key-Signature': 'AAAA' });
    expect((await report(gateway, '[]', { 'Github-Public-Key-Signature': 'AAAA' })).status).toBe(429);
  });

  test('is 405 by another method, and 404 where no reports are taken', async () => {
    const gateway = await start();
    const got = await fetch(gateway.url + path);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    gateway.rewrite(config('{ file: none }', 'http://127.0.0.1:1').replace(/^leaks:.*$/m, ''));
    expect(await gateway.running.reload()).toBe(true);
    expect((await report(gateway, '[]')).status).toBe(404);
  });
});

test.each([
  ['{}', 400, 'body_malformed'],
  ['[{"type":"x"}]', 400, 'body_malformed'],
  [`[${' '.repeat(1024 * 1024)}]`, 413, 'body_too_large'],
])('what is signed and is no report is refused', async (body, status, code) => {
  const gateway = await start();
  const answer = await report(gateway, body);
  expect([answer.status, answer.json.code]).toEqual([status, code]);
});
