/** DebugBundle's MCP tools: every documented name, with its documented parameters, from the example config alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openMcp } from '../fixtures/mcp.ts';
import { tracesOf } from '../fixtures/secrets.ts';

const example = resolve(import.meta.dirname, '../../docs/examples/debugbundle.yaml');
const env = { DEBUGBUNDLE_PROBE_SECRET: 'the secret of these tests, 32 bytes long' };

/** As documented, without `bearerToken`: who can run the command has the store. A `?` may be left out. */
const documented = {
  create_project_token: 'projectId label allowedOrigins?',
  list_project_tokens: 'projectId limit?',
  revoke_project_token: 'projectId tokenId',
  create_member_token: 'label',
  list_member_tokens: 'limit?',
  revoke_member_token: 'tokenId',
  activate_probe: 'projectId labelPattern service? environment? ttlSeconds? triggerTtlSeconds?',
  list_active_probes: 'projectId',
  deactivate_probe: 'projectId activationId',
};

async function opened(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-product-mcp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'gateway.config.yaml');
  writeFileSync(config, readFileSync(example));
  const words = ['--allow', 'read,propose,apply', '--secrets-to', join(folder, 'secrets'), ...args];
  return openMcp(config, words, env);
}

test('the tools are the documented ones, for one member, by name and parameter', async () => {
  const mcp = await opened('--attribute', 'user_id=usr_1');
  const tools = new Map((await mcp.tools()).map((tool) => [tool.name, tool.inputSchema]));
  for (const [name, words] of Object.entries(documented)) {
    const schema = tools.get(name);
    const params = words.split(' ');
    expect([...(schema?.required ?? [])].sort(), name).toEqual(
      params.filter((param) => !param.endsWith('?')).sort(),
    );
    expect(Object.keys(schema?.properties ?? {}), name).toEqual(
      expect.arrayContaining(params.map((param) => param.replace('?', ''))),
    );
  }
  const more = [...tools.keys()].filter((name) => !(name in documented));
  expect(more).toEqual(
    expect.arrayContaining([
      ...['rotate_project_token', 'rotate_member_token', 'explain_request', 'show_matrix', 'token_usage'],
    ]),
  );
});

test('they do what they are documented to, and no secret is in what they say', async () => {
  const mcp = await opened('--attribute', 'user_id=usr_1');
  const origins = ['https://www.example.com'];
  const project = { projectId: 'proj_01HXYZ' };
  const made = await mcp.ask('create_project_token', { ...project, label: 'Web', allowedOrigins: origins });
  expect(made.token).toMatchObject({ attributes: { project_id: 'proj_01HXYZ' }, origins });
  const member = await mcp.ask('create_member_token', { label: 'CI' });
  expect(member.token.attributes).toEqual({ user_id: 'usr_1' });
  const probe = await mcp.ask('activate_probe', { ...project, labelPattern: 'payment.*', ttlSeconds: 300 });
  const { activation_id: activationId } = probe.activation;

  expect((await mcp.ask('list_project_tokens', { ...project, limit: 1 })).tokens).toEqual([made.token]);
  expect((await mcp.ask('list_member_tokens')).tokens).toEqual([member.token]);
  expect((await mcp.ask('list_active_probes', project)).activations).toEqual([probe.activation]);
  const ended = await mcp.ask('revoke_project_token', { ...project, token_id: made.token.id });
  expect(ended.token.state).toBe('revoked');
  expect((await mcp.ask('revoke_member_token', { tokenId: member.token.id })).token.state).toBe('revoked');
  expect(await mcp.ask('deactivate_probe', { ...project, activationId })).toMatchObject({ applied: true });

  const secrets = [made, member, probe].map(({ secret_file: file }) => readFileSync(file, 'utf8').trimEnd());
  expect(secrets.map((secret) => /^dbundle_(?:proj|mem|probe)_/.test(secret))).toEqual([true, true, true]);
  expect(secrets.flatMap((secret) => tracesOf(secret, mcp.transcript() + mcp.stderr()))).toEqual([]);
});
