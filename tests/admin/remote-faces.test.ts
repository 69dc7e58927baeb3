/** Beside the store or by the admin API: the same words, the same JSON, the same exit codes. */
import { expect, onTestFinished, test } from 'vitest';
import { startAdmin, wholeConfig } from '../fixtures/admin.ts';
import { deskConfig, Terminal, type Told } from './terminal.ts';

/** What differs from one change to the next, made the same: ids, secrets, times, who did it, and whose it is. */
function alike({ code, stdout, stderr }: Told): Told {
  const same = (text: string) =>
    text
      .replaceAll(/(tok|aud)_[0-9A-Z]{26}/g, '$1_')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'uuid')
      .replaceAll(/\b(prj|usr|old|probe)_[\w.-]{20,}/g, '$1_')
      .replaceAll(/\b(prj|usr|old)_[0-9A-Za-z]{4}\.\.\./g, '$1_...')
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*Z/g, 'time')
      .replaceAll(/\b(?:cli|token:tok_)(?=["\s])/g, 'actor')
      .replaceAll(/own[12]/g, 'own');
  return { code, stdout: same(stdout), stderr: same(stderr) };
}

type Side = 'beside' | 'remote';

/** A gateway, a terminal beside its store and one that has nothing but its address. */
class Faces {
  readonly #beside: Terminal;
  readonly #remote = new Terminal('');
  readonly #url: string;
  readonly #ids: Record<Side, string>[] = [];

  private constructor(beside: Terminal, url: string, token: string) {
    this.#beside = beside;
    this.#url = url;
    this.#remote.env.POSTERN_ADMIN_TOKEN = token;
  }

  static async open(config = wholeConfig): Promise<Faces & { stop(): Promise<void> }> {
    const beside = new Terminal(config);
    const store = `store: { url: "sqlite:${beside.path('data/postern.db')}" }`;
    const admin = await startAdmin(
      config.replace('version: 1\n', ''),
      `admin: { address: 127.0.0.1:0 }\n${store}`,
    );
    const faces = new Faces(beside, admin.url, (await admin.mint()).token);
    return Object.assign(faces, { stop: () => admin.gateway.stop() });
  }

  write(name: string, text: string | Buffer): void {
    for (const terminal of [this.#beside, this.#remote]) terminal.write(name, text);
  }

  /**
   * Runs a line both ways at a terminal, and holds one against the other: what is read to the letter, changes and usage but for
   * ids and times.
   *
   * @param words `$1` is what the first line made that makes something, `own@` somebody's own, `./x` a file of the folder.
   */
  async both(...words: readonly string[]): Promise<Told> {
    const reads =
      /^(?:list|show|verify)$/.test(words[1] ?? '') ||
      /^(?:matrix|explain|usage|alerts)$/.test(words[0] ?? '');
    const line = (side: Side, terminal: Terminal) =>
      words.map((word) =>
        word
          .replace(/\$(\d)/, (_, nth) => this.#ids[nth - 1]?.[reads ? 'beside' : side] ?? '')
          .replace('own@', reads || side === 'beside' ? 'own1' : 'own2')
          .replace(/^\.\//, terminal.path('')),
      );
    const beside = await this.#beside.run(...line('beside', this.#beside));
    const remote = await this.#remote.here(...line('remote', this.#remote), '--url', this.#url);
    if (reads && words[0] !== 'usage') expect(remote, words.join(' ')).toEqual(beside);
    else expect(alike(remote), words.join(' ')).toEqual(alike(beside));
    if (/^(?:create|rotate|regenerate|activate)$/.test(words[1] ?? '')) {
      this.#ids.push({ beside: idIn(beside), remote: idIn(remote) });
    }
    return beside;
  }

  async bothJson(...words: readonly string[]) {
    return JSON.parse((await this.both(...words, '--json')).stdout);
  }
}

function idIn({ stdout, stderr }: Told): string {
  return /tok_[0-9A-Z]{26}|[0-9a-f]{8}-[0-9a-f-]{27}/.exec(stdout + stderr)?.[0] ?? '';
}

async function opened(config?: string): Promise<Faces> {
  const faces = await Faces.open(config);
  onTestFinished(() => faces.stop());
  return faces;
}

const user = ['token', 'create', '--type', 'user', '--scope', 'events:read', '--label', 'x'];

test('tokens: made, shown and changed, as words and as JSON', async () => {
  const faces = await opened();
  const listed = ['--attribute', 'projects=a', '--attribute', 'team=t'];
  const made = await faces.both(
    ...user,
    ...listed,
    '--origin',
    'https://app.example/',
    '--expires-in',
    '90d',
  );
  expect(made.stdout).toMatch(/^usr_/);
  await faces.bothJson('token', 'create', '--type', 'project', '--attribute', 'project=own@');
  await faces.both('token', 'list', '--type', 'user', ...listed);
  expect((await faces.bothJson('token', 'list', '--type', 'user', '--limit', '1')).tokens).toHaveLength(1);
  expect((await faces.both('token', 'list', '--type', 'project', '--limit', '1')).code).toBe(0);
  await faces.both('token', 'show', '$1');
  await faces.bothJson('token', 'show', '$1');
  await faces.both('token', 'update', '$1', '--label', 'y', '--no-expiry', '--no-origins');
  const again = ['--attribute', 'projects=a', '--attribute', 'projects=b'];
  expect((await faces.bothJson('token', 'update', '$1', ...again)).attributes).toEqual({
    projects: ['a', 'b'],
  });
  for (const verb of ['disable', 'enable']) {
    await faces.both('token', verb, '$1');
    await faces.bothJson('token', verb, '$1');
  }
});

test('tokens: replaced and ended, and what the audit has of it', async () => {
  const faces = await opened();
  await faces.both(...user);
  await faces.both('token', 'create', '--type', 'project', '--attribute', 'project=own@');
  expect((await faces.both('token', 'rotate', '$1', '--overlap', '1h')).stdout).toMatch(/^usr_/);
  await faces.both('token', 'rotate', '$1');
  expect((await faces.bothJson('token', 'rotate', '$3')).rotated).toMatchObject({ label: 'x' });
  expect((await faces.both('token', 'list', '--type', 'user', '--limit', '2')).stderr).toMatch(
    /--after tok_/,
  );
  const project = ['--type', 'project', '--attribute', 'project=own@'];
  expect((await faces.both('token', 'regenerate', ...project, '--grace', '1h')).code).toBe(0);
  expect((await faces.bothJson('token', 'regenerate', ...project)).replaced).toHaveLength(2);
  await faces.both('token', 'revoke', '$1', '--reason', 'lost');
  expect((await faces.bothJson('token', 'revoke', '$1', '--reason', 'again')).revoked_reason).toBe('lost');
  await faces.both('token', 'update', '$1', '--label', 'z');
  await faces.both('token', 'list', '--type', 'user');
  await faces.both('audit', 'list', '--subject', '$1');
  await faces.bothJson('audit', 'list', '--subject', '$1', '--limit', '2');
  await faces.both('audit', 'list', '--subject', '$1', '--limit', '2');
});

test('pins and probes: every command', async () => {
  const faces = await opened();
  const key = ['app', 'project=own@/b c?%ü#'];
  await faces.both('pin', 'list');
  await faces.both('pin', 'show', ...key);
  await faces.both('pin', 'set', ...key, 'com.a', '--reason', 'new');
  await faces.bothJson('pin', 'set', ...key, 'com.b');
  expect((await faces.both('pin', 'show', ...key)).stdout).toContain('com.b');
  await faces.bothJson('pin', 'show', ...key);
  await faces.both('pin', 'list', '--subject', key[1] ?? '');
  await faces.bothJson('pin', 'list', '--pin', 'app');
  expect((await faces.both('pin', 'reset', ...key, '--reason', 'x')).code).toBe(0);
  await faces.both('pin', 'set', ...key, 'com.c');
  await faces.bothJson('pin', 'reset', ...key);
  expect((await faces.both('pin', 'reset', ...key)).code).toBe(1);

  const whose = ['--for', 'prj_own@'];
  const what = ['--label-pattern', 'pay.*', '--ttl', '600', '--trigger-ttl-seconds', '900'];
  await faces.both('probe', 'list', ...whose);
  expect((await faces.both('probe', 'activate', ...whose, ...what)).stdout).toMatch(/^probe_/);
  await faces.bothJson('probe', 'activate', ...whose, ...what, '--service', 's', '--environment', 'e');
  await faces.both('probe', 'list', ...whose);
  expect((await faces.bothJson('probe', 'list', ...whose)).activations).toHaveLength(2);
  await faces.both('probe', 'deactivate', ...whose, '$1');
  await faces.bothJson('probe', 'deactivate', ...whose, '$2', '--type', 'probe');
  for (let count = 0; count < 5; count++) await faces.both('probe', 'activate', ...whose, ...what);
  const full = await faces.both('probe', 'activate', ...whose, ...what);
  expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('5 are active already; ')]);
});

test('usage, alerts and upkeep: every command', async () => {
  const faces = await opened();
  await faces.both(...user);
  const before = ['--before', '30d'];
  for (const words of [
    ['usage'],
    ['usage', '--by', 'token', '--since', '7d', '--limit', '5'],
    ['usage', '$1', '--by', 'route'],
    ['alerts', '--open'],
    ['audit', 'verify'],
    ['audit', 'purge', ...before],
    ['audit', 'purge', '--dry-run'],
    ['token', 'purge', ...before],
    ['token', 'purge', '--dry-run'],
  ]) {
    expect((await faces.both(...words)).code, words.join(' ')).toBe(0);
    await faces.bothJson(...words);
  }
  const { rows, head } = await faces.bothJson('audit', 'verify');
  expect(rows).toBeGreaterThan(0);
  expect((await faces.both('audit', 'verify', '--head', `${head.seq}:${head.mac}`)).code).toBe(0);
  expect((await faces.both('audit', 'verify', '--head', `${head.seq}:${'0'.repeat(64)}`)).code).toBe(1);
});

test('the matrix and explain, with bodies that are text and bodies that are none', async () => {
  const faces = await opened();
  for (const words of [[], ['--markdown']]) await faces.both('matrix', ...words);
  expect((await faces.bothJson('matrix')).rows).toHaveLength(4);
  faces.write('matrix.md', 'other');
  expect((await faces.both('matrix', '--check', './matrix.md')).code).toBe(1);
  const asked = ['explain', 'GET', '/projects/a?x=%20', '--as', 'user:events:read+events:write'];
  const more = ['--attribute', 'projects=a', '--attribute', 'projects=b', '--header', 'X-A: ä'];
  await faces.both(...asked, ...more, '--from', '10.1.2.3', '--nth', '4');
  await faces.bothJson(...asked, ...more);
  faces.write('text.json', '\ufeff{"app_id":"com.ä"}');
  faces.write('bytes', Buffer.from([0xff, 0xfe, 0, 1]));
  const post = ['explain', 'POST', '/events', '--as', 'project', '--body-file'];
  for (const file of ['./text.json', './bytes']) await faces.both(...post, file, '--pinned', 'app=com.a');
  await faces.both('explain', 'GET', '/status');
});

const id = 'tok_00000000000000000000000000';
const project = ['--type', 'project', '--attribute', 'project=p'];
const whose = ['--for', 'prj_a'];

const refused: readonly (readonly [code: number, ...words: string[]])[] = [
  [1, 'token', 'create', '--type', 'projct'],
  [1, 'token', 'create', '--type', 'probe'],
  [1, 'token', 'create', '--type', 'project'],
  [1, 'token', 'create', '--type', 'project', '--attribute', 'projet=1'],
  [1, 'token', 'create', '--type', 'project', '--attribute', 'project'],
  [1, 'token', 'create', ...project, '--attribute', 'project=q'],
  [1, 'token', 'create', ...project, '--scope', 'events:write'],
  [1, 'token', 'create', '--type', 'user', '--scope', 'events:raed'],
  [1, 'token', 'create', '--type', 'user', '--origin', 'a.example'],
  [1, 'token', 'create', '--type', 'user', '--label', ''],
  [1, 'token', 'create', '--type', 'user', '--label', 'a\u202eb'],
  [1, 'token', 'create', '--type', 'user', '--expires-in', '0d'],
  [1, 'token', 'create', '--type', 'user', '--expires-in', '100000000d'],
  [2, 'token', 'create', '--type', 'user', '--expires-in', '90 days'],
  [2, 'token', 'create'],
  [1, 'token', 'list', '--type', 'usr'],
  [1, 'token', 'list', '--type', 'usr', '--attribute', 'a=b'],
  [1, 'token', 'list', '--type', 'user', '--attribute', 'a=b'],
  [2, 'token', 'list', '--attribute', 'a=b'],
  [2, 'token', 'list', '--limit', '0'],
  ...['show', 'rotate', 'revoke', 'disable', 'enable'].flatMap((verb): (readonly [number, ...string[]])[] => [
    [1, 'token', verb, id],
    [1, 'token', verb, '..'],
    [1, 'token', verb, 'a/b?c'],
    [2, 'token', verb, ''],
    [2, 'token', verb],
  ]),
  [1, 'token', 'revoke', id, '--reason', ''],
  [1, 'token', 'rotate', id, '--overlap', '4000d'],
  [1, 'token', 'update', id, '--label', 'x'],
  [1, 'token', 'update', id, '--attribute', 'a=b'],
  [1, 'token', 'update', id],
  [1, 'token', 'regenerate', '--type', 'project'],
  [1, 'token', 'regenerate', '--type', 'postern_admin'],
  [1, 'token', 'regenerate', ...project, '--label', ''],
  [1, 'token', 'regenerate', ...project, '--grace', '4000d'],
  [1, 'token', 'regenerate', ...project, '--scope', 'x'],
  [1, 'pin', 'show', 'apq', 'project=a'],
  [1, 'pin', 'show', '..', 'project=a'],
  [2, 'pin', 'show', 'app', ''],
  [1, 'pin', 'show', 'app', 'team=a'],
  [1, 'pin', 'show', 'app', 'project=nobody'],
  [1, 'pin', 'set', 'app', 'project=a', ''],
  [1, 'pin', 'set', 'app', 'project=a', 'a\nb'],
  [1, 'pin', 'reset', 'app', 'project=a', '--reason', ''],
  [1, 'pin', 'reset', 'app', 'project=nobody'],
  [2, 'probe', 'activate', ...whose],
  [2, 'probe', 'activate', ...whose, '--label-pattern', 'é'],
  [2, 'probe', 'activate', ...whose, '--label-pattern', 'a', '--ttl', '59'],
  [1, 'probe', 'activate', ...whose, '--label-pattern', 'a', '--type', 'user'],
  [1, 'probe', 'activate', '--for', '', '--label-pattern', 'a'],
  [1, 'probe', 'list', '--for', '', '--type', 'probe'],
  [1, 'probe', 'deactivate', ...whose, 'nothing'],
  [2, 'probe', 'deactivate', ...whose, ''],
  [1, 'usage', id],
  [2, 'usage', ''],
  [1, 'usage', '--since', '500d'],
  [2, 'usage', '--since', '10'],
  [2, 'usage', '--by', 'weather'],
  [1, 'alerts', 'ack', 'alr_none'],
  [2, 'alerts', 'ack', ''],
  [2, 'alerts', '--limit', '0'],
  [2, 'audit', 'verify', '--head', 'x'],
  [1, 'audit', 'purge', '--before', '1h'],
  [1, 'token', 'purge', '--before', '1h', '--dry-run'],
  [2, 'explain', 'get', '/'],
  [2, 'explain', 'GET', '/', '--as', 'usr'],
  [2, 'explain', 'GET', '/', '--as', 'user:x'],
  [2, 'explain', 'GET', '/', '--attribute', 'a=b'],
  [2, 'explain', 'GET', '/', '--as', 'user', '--attribute', 'a'],
  [2, 'explain', 'GET', '/', '--header', 'none'],
  [2, 'explain', 'GET', '/', '--from', 'home'],
  [2, 'explain', 'GET', '/', '--pinned', 'app'],
  [2, 'explain', 'GET', '/', '--nth', '0'],
  [2, 'explain', 'GET', '/', '--body-file', './none'],
  [1, 'matrix', '--check', './none'],
];

test('what is refused is refused alike, in one line that says what to do', async () => {
  const faces = await opened();
  for (const [code, ...words] of refused) {
    const told = await faces.both(...words);
    expect([told.code, told.stdout], words.join(' ')).toEqual([code, '']);
    expect(told.stderr, words.join(' ')).toMatch(/^error: .+; .+\n$/);
  }
});

test('where several types are signed, or none, that is told alike', async () => {
  const key = /key: (\{.*?\})/.exec(wholeConfig)?.[1];
  const second = `  second: { prefix: other_, format: signed, use: annotate, sources: [header:X-Other], key: ${key}, derive: second }\nscopes:\n`;
  for (const [config, words] of [
    [wholeConfig.replace('scopes:\n  events', `${second}  events`), 'add --type, one of probe, second'],
    [deskConfig, 'the config has none'],
  ] as const) {
    const told = await (await opened(config)).both('probe', 'list', '--for', 'prj_a');
    expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
  }
});
