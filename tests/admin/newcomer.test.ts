/** What somebody new runs into: a token that opens nothing, more scopes than a page holds, a store that is away. */
import { expect, onTestFinished, test } from 'vitest';
import { adminConfig } from '../fixtures/admin.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';
import { Terminal } from './terminal.ts';

async function formOf(type: string, on: DashFixture, cookie: string) {
  const { text } = await on.dash(`GET /tokens/new?type=${type}`, { cookie });
  return { _form: hiddenOf(text, '/tokens/new', '_form'), key: hiddenOf(text, '/tokens/new', 'key') };
}

test('a token without a scope is told to hold none, and the audit does not spread out hundreds', async () => {
  const scopes = Array.from({ length: 300 }, (_, i) => `area:${i}`);
  const config = adminConfig
    .replace(/^scopes:$/m, `$&\n${scopes.map((scope) => `  ${scope}: An area`).join('\n')}`)
    .replace(/^token_types:$/m, `$&\n  wide: { prefix: wide_, grantable: [${scopes.join(', ')}] }`);
  const wide = await startDash(undefined, config);
  onTestFinished(() => wide.gateway.stop());
  const by = (await wide.signIn()).cookie;
  const form = { ...(await formOf('wide', wide, by)), type: 'wide', label: 'bare' };
  const bare = await wide.dash('POST /tokens/new', { cookie: by, form });
  expect(bare.text).toContain('No row of the config takes it yet: it holds no scope. Edit gives it some.');
  const body = { type: 'wide', label: 'all', scopes };
  expect((await wide.ask('POST /v1/tokens', { body })).status).toBe(201);
  const { text } = await wide.dash('GET /audit', { cookie: by });
  expect(text).toContain('<details><summary>300</summary>');
});

test('while the store is away the page says that a form can be sent again, and what comes of it', async () => {
  const away = await startDash();
  onTestFinished(() => away.gateway.stop());
  const by = (await away.signIn()).cookie;
  const form = { ...(await formOf('user', away, by)), type: 'user', label: 'later' };
  await away.gateway.running.tokens.close();
  const { status, text } = await away.dash('POST /tokens/new', { cookie: by, form });
  expect(status).toBe(503);
  expect(text).toContain('go back and send the form again. One that makes a token makes one');
});

test('the command line says of a token that it was made with no scope, and of none that has some', async () => {
  const terminal = new Terminal();
  const made = (...more: string[]) => terminal.run('token', 'create', '--type', 'postern_admin', ...more);
  expect((await made()).stderr).toContain('"unnamed", with no scope. It is shown this once:');
  expect((await made('--scope', 'tokens:read')).stderr).toContain('"unnamed". It is shown this once:');
});
