/** What the dashboard says to whoever comes after the end of a session. */
import { expect, onTestFinished, test } from 'vitest';
import { hiddenOf, startDash } from '../fixtures/dash.ts';

test('a session that is over says so to whoever sends a form, and leads back to where it was opened', async () => {
  const dash = await startDash();
  onTestFinished(() => dash.gateway.stop());
  const { cookie, id } = await dash.signIn();
  const { id: victim } = await dash.gateway.mint('user');
  const { text } = await dash.dash(`GET /tokens/${victim}/revoke`, { cookie });
  const form = { _form: hiddenOf(text, `/tokens/${victim}/revoke`, '_form') };
  await dash.gateway.running.tokens.revoke(id, 'test', null);
  const sent = await dash.dash(`POST /tokens/${victim}/revoke`, { cookie, form });
  const back = new URLSearchParams({ done: 'undone', to: `/tokens/${victim}/revoke` });
  expect([sent.status, sent.location]).toEqual([303, `/sign-in?${back}`]);
  expect((await dash.dash(`GET ${sent.location}`)).text).toContain('was not done');
  expect((await dash.ask(`GET /v1/tokens/${victim}`)).json.state).toBe('active');
  // Where nothing can be opened again, the first page is next; and whoever wants to be out is out.
  const lost = await dash.dash('POST /alerts/alr_1/acknowledge', { cookie, form });
  expect(lost.location).toBe('/sign-in?done=undone');
  expect((await dash.dash('GET /sign-out', { cookie })).location).toBe('/sign-in?done=out');
  expect((await dash.dash('POST /sign-out', { cookie, form })).location).toBe('/sign-in?done=out');
});
