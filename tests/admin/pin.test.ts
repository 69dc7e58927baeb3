import { describe, expect, onTestFinished, test } from 'vitest';
import { importPins } from '../../gateway/admin/operations-pin.ts';
import { loadConfigText } from '../../gateway/config/load.ts';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { deskConfig, Terminal } from './terminal.ts';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const pinConfig = `${deskConfig}
pins:
  app: { kind: bundle_id, from: json:/app_id, belongs_to: attribute.project, when_missing: allow }
  own: { kind: bundle_id, from: json:/app_id, belongs_to: token, when_missing: allow }
  site: { kind: origin, when_missing: deny }
`;

/** A terminal beside a store that a gateway has written to. */
async function beside(pinned: Readonly<Record<string, string>> = {}) {
  const terminal = new Terminal(pinConfig);
  const store = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
  for (const [subject, value] of Object.entries(pinned)) {
    await store.pins.pinFirst({ pin: 'app', subject }, value, 'tok_1');
  }
  await store.close();
  return terminal;
}

describe('postern pin', () => {
  test('shows what a first use pinned, whole', async () => {
    const terminal = await beside({ 'project=prj_a': 'com.example.a' });
    const record = {
      pin: 'app',
      subject: 'project=prj_a',
      value: 'com.example.a',
      pinned_at: expect.stringMatching(time),
      pinned_by: 'tok_1',
      version: 1,
    };
    expect(await terminal.json('pin', 'show', 'app', 'project=prj_a')).toEqual(record);
    expect(await terminal.json('pin', 'list')).toEqual({ pins: [record], next: null });
    expect((await terminal.run('pin', 'list')).stdout).toMatch(
      /^PIN .*\napp {2}project=prj_a {2}com\.example\.a /,
    );
    expect((await terminal.run('pin', 'show', 'app', 'project=prj_a')).stdout).toContain('com.example.a\n');
  });

  test('resets with a reason, once; the audit says who, what and why', async () => {
    const terminal = await beside({ 'project=prj_a': 'com.example.a' });
    const told = await terminal.spawn(
      ...['pin', 'reset', 'app', 'project=prj_a', '--reason', 'sold', '--json'],
    );
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(told.stdout)).toEqual({
      pin: 'app',
      subject: 'project=prj_a',
      value: null,
      before: 'com.example.a',
    });
    expect(await terminal.run('pin', 'reset', 'app', 'project=prj_a')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: nothing is pinned by app to "project=prj_a"; see pin list\n',
    });
    expect((await terminal.run('pin', 'show', 'app', 'project=prj_a')).code).toBe(1);
    const { entries, next } = await terminal.json('audit', 'list', '--subject', 'project=prj_a');
    expect(next).toBeNull();
    expect(entries).toEqual([
      {
        id: expect.stringMatching(/^aud_/),
        at: expect.stringMatching(time),
        actor: 'tok_1',
        action: 'pin.first_use',
        subject: 'project=prj_a',
        detail: { pin: 'app', value: 'com.example.a' },
      },
      {
        id: expect.stringMatching(/^aud_/),
        at: expect.stringMatching(time),
        actor: 'cli',
        action: 'pin.reset',
        subject: 'project=prj_a',
        detail: { pin: 'app', before: 'com.example.a', after: null, reason: 'sold' },
      },
    ]);
  });

  test('sets a value, with or without one before, even before there is a database', async () => {
    const terminal = new Terminal(pinConfig);
    const first = await terminal.json('pin', 'set', 'own', 'token=tok_1', 'com.example.a');
    expect(first).toMatchObject({ value: 'com.example.a', before: null, pinned_by: 'cli', version: 1 });
    const told = await terminal.run('pin', 'set', 'own', 'token=tok_1', 'com.example.b');
    expect(told.stdout).toBe('own of token=tok_1 is com.example.b, it was com.example.a\n');
  });

  test('lists in pages, of one pin or one subject', async () => {
    const terminal = await beside({ 'project=a': '1', 'project=b': '2', 'project=c': '3' });
    const first = await terminal.json('pin', 'list', '--limit', '2');
    const second = await terminal.json('pin', 'list', '--limit', '2', '--after', first.next);
    expect([...first.pins, ...second.pins].map(({ value }) => value)).toEqual(['1', '2', '3']);
    expect(second.next).toBeNull();
    expect((await terminal.json('pin', 'list', '--subject', 'project=b')).pins).toMatchObject([
      { value: '2' },
    ]);
    expect((await terminal.json('pin', 'list', '--pin', 'own')).pins).toEqual([]);
    expect((await terminal.run('pin', 'list', '--limit', '2')).stderr).toContain('--after ');
  });

  test('never lets what a client sent speak to the terminal', async () => {
    const terminal = await beside({ 'project=\u001b]0;a': 'x\u009b2J\u202ey\u2028z' });
    const listed = await terminal.run('pin', 'list');
    expect(listed.stdout).toContain('project=\\u{1b}]0;a  x\\u{9b}2J\\u{202e}y\\u{2028}z');
    const audited = await terminal.run('audit', 'list');
    for (const { stdout } of [listed, audited]) expect(stdout).not.toMatch(/[\u001b\u009b\u202e\u2028]/);
    const [pin] = (await terminal.json('pin', 'list')).pins;
    expect(pin.value).toBe('x\u009b2J\u202ey\u2028z');
  });

  test.each([
    [['show', 'apq', 'project=a'], 'error: no pin of kind bundle_id is called "apq"; did you mean "app"?\n'],
    [['reset', 'site', 'project=a'], 'error: no pin of kind bundle_id is called "site"; '],
    [['show', 'app', 'team=a'], 'error: pin app belongs to no "team=a"; write project=VALUE\n'],
    [['set', 'app', 'project=', 'x'], 'error: pin app belongs to no "project="; write project=VALUE\n'],
    [['set', 'own', 'tok_1', 'x'], 'error: pin own belongs to no "tok_1"; write token=VALUE\n'],
    [['set', 'app', 'project=a', ''], 'error: not a value to pin: it is empty; '],
    [['set', 'app', 'project=a', 'a\nb'], 'error: not a value to pin: it holds a control character; '],
    [
      ['reset', 'app', 'project=a', '--reason', ''],
      'error: not a reason; use 1 to 120 printable characters\n',
    ],
  ])('%j is refused with exit code 1', async (words, message) => {
    const told = await (await beside({ 'project=a': 'one' })).run('pin', ...words);
    expect(told).toMatchObject({ code: 1, stdout: '' });
    expect(told.stderr).toContain(message);
  });

  test('says what is missing: a word, a database', async () => {
    const terminal = new Terminal(pinConfig);
    expect((await terminal.run('pin', 'show', 'app')).code).toBe(2);
    expect((await terminal.run('pin', 'list', '--limit', '0')).code).toBe(2);
    expect(await terminal.run('pin', 'show', 'app', 'project=a')).toMatchObject({
      code: 1,
      stderr: 'error: there is no database yet at ./data/postern.db; start the gateway, or create a token\n',
    });
    expect(await terminal.run('pin', 'list')).toMatchObject({ code: 0, stderr: 'nothing is pinned\n' });
    expect(await terminal.json('audit', 'list')).toEqual({ entries: [], next: null });
    expect((await terminal.run('audit', 'list')).stderr).toBe('no changes\n');
  });
});

describe('postern audit list', () => {
  test('has what was done to tokens, and no secret', async () => {
    const terminal = new Terminal(pinConfig);
    const { id, token } = await terminal.json('token', 'create', '--type', 'user', '--label', 'build');
    await terminal.run('token', 'revoke', id, '--reason', 'leaked');
    const told = await terminal.run('audit', 'list');
    expect(told.stdout).toMatch(/ token\.create +tok_.* \{"type":"user","label":"build"\}\n/);
    expect(told.stdout).toMatch(/ token\.revoke +tok_.* \{"reason":"leaked"\}\n/);
    expect(told.stdout).not.toContain(token.slice(12));
    const { entries } = await terminal.json('audit', 'list', '--limit', '1');
    expect(entries).toMatchObject([{ action: 'token.create', subject: id, actor: 'cli' }]);
  });

  test('imports what was pinned elsewhere, once; what is pinned stays, and bad rows are told by line', async () => {
    const terminal = await beside({ 'project=prj_a': 'com.example.a' });
    const rows = [
      '{"pin":"app","subject":"project=prj_a","value":"com.example.other"}',
      '{"pin":"app","subject":"project=prj_b","value":"com.example.b"}',
      '',
      '{"pin":"app","subject":"token=tok_1","value":"com.example.b"}',
      '{"pin":"site","subject":"project=prj_a","value":"x"}',
      '{"pin":"app","subject":"project=prj_c","value":""}',
      '{"pin":"app","subject":"project=prj_c","value":"c","note":"x"}',
      '{"pin":"app","subject":"project=prj_c"}',
      'nonsense',
      '[]',
    ];
    const file = terminal.write('pins.jsonl', rows.join('\n'));
    const dry = await terminal.run('pin', 'import', '--file', file, '--dry-run', '--json');
    const first = await terminal.run('pin', 'import', '--file', file, '--json');
    expect([dry.code, first.code]).toEqual([1, 1]);
    const report = JSON.parse(first.stdout);
    expect(JSON.parse(dry.stdout)).toEqual({ ...report, dry_run: true });
    expect(report).toMatchObject({ imported: 1, skipped: 1 });
    expect(report.problems.map(({ line }: { line: number }) => line)).toEqual([4, 5, 6, 7, 8, 9, 10]);
    expect((await terminal.json('pin', 'show', 'app', 'project=prj_a')).value).toBe('com.example.a');
    const shown = await terminal.json('pin', 'show', 'app', 'project=prj_b');
    expect(shown).toMatchObject({ value: 'com.example.b', pinned_by: 'cli', version: 1 });
    terminal.write('pins.jsonl', rows.slice(0, 2).join('\n'));
    expect(await terminal.json('pin', 'import', '--file', file)).toEqual({
      imported: 0,
      skipped: 2,
      problems: [],
    });
  });
});

test('a row about an owner with a NUL is a problem, and no trouble of the store', async () => {
  const terminal = await beside();
  const rows = ['prj_a', 'prj_\0'].map((project) => ({
    ...{ pin: 'app', subject: `project=${project}`, value: 'com.example.a' },
  }));
  const file = terminal.write('nul.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  const told = await terminal.run('pin', 'import', '--file', file);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain('1 imported, 0 skipped, 1 refused');
  expect(told.stdout + told.stderr).toContain('belongs to no');
});

test('an import that cannot be written fails as a whole, and not behind its own back', async () => {
  const terminal = await beside();
  const path = terminal.path('data/postern.db');
  const store = await openSqliteTokens({ path, now: Date.now, readonly: true });
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(async () => {
    process.off('unhandledRejection', note);
    await store.close();
  });
  const loading = loadConfigText(pinConfig, 'gateway.config.yaml', {});
  if (!loading.ok) expect.fail('the config does not load');
  const { policy } = loading.config;
  const { pins, probes, audit, usage, retirements, alerts } = store;
  const desk = {
    policy,
    tokens: store,
    pins,
    probes,
    audit,
    usage,
    retirements,
    alerts,
    triggerSigners: new Map(),
    now: Date.now,
    by: 'cli',
    holds: null,
  };
  async function* lines() {
    yield '{"pin":"app","subject":"project=prj_a","value":"com.example.a"}';
    // A file is read in pieces: what was asked before may have failed by the next.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    yield '{"pin":"app","subject":"project=prj_b","value":"com.example.b"}';
  }
  await expect(importPins(desk, lines())).rejects.toThrow(/read only/);
  expect(unhandled).toEqual([]);
});
