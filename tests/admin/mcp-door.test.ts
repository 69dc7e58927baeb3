/** The door of MCP over HTTP where what is behind it fails in the middle of a call. */
import { expect, onTestFinished, test } from 'vitest';
import { createMcpDoor } from '../../gateway/admin/http-mcp.ts';
import { adminScopes } from '../../policy/admin-type.ts';
import { StoreFault } from '../../store/fault.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import { startAdmin } from '../fixtures/admin.ts';

const headers = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' };

test('a call whose store goes away under it is told so, logged, and leaves no place taken for a secret', async () => {
  const admin = await startAdmin();
  onTestFinished(() => admin.gateway.stop());
  const { running } = admin.gateway;
  const { id } = await admin.mint();
  const record = await running.tokens.byId(id);
  if (record === null) throw new Error('no such token');
  let broken: Error | null = null;
  const failing = () => {
    if (broken !== null) throw broken;
  };
  const tokens: OpenTokens = Object.assign(Object.create(running.tokens), {
    create: async (token: Parameters<OpenTokens['create']>[0]) => {
      failing();
      return running.tokens.create(token);
    },
  });
  const heard: unknown[] = [];
  const door = createMcpDoor({
    ...{ tokens, now: Date.now, config: running.config },
    fault: (fault, requestId) => heard.push(fault.code, requestId),
    bug: (error, requestId) => heard.push((error as Error).name, requestId),
  });
  const create = async () => {
    const params = { name: 'create_project_token', arguments: { project: 'prj_a', label: 'CI' } };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    const response = await door({
      request: new Request('http://127.0.0.1/mcp', { method: 'POST', headers, body }),
      ...{ path: '/mcp', search: '', operator: { record, by: 'token:tok_x', scopes: adminScopes } },
      ...{ requestId: 'req-1', at: 'http://127.0.0.1:8081' },
    });
    // biome-ignore lint/suspicious/noExplicitAny: an answer is what it is asked to be.
    const { result }: any = await response.json();
    return [result.isError === true, result.content[0].text];
  };
  broken = new StoreFault('store_unavailable', 'SECRET words of a database');
  const away = [true, 'the store cannot be reached right now; try again in a moment'];
  for (let tries = 0; tries < 101; tries++) expect(await create()).toEqual(away);
  expect(heard.splice(0).slice(0, 2)).toEqual(['store_unavailable', 'req-1']);
  broken = new TypeError('SECRET words of a library');
  expect(await create()).toEqual([
    true,
    'something went wrong inside; look what is there before you try again',
  ]);
  expect(heard.splice(0)).toEqual(['TypeError', 'req-1']);
  broken = null;
  for (let made = 0; made < 100; made++) expect((await create())[0]).toBe(false);
  expect(await create()).toEqual([
    true,
    expect.stringMatching(/^too many secrets wait to be fetched; fetch those/),
  ]);
  expect((await running.tokens.list({ limit: 1000, type: 'project' })).tokens).toHaveLength(100);
});
