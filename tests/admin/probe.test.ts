/** `postern probe`: the same operations as the rows', from a terminal. */
import { describe, expect, test } from 'vitest';
import { deriveTriggerKey, signTrigger } from '../../gateway/trigger.ts';
import { deskConfig, Terminal } from './terminal.ts';

const secret = 'the secret of these tests, 32 bytes long';
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const uuid = /^[0-9a-f-]{36}$/;

const signed = (name: string, key: string) =>
  `  ${name}: { prefix: ${name}_, format: signed, use: annotate, sources: [header:X-${name}], key: { file: ${key} } }\n`;
const row = `      POST /p/{project}/activate: { allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: probe.activate, with: { type: probe, derive: "{project}", active_max: 2 } }\n`;

function terminalWith(types = signed('probe', 'probe.key'), rows = row): Terminal {
  const terminal = new Terminal(
    deskConfig.replace('scopes:\n  events:read', `${types}scopes:\n  events:read`) + rows,
  );
  terminal.write('probe.key', `${secret}\n`);
  return terminal;
}

const activate = ['probe', 'activate', '--for', 'prj_a', '--label-pattern', 'payment.*'] as const;
const off = (id: string) => ['probe', 'deactivate', '--for', 'prj_a', id] as const;

describe('postern probe', () => {
  test('activates for an hour: the trigger alone on stdout, what it is on stderr', async () => {
    const terminal = terminalWith();
    const { code, stdout, stderr } = await terminal.spawn(...activate);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /^[0-9a-f-]{36}: payment\.\* of prj_a until \S+Z; its trigger until \S+Z\. It is shown this once:\n$/,
      ),
    ]);
    const trigger = stdout.trimEnd();
    const text = Buffer.from(trigger.slice('probe_'.length).split('.')[0] ?? '', 'base64url').toString();
    const payload = JSON.parse(text);
    expect(trigger).toBe(signTrigger('probe_', deriveTriggerKey(secret, 'prj_a'), payload));
    const { activations, next } = await terminal.json('probe', 'list', '--for', 'prj_a');
    const { trigger_expires_at } = payload;
    expect([activations, next]).toEqual([
      [{ ...payload, created_at: expect.stringMatching(time), expires_at: trigger_expires_at }],
      null,
    ]);
    const [{ created_at, expires_at }] = activations;
    expect(Date.parse(expires_at) - Date.parse(created_at)).toBe(3_600_000);
    expect((await terminal.run('probe', 'list', '--for', 'prj_a')).stdout).toMatch(
      /^ID .*\n[0-9a-f-]{36} {2}payment\.\* /,
    );
    expect((await terminal.run('probe', 'list', '--for', 'prj_b')).stderr).toBe('nothing is active\n');
    const entries = JSON.stringify(await terminal.json('audit', 'list'));
    expect(entries).toContain('"actor":"cli","action":"probe.activate"');
    expect(entries).not.toContain(trigger.split('.')[1]);
  });

  test('says for what and for how long, by either spelling', async () => {
    const terminal = terminalWith();
    const words = ['--service', 'pay', '--environment', 'staging', '--trigger-ttl-seconds', '600'];
    const told = await terminal.json(...activate, ...words, '--ttl', '60', '--type', 'probe');
    const { activation, trigger_token, created_at, ...flat } = told;
    expect(flat).toEqual(activation);
    expect(trigger_token).toMatch(/^probe_/);
    expect(activation).toMatchObject({
      activation_id: expect.stringMatching(uuid),
      service: 'pay',
      environment: 'staging',
    });
    expect(Date.parse(activation.expires_at) - Date.parse(created_at)).toBe(60_000);
    expect(Date.parse(activation.trigger_expires_at) - Date.parse(created_at)).toBe(600_000);
    const both = await terminal.run(...activate, '--ttl', '60', '--ttl-seconds', '60');
    expect([both.code, both.stdout]).toEqual([2, '']);
  });

  test('has no more active at a time than the rows allow, and room after an end', async () => {
    const terminal = terminalWith();
    const { activation_id: id } = await terminal.json(...activate);
    await terminal.json(...activate);
    expect(await terminal.run(...activate)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: 2 are active already; deactivate one that probe list shows\n',
    });
    const ended = await terminal.json(...off(id));
    expect(ended).toEqual({ activation_id: id, deactivated_at: expect.stringMatching(time) });
    expect(await terminal.json(...off(id))).toEqual(ended);
    expect((await terminal.run(...off(id))).stdout).toBe(`${id} is off since ${ended.deactivated_at}\n`);
    expect((await terminal.run(...activate)).code).toBe(0);
    const elsewhere = await terminal.run('probe', 'deactivate', '--for', 'prj_b', id);
    expect(elsewhere).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: no activation of this type and text has this id; find it with probe list\n',
    });
  });

  test.each<[string, number, string, readonly string[]]>([
    [
      'too short a life',
      2,
      'ttl_seconds is missing, or no life that may be asked for',
      [...activate, '--ttl-seconds', '59'],
    ],
    ['a life that is no number', 2, '"1h" is not a number of seconds', [...activate, '--ttl-seconds', '1h']],
    [
      'a label that no header carries',
      2,
      'label_pattern is missing, or nothing that a header',
      ['probe', 'activate', '--for', 'a', '--label-pattern', 'é'],
    ],
    ['no label', 2, "required option '--label-pattern <pattern>'", ['probe', 'activate', '--for', 'a']],
    ['no text', 2, "required option '--for <text>'", ['probe', 'list']],
    [
      'a type that is not signed',
      1,
      'no token type that is signed is called "user"',
      [...activate, '--type', 'user'],
    ],
    [
      'an empty text',
      1,
      'no key is derived for this text: it is empty',
      ['probe', 'activate', '--for', '', '--label-pattern', 'a'],
    ],
  ])('%s is refused with %d', async (_, code, words, line) => {
    const told = await terminalWith().run(...line);
    expect([told.code, told.stdout, told.stderr]).toEqual([code, '', expect.stringContaining(words)]);
  });

  test('must be told the type where several are signed', async () => {
    const terminal = terminalWith(signed('probe', 'probe.key') + signed('other', 'other.key'));
    terminal.write('other.key', 'another secret of these tests, 32 bytes');
    expect(await terminal.run(...activate)).toMatchObject({
      code: 2,
      stderr: 'error: not said which token type that is signed; add --type, one of probe, other\n',
    });
    expect((await terminal.run(...activate, '--type', 'other')).stdout).toMatch(/^other_/);
    expect((await terminalWith('', '').run(...activate)).stderr).toContain('the config has none');
  });

  test('needs the key to activate, and to list and deactivate only the store', async () => {
    const terminal = terminalWith();
    const { activation_id: id } = await terminal.json(...activate);
    const gone = terminalWith(signed('probe', 'gone.key'));
    expect(await gone.run(...activate)).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('cannot read the file'),
    });
    expect(await gone.run('probe', 'list', '--for', 'prj_a')).toMatchObject({ code: 0 });
    expect((await gone.run(...off(id))).stderr).toMatch(/^error: there is no database yet at /);
  });
});
