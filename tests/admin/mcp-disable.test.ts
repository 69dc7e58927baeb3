/** A program may stop a token in a way that a person can undo. */
import { expect, test } from 'vitest';
import { mcpHere } from '../fixtures/mcp.ts';
import { mcpDesk } from './mcp-desk.ts';

const whose = { project: 'prj_a' };

async function desk(...allow: ('read' | 'propose' | 'apply')[]) {
  const terminal = await mcpDesk();
  const make = (...more: readonly string[]) =>
    terminal.json('token', 'create', '--type', 'project', '--attribute', 'project=prj_a', ...more);
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read', ...allow] });
  return { terminal, make, mcp };
}

test('a token is disabled, stays so, and its audit row says by whom', async () => {
  const { terminal, make, mcp } = await desk('apply');
  const { id: tokenId } = await make();
  for (const _ of ['once', 'again']) {
    const { applied, command, token } = await mcp.ask('disable_project_token', { ...whose, tokenId });
    expect([applied, command, token.id, token.state]).toEqual([true, null, tokenId, 'disabled']);
  }
  const { entries } = await terminal.json('audit', 'list', '--subject', tokenId);
  expect(entries.map(({ action, actor }: Record<string, string>) => [action, actor])).toEqual([
    ['token.create', 'cli'],
    ['token.disable', expect.stringMatching(/^mcp:/)],
  ]);
  expect((await mcp.tools()).map(({ name }) => name)).not.toContain('enable_project_token');
});

test('a proposal makes every check, changes nothing, and ends in the command that does it', async () => {
  const { terminal, make, mcp } = await desk('propose');
  const { id: tokenId } = await make();
  const { applied, command, token } = await mcp.ask('disable_project_token', { ...whose, tokenId });
  expect([applied, token.state]).toEqual([false, 'active']);
  expect(command).toMatch(new RegExp(`^postern token disable ${tokenId} --config `));
  expect((await terminal.json('token', 'show', tokenId)).state).toBe('active');
});

test.each(['propose', 'apply'] as const)('what cannot be disabled is refused by %s alike', async (level) => {
  const { terminal, make, mcp } = await desk(level);
  const [{ id: revoked }, { id: canary }, { id: other }] = [
    await make(),
    await make('--canary'),
    await make(),
  ];
  await terminal.run('token', 'revoke', revoked);
  const refused = (tokenId: string, more = {}) =>
    mcp.refused('disable_project_token', { ...whose, tokenId, ...more });
  expect(await refused(revoked)).toMatch(/^this token is revoked, and stays as it is/);
  expect(await refused(canary)).toMatch(/^this token is a canary/);
  expect(await refused(other, { project: 'prj_b' })).toMatch(/^no token of this type and owner/);
  expect((await terminal.json('token', 'show', other)).state).toBe('active');
});
