// biome-ignore-all lint/suspicious/noExplicitAny: answers are what they are asked to be.
/** Command line and API: the same scenario by either face, and the same JSON. */
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteTokens } from '../../store/tokens-sqlite.ts';
import { startAdmin, wholeConfig } from '../fixtures/admin.ts';
import { Terminal } from './terminal.ts';

/** What differs from run to run, made the same: ids, secrets, times and who did it. */
function alike(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/tok_[0-9A-Z]{26}/g, 'tok_')
    .replaceAll(/aud_[0-9A-Z]{26}/g, 'aud_')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'uuid')
    .replaceAll(/\b(prj|usr)_[0-9A-Za-z]{20,}/g, '$1_')
    .replaceAll(/\b(prj|usr)_[0-9A-Za-z]{4}\.\.\./g, '$1_...')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replaceAll(/"(?:cli|token:tok_)"/g, '"actor"');
  return JSON.parse(text);
}

type Faces = {
  readonly cli: (words: string) => Promise<any>;
  readonly api: (line: string, body?: unknown) => Promise<any>;
  /** Holds them against each other. */
  readonly both: (one: unknown, other: unknown) => void;
};

async function faces(): Promise<Faces> {
  const admin = await startAdmin();
  onTestFinished(() => admin.gateway.stop());
  const terminal = new Terminal(wholeConfig);
  return {
    cli: (words) => terminal.json(...words.split(' ')),
    api: async (line, body) => (await admin.ask(line, body === undefined ? {} : { body })).json,
    both: (one, other) => expect(alike(other)).toEqual(alike(one)),
  };
}
test('tokens are shown alike by either face', async () => {
  const { cli, api, both } = await faces();

  const byCli = await cli(
    'token create --type user --label x --scope events:read --attribute team=t --attribute projects=a --attribute projects=b --origin https://app.example --expires-in 90d',
  );
  const byApi = await api('POST /v1/tokens', {
    type: 'user',
    label: 'x',
    scopes: ['events:read'],
    attributes: { team: 't', projects: ['a', 'b'] },
    origins: ['https://app.example'],
    expires_in: '90d',
  });
  both(byCli, byApi);
  both(
    await cli('token list --type user --attribute team=t'),
    await api('GET /v1/tokens?type=user&attribute=team=t'),
  );
  both(await cli(`token show ${byCli.id}`), await api(`GET /v1/tokens/${byApi.id}`));
  both(
    await cli(`token update ${byCli.id} --label y --no-expiry --no-origins`),
    await api(`PATCH /v1/tokens/${byApi.id}`, { label: 'y', expires_in: null, origins: [] }),
  );
  for (const verb of ['disable', 'enable']) {
    both(await cli(`token ${verb} ${byCli.id}`), await api(`POST /v1/tokens/${byApi.id}/${verb}`));
  }
  both(
    await cli(`token rotate ${byCli.id} --overlap 1h`),
    await api(`POST /v1/tokens/${byApi.id}/rotate`, { overlap: '1h' }),
  );
  both(
    await cli(
      'token regenerate --type user --attribute team=t --attribute projects=a --attribute projects=b',
    ),
    await api('POST /v1/tokens/regenerate', {
      type: 'user',
      attributes: { team: 't', projects: ['a', 'b'] },
    }),
  );
  both(
    await cli(`token revoke ${byCli.id} --reason over`),
    await api(`POST /v1/tokens/${byApi.id}/revoke`, { reason: 'over' }),
  );
});

test('pins and the audit are shown alike', async () => {
  const { cli, api, both } = await faces();
  const at = '/v1/pins/app/project%3Dprj_a';
  both(
    await cli('pin set app project=prj_a com.a --reason new'),
    await api(`PUT ${at}`, { value: 'com.a', reason: 'new' }),
  );
  both(await cli('pin set app project=prj_a com.b'), await api(`PUT ${at}`, { value: 'com.b' }));
  both(await cli('pin show app project=prj_a'), await api(`GET ${at}`));
  both(await cli('pin list --pin app'), await api('GET /v1/pins?pin=app'));
  both(await cli('pin reset app project=prj_a'), await api(`POST ${at}/reset`, {}));
  both(await cli('pin list'), await api('GET /v1/pins'));
  both(await cli('audit list --subject project=prj_a'), await api('GET /v1/audit?subject=project%3Dprj_a'));
});

test('what is purged is told alike, and so is the chain', async () => {
  const { cli, api, both } = await faces();
  await cli('pin set app project=prj_a com.a');
  await api('PUT /v1/pins/app/project%3Dprj_a', { value: 'com.a' });
  for (const what of ['token', 'audit']) {
    const path = `/v1/${what === 'token' ? 'tokens' : what}/purge`;
    both(await cli(`${what} purge --before 30d`), await api(`POST ${path}`, { before: '30d' }));
    both(await cli(`${what} purge --dry-run`), await api(`POST ${path}?dry_run=true`));
  }
  const [one, other] = [await cli('audit verify'), await api('GET /v1/audit/verify')];
  const chain = { rows: 0, head: { seq: 0, mac: '' } };
  both({ ...one, ...chain }, { ...other, ...chain });
  expect([one.ok, one.rows]).toEqual([true, 1]);
});

test('alerts are shown alike', async () => {
  const admin = await startAdmin();
  onTestFinished(() => admin.gateway.stop());
  const terminal = new Terminal(wholeConfig);
  await terminal.run('token', 'create', '--type', 'user', '--label', 'x');
  const beside = await openSqliteTokens({ path: terminal.path('data/postern.db'), now: Date.now });
  const alert = { kind: 'refusals.network', subject: '10.0.0.0/24', tokenId: null, quietMs: 0 } as const;
  const [one, other] = await Promise.all(
    [beside, admin.gateway.running.tokens].map(({ alerts }) =>
      alerts.raise({ ...alert, detail: { refused: 7 } }),
    ),
  );
  await beside.close();
  const [byCli, byApi] = [
    await terminal.json('alerts', '--open'),
    await admin.ask('GET /v1/alerts?open=true'),
  ];
  const delivery = (value: unknown) =>
    alike(JSON.parse(JSON.stringify(value).replaceAll(/alr_[0-9A-Z]{26}/g, 'alr_')));
  expect(delivery(byApi.json)).toEqual(delivery(byCli));
  const acknowledged = await terminal.json('alerts', 'ack', one?.id ?? '');
  const byRoute = await admin.ask(`POST /v1/alerts/${other?.id}/acknowledge`, { body: {} });
  expect(delivery(byRoute.json)).toEqual(delivery(acknowledged));
});

test('probes are shown alike', async () => {
  const { cli, api, both } = await faces();
  const one = await cli(
    'probe activate --for prj_a --label-pattern pay.* --ttl-seconds 600 --trigger-ttl-seconds 900',
  );
  const said = { for: 'prj_a', label_pattern: 'pay.*', ttl_seconds: 600, trigger_ttl_seconds: 900 };
  const other = await api('POST /v1/probes', said);
  const withoutTrigger = ({ trigger_token: trigger, ...rest }: { trigger_token: string }) => {
    expect(trigger).toMatch(/^probe_/);
    return rest;
  };
  both(withoutTrigger(one), withoutTrigger(other));
  both(await cli('probe list --for prj_a'), await api('GET /v1/probes?for=prj_a'));
  both(
    await cli(`probe deactivate --for prj_a ${one.activation_id}`),
    await api(`POST /v1/probes/${other.activation_id}/deactivate`, { for: 'prj_a' }),
  );
});

test('the matrix, and why, are the same', async () => {
  const { cli, api } = await faces();
  expect(await api('GET /v1/config/matrix')).toEqual(await cli('matrix'));
  expect(
    await api('POST /v1/config/explain', {
      method: 'GET',
      path: '/projects/a',
      as: 'user:events:read',
      attributes: { projects: ['a', 'b'] },
      headers: ['X-A:b'],
    }),
  ).toEqual(
    await cli(
      'explain GET /projects/a --as user:events:read --attribute projects=a --attribute projects=b --header X-A:b',
    ),
  );
});
