/** Cursors of every list: a `next` leads on, and anything else is refused, by every face. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DashFixture, startDash } from '../fixtures/dash.ts';
import { mcpHere } from '../fixtures/mcp.ts';
import { mcpDesk } from './mcp-desk.ts';
import { Terminal } from './terminal.ts';

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash();
  for (const project of ['a', 'b', 'c']) {
    const body = { type: 'project', attributes: { project } };
    await dash.ask('POST /v1/tokens', { body });
    // One row of the audit for it, and one for each that it ends, with ids of their own.
    await dash.ask('POST /v1/tokens/regenerate', { body });
    await dash.ask(`PUT /v1/pins/app/project%3D${project}`, { body: { value: 'com.example.a' } });
    await dash.ask('POST /v1/probes', { body: { for: 'a', label_pattern: 'pay.*' } });
    const alert = { kind: 'unseen.origin', subject: project, tokenId: project, quietMs: 0 } as const;
    await dash.gateway.running.tokens.alerts.raise({ ...alert, detail: {} });
  }
});
afterAll(() => dash.gateway.stop());

const lists = [
  ['/v1/tokens', 'tokens'],
  ['/v1/tokens?type=project&attribute=project=a', 'tokens'],
  ['/v1/tokens?type=project', 'tokens'],
  ['/v1/audit', 'entries'],
  ['/v1/pins', 'pins'],
  ['/v1/probes?for=a', 'activations'],
  ['/v1/alerts', 'alerts'],
] as const;

const pageOf = (path: string, query: Readonly<Record<string, string>>) =>
  dash.ask(`GET ${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(query)}`);

describe.each(lists)('%s', (path, name) => {
  test('goes on after each next that it gave, to its end', async () => {
    const whole = (await pageOf(path, { limit: '1000' })).json[name];
    const seen: unknown[] = [];
    for (let after: string | null = null; ; ) {
      const page = await pageOf(path, after === null ? { limit: '1' } : { limit: '1', after });
      expect(page.status).toBe(200);
      seen.push(...page.json[name]);
      after = page.json.next;
      if (after === null) break;
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual(whole);
  });

  test('refuses what is no cursor of its own, and does not repeat it', async () => {
    const { next } = (await pageOf(path, { limit: '1' })).json;
    const others = await Promise.all(
      lists
        .filter(([, other]) => other !== name)
        .map(async ([other]) => String((await pageOf(other, { limit: '1' })).json.next)),
    );
    const odd = fc.oneof(
      fc.constantFrom(
        '',
        'zzz',
        'WyJhIl0',
        'W10',
        '1_2',
        `${next}x`,
        ` ${next}`,
        next.slice(0, -1),
        ...others,
      ),
      fc.string({ unit: 'binary' }).filter((text) => text !== next),
    );
    await fc.assert(
      fc.asyncProperty(odd, async (after) => {
        const { status, json } = await pageOf(path, { after });
        expect({ after, status, path: json.path }).toEqual({ after, status: 400, path: 'after' });
      }),
      { numRuns: 40 },
    );
    const { text } = await pageOf(path, { after: 'prj_SECRETSECRET' });
    expect(text).not.toContain('SECRET');
    expect(JSON.parse(text)).toMatchObject({ code: 'payload_invalid', detail: 'not a cursor' });
  });
});

test('the command line says what to give instead, with exit code 1', async () => {
  const terminal = new Terminal();
  await terminal.run('token', 'create', '--type', 'project', '--attribute', 'project=a');
  for (const list of ['token list', 'audit list', 'pin list', 'alerts']) {
    const { code, stdout, stderr } = await terminal.run(...list.split(' '), '--after', 'zzz');
    const words = 'not a cursor; give the next of the page before as it is, or leave it out\n';
    expect([list, code, stdout, stderr]).toEqual([list, 1, '', expect.stringContaining(words)]);
  }
});

test('tools say so too', async () => {
  const terminal = await mcpDesk();
  await terminal.run('token', 'create', '--type', 'project', '--attribute', 'project=a');
  const mcp = await mcpHere(terminal.path('gateway.config.yaml'), { allow: ['read'] });
  const lists = [
    ['list_tokens', {}],
    ['list_project_tokens', { project: 'a' }],
    ['list_pins', {}],
    ['list_audit', {}],
    ['list_alerts', {}],
    ['list_active_probes', { project: 'a' }],
  ] as const;
  for (const [tool, named] of lists) {
    const words = 'not a cursor; give the next of the page before as it is, or leave it out';
    expect([tool, await mcp.refused(tool, { after: 'prj_SECRET', ...named })]).toEqual([tool, words]);
  }
});

test.each(['/tokens', '/audit', '/pins', '/alerts', '/usage/unused'])(
  'the dashboard has no empty page for one: %s',
  async (path) => {
    const { cookie } = await dash.signIn();
    expect((await dash.dash(`GET ${path}`, { cookie })).status).toBe(200);
    const { status, text } = await dash.dash(`GET ${path}?after=zzz`, { cookie });
    expect([status, text.includes('Not a cursor')]).toEqual([400, true]);
  },
);
