/** A regenerate in the dashboard ends what its form has shown. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';

let dash: DashFixture;
let cookie: string;
beforeAll(async () => {
  dash = await startDash();
  ({ cookie } = await dash.signIn());
});
afterAll(() => dash.gateway.stop());

async function formOf(path: string) {
  const { text } = await dash.dash(`GET ${path}`, { cookie });
  const [_form, key, before] = ['_form', 'key', 'before'].map((name) => hiddenOf(text, path, name));
  return { _form: _form ?? '', key: key ?? '', before: before ?? '', grace: '' };
}

test('a regenerate ends what its form said, and nothing where the token has become another since', async () => {
  const make = async (label: string, project: string): Promise<string> =>
    (await dash.ask('POST /v1/tokens', { body: { type: 'project', label, attributes: { project } } })).json
      .id;
  const [id, other] = [await make('moved', 'prj_from'), await make('bystander', 'prj_to')];
  const path = `/tokens/${id}/regenerate`;
  const opened = await formOf(path);
  expect(opened.before).toBe('1');
  await dash.ask(`PATCH /v1/tokens/${id}`, { body: { attributes: { project: 'prj_to' } } });
  for (const form of [opened, { ...opened, before: '' }]) {
    const { status, text } = await dash.dash(`POST ${path}`, { cookie, form });
    expect(status).toBe(400);
    expect(text).toMatch(/not what it was when you opened this form/);
    expect(text).toMatch(/project=prj_to.*2 that work now.*bystander/s);
  }
  const stateOf = async (one: string) => (await dash.ask(`GET /v1/tokens/${one}`)).json.state;
  expect([await stateOf(id), await stateOf(other)]).toEqual(['active', 'active']);
  const form = await formOf(path);
  // The second of two clicks finds the token changed by the first, and is shown what that has made.
  const clicks = [1, 2].map(() => dash.dash(`POST ${path}`, { cookie, form }));
  const made = [...(await Promise.all(clicks)), await dash.dash(`POST ${path}`, { cookie, form })];
  expect(made.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect([await stateOf(id), await stateOf(other)]).toEqual(['revoked', 'revoked']);
});

test('a token that was revoked since its form was opened brings no other in its place', async () => {
  const body = { type: 'project', label: 'leaked', attributes: { project: 'prj_leaked' } };
  const { id } = (await dash.ask('POST /v1/tokens', { body })).json;
  const path = `/tokens/${id}/regenerate`;
  const form = await formOf(path);
  await dash.ask(`POST /v1/tokens/${id}/revoke`, { body: {} });
  expect((await dash.dash(`POST ${path}`, { cookie, form })).status).toBe(400);
  const { json } = await dash.ask('GET /v1/tokens?type=project&attribute=project%3Dprj_leaked');
  expect(json.tokens).toHaveLength(1);
});
