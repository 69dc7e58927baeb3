/** DebugBundle's MCP tools: every documented name, with its documented parameters, from the example config alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type McpSession, mcpOver, openMcp } from '../fixtures/mcp.ts';
import { tracesOf } from '../fixtures/secrets.ts';
import { openProduct } from './stage.ts';

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

type Opened = {
  readonly mcp: McpSession;
  readonly secretOf: (made: Kept) => Promise<string>;
};
type Kept = { readonly secret_file: string; readonly secret_link: string };

/** `postern mcp`, for one member. */
async function overStdio(): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-product-mcp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'gateway.config.yaml');
  writeFileSync(config, readFileSync(example));
  const words = ['--allow', 'read,propose,apply', '--secrets-to', join(folder, 'secrets')];
  const mcp = await openMcp(config, [...words, '--attribute', 'user_id=usr_1'], env);
  return { mcp, secretOf: async ({ secret_file: file }) => readFileSync(file, 'utf8').trimEnd() };
}

/** A gateway's own `/mcp`, for the same member. */
async function overHttp(): Promise<Opened> {
  const health = 'health: { address: 127.0.0.1:8082 }';
  const replaced = { [health]: `admin: { address: 127.0.0.1:0, mcp: true }\n${health}` };
  const { gateway, stop } = await openProduct({ example: 'debugbundle', env, replaced });
  onTestFinished(stop);
  const { admin, bootstrap_token_file: file } = JSON.parse(gateway.readyLine);
  const token = readFileSync(file, 'utf8').trimEnd();
  const headers = { Authorization: `Bearer ${token}` };
  return {
    mcp: await mcpOver(admin, token, '?attribute=user_id=usr_1'),
    secretOf: async ({ secret_link: link }) =>
      (await (await fetch(link, { method: 'POST', headers })).text()).trimEnd(),
  };
}

describe.each([
  ['over stdio', overStdio],
  ['over HTTP', overHttp],
] as const)('%s', (_how, opened) => {
  test('the tools are the documented ones, for one member, by name and parameter', async () => {
    const { mcp } = await opened();
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
    const { mcp, secretOf } = await opened();
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

    const secrets = await Promise.all([made, member, probe].map(secretOf));
    expect(secrets.map((secret) => /^dbundle_(?:proj|mem|probe)_/.test(secret))).toEqual([true, true, true]);
    expect(secrets.flatMap((secret) => tracesOf(secret, mcp.transcript() + mcp.stderr()))).toEqual([]);
  });
});
