/** What an operator says when `postern mcp` is started, and what changes beside it while it runs. */
import { readdirSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mcpHere } from '../fixtures/mcp.ts';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { mcpConfig, mcpDesk } from './mcp-desk.ts';
import { Terminal } from './terminal.ts';

describe('with apply', () => {
  test('nothing that has a secret is made where the secret has no place', async () => {
    const terminal = await mcpDesk();
    const config = terminal.path('gateway.config.yaml');
    const mcp = await mcpHere(config, { allow: ['read', 'apply'], secretsTo: null });
    const create = { project: 'a', label: 'b' };
    expect(await mcp.refused('create_project_token', create)).toMatch(
      /^there is no place for the secret; let postern mcp be started with --secrets-to FOLDER/,
    );
    expect(await mcp.refused('create_project_token', { ...create, dryRun: true })).toBe(
      'this tool takes no dryRun',
    );
    expect(await mcp.refused('activate_probe', { project: 'a', labelPattern: 'b' })).toMatch(
      /^there is no place/,
    );
    terminal.write('full', '');
    const other = await mcpHere(config, { allow: ['apply'], secretsTo: terminal.path('full') });
    expect(await other.refused('create_project_token', create)).toMatch(
      /^no file can be made for the secret; nothing/,
    );
    expect((await mcp.ask('list_tokens')).tokens).toEqual([]);
  });

  test('the operator may say whose tokens they are, and no call says otherwise', async () => {
    const terminal = await mcpDesk();
    const mcp = await mcpHere(terminal.path('gateway.config.yaml'), {
      allow: ['read', 'apply'],
      own: ['project=mine', 'team=ops'],
    });
    const theirs = await terminal.json(
      'token',
      'create',
      '--type',
      'project',
      '--attribute',
      'project=theirs',
    );
    const { token } = await mcp.ask('create_project_token', { label: 'x' });
    expect(token.attributes).toEqual({ project: 'mine' });
    const { token: person } = await mcp.ask('create_user_token', { label: 'y' });
    expect(person.attributes).toEqual({ team: 'ops' });
    expect((await mcp.ask('list_project_tokens')).tokens).toEqual([token]);
    expect(await mcp.refused('create_project_token', { label: 'x', project: 'theirs' })).toMatch(
      /^no parameter/,
    );
    for (const name of ['revoke', 'disable', 'rotate'].map((verb) => `${verb}_project_token`)) {
      expect(await mcp.refused(name, { tokenId: theirs.id })).toMatch(/^no token of this type and owner/);
    }
  });

  test('what a browser proves itself with is not shown, and not asked for', async () => {
    const terminal = await mcpDesk();
    const words = ['--attribute', 'user_id=u1', '--attribute', 'csrf=NOBODYSBUSINESS'];
    const page = await terminal.json('token', 'create', '--type', 'page', ...words);
    await terminal.json('token', 'update', page.id, ...words);
    const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read', 'apply'] });
    const names = (await mcp.tools()).map(({ name }) => name).filter((name) => name.includes('_page_'));
    const verbs = ['revoke', 'disable', 'rotate'].map((verb) => `${verb}_page_token`);
    expect(names).toEqual(['list_page_tokens', ...verbs]);
    const { tokens } = await mcp.ask('list_page_tokens', { userId: 'u1' });
    expect(tokens).toMatchObject([{ attributes: { user_id: 'u1', csrf: '(hidden)' } }]);
    await mcp.ask('list_audit');
    await mcp.ask('revoke_page_token', { userId: 'u1', tokenId: page.id });
    expect(mcp.transcript()).toContain('token.update');
    expect(mcp.transcript()).not.toContain('NOBODYSBUSINESS');
  });
});

test('a config that changes is understood at once, and one that breaks is told', async () => {
  const terminal = await mcpDesk();
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read'] });
  const changes: string[] = [];
  mcp.client.fallbackNotificationHandler = async ({ method }) => void changes.push(method);
  const names = async () => (await mcp.tools()).map(({ name }) => name);
  expect(await names()).not.toContain('list_robot_tokens');
  const robot = mcpConfig.replace(
    'token_types:\n',
    'token_types:\n  robot: { prefix: rob_, scopes: [events:write] }\n',
  );
  terminal.write('gateway.config.yaml', robot.replace('prefix: rob_', 'prefixx: rob_'));
  const told = await mcp.refused('list_tokens');
  expect(told).toMatch(/^the config has problems; correct them first\n.*\.yaml:\d+:\d+: token_types\.robot/);
  expect(await names()).not.toContain('list_robot_tokens');
  expect(changes).toEqual([]);
  terminal.write(
    'gateway.config.yaml',
    robot.replace('POST /events: { allow: { ', 'POST /events: { allow: { robot: events:write, '),
  );
  expect((await mcp.ask('list_robot_tokens')).tokens).toEqual([]);
  expect(changes).toEqual(['notifications/tools/list_changed']);
  expect(await names()).toContain('list_robot_tokens');
});

test('attributes keep apart, whatever they are called', async () => {
  const names = [
    'label',
    'project_id',
    'projectId',
    'valueOf',
    '_x',
    'a.b',
    'c-d',
    'tags',
    'token_id',
    'dry_run',
  ];
  const attributes = names.map((name) => `${name}: ${name === 'tags' ? 'list' : 'optional'}`).join(', ');
  const odd = `token_types:\n  odd.one: { prefix: odd_, scopes: [events:write], attributes: { ${attributes} } }\n`;
  const terminal = new Terminal(
    mcpConfig
      .replace('token_types:\n', odd)
      .replace('POST /events: { allow: { ', 'POST /events: { allow: { odd.one: events:write, '),
  );
  terminal.write('probe.key', 'the key of this test, 32 bytes and more');
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['apply'] });
  const tool = (await mcp.tools()).find(({ name }) => name === 'create_odd.one_token');
  const params = Object.keys(tool?.inputSchema.properties ?? {});
  expect(params.filter((param) => !['label', 'allowedOrigins', 'expiresInSeconds'].includes(param))).toEqual([
    ...[
      'attribute_label',
      'attribute_project_id',
      'attribute_projectId',
      'attribute_valueOf',
      'attribute__x',
    ],
    ...['aB', 'cD', 'tags', 'attribute_token_id', 'attribute_dry_run'],
  ]);
  const given = Object.fromEntries(params.map((param) => [param, param === 'tags' ? ['t'] : `of ${param}`]));
  const { allowedOrigins: _, expiresInSeconds: __, ...said } = given;
  const { token } = await mcp.ask('create_odd.one_token', said);
  expect(token.attributes).toEqual({
    label: 'of attribute_label',
    project_id: 'of attribute_project_id',
    projectId: 'of attribute_projectId',
    valueOf: 'of attribute_valueOf',
    _x: 'of attribute__x',
    'a.b': 'of aB',
    'c-d': 'of cD',
    tags: ['t'],
    token_id: 'of attribute_token_id',
    dry_run: 'of attribute_dry_run',
  });
  expect(token.label).toBe('of label');
});

test('where there is no database yet, there is nothing, and reading makes none', async () => {
  const terminal = new Terminal();
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read', 'propose'] });
  for (const [name, key] of [
    ['list_tokens', 'tokens'],
    ['list_pins', 'pins'],
    ['list_audit', 'entries'],
    ['list_alerts', 'alerts'],
  ] as const) {
    expect(await mcp.ask(name)).toEqual({ [key]: [], next: null });
  }
  expect(await mcp.refused('token_usage', { tokenId: 'tok_1' })).toMatch(/^no token has this id/);
  expect(await mcp.ask('create_legacy_token', { label: 'x' })).toMatchObject({ applied: false });
  expect(readdirSync(terminal.folder)).toEqual(['gateway.config.yaml']);
});

test('a database that cannot be used is told, and not replaced', async () => {
  const terminal = new Terminal();
  const config = terminal.path('gateway.config.yaml');
  const mcp = await mcpHere(config, { allow: ['read', 'apply'], secretsTo: terminal.path('secrets') });
  await mcp.ask('create_legacy_token', { label: 'x' });
  for (const name of readdirSync(terminal.path('data'))) terminal.write(`data/${name}`, 'no database at all');
  expect(await mcp.refused('list_tokens')).toMatch(/postern\.db .*; nothing was answered by the store$/);
  expect(await mcp.refused('create_legacy_token', { label: 'y' })).toMatch(
    /nothing was answered by the store$/,
  );
  expect(readdirSync(terminal.path('secrets'))).toHaveLength(1);
  expect(mcp.stderr()).toBe('');
});

test('a PostgreSQL that the config names is worked on alike, whatever is asked', async () => {
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  const terminal = await mcpDesk();
  terminal.write('gateway.config.yaml', `${mcpConfig}store: { url: "${database.url}" }\n`);
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read', 'propose', 'apply'] });
  expect(await mcp.ask('list_tokens')).toEqual({ tokens: [], next: null });
  const { token } = await mcp.ask('create_project_token', { project: 'prj_a', label: 'CI' });
  for (const odd of ['\0', '\ud800', "'", '\u202e', 'x'.repeat(100_000)]) {
    for (const answer of await Promise.all([
      mcp.call('show_token', { tokenId: odd }),
      mcp.call('list_project_tokens', { project: 'prj_a', after: odd }),
      mcp.call('list_pins', { subject: odd, after: odd }),
      mcp.call('list_audit', { subject: odd, after: odd }),
      mcp.call('list_alerts', { after: odd }),
      mcp.call('deactivate_probe', { project: 'prj_a', activationId: odd }),
    ])) {
      expect(answer.isError === true).toBe(answer.structuredContent === undefined);
    }
  }
  const whose = { project: 'prj_a', tokenId: token.id };
  expect((await mcp.ask('rotate_project_token', whose)).replaces.id).toBe(token.id);
  expect((await mcp.ask('revoke_project_token', whose)).token.state).toBe('revoked');
  expect((await mcp.ask('list_project_tokens', { project: 'prj_a' })).tokens).toHaveLength(2);
});
