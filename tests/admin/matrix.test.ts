import { describe, expect, test } from 'vitest';
import { deskConfig, Terminal } from './terminal.ts';

describe('postern matrix', () => {
  test('is a table for people', async () => {
    const { code, stdout } = await new Terminal().run('matrix');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['Row', 'project', 'user', 'legacy', 'Bind', 'Limits', 'Origin pin', 'Upstream'],
      [
        ...['main POST /events', 'events:write', '-', 'events:write', '-', 'ingest 600/1m per token, local'],
        ...['origin, deny without Origin', 'app'],
      ],
      [
        ...['main GET /events', '-', 'events:read | events:write', '-', '-', '-'],
        ...['origin, deny without Origin', 'app'],
      ],
      [
        ...['main GET /projects/{project}', '-', 'any_scope', '-'],
        ...['{project} is token.attribute.projects', '-', 'origin, deny without Origin', 'app'],
      ],
      ['main GET /status', 'public', 'public', 'public', '-', '-', '-', 'app'],
      [''],
    ]);
  });

  test('is JSON for scripts', async () => {
    const { types, rows } = await new Terminal().json('matrix');
    expect(types).toEqual(['project', 'user', 'legacy']);
    expect(rows).toHaveLength(4);
    expect(rows[0]).toEqual({
      row: 'main POST /events',
      api: 'main',
      method: 'POST',
      pattern: '/events',
      hosts: [],
      public: false,
      cells: { project: 'events:write', legacy: 'events:write' },
      annotated_by: [],
      bind: [],
      limits: ['ingest 600/1m per token, local'],
      origin_pin: 'origin, deny without Origin',
      address_pin: null,
      monitored: [],
      bundle_pins: [],
      body_max: 10 * 1024 * 1024,
      body_json: false,
      body_cut: [],
      cors: null,
      credentials: null,
      observes: [],
      errors: null,
      path_parameters: false,
      strict_scheme: false,
      row_origin_pin: null,
      upstream: 'app',
      served: null,
      websocket: false,
    });
    expect(rows[3]).toMatchObject({ public: true, cells: {}, origin_pin: null, credentials: 'pass' });
  });

  test('shows who is kept out by address, and what only watches', async () => {
    const text = deskConfig
      .replace('POST /events: {', 'POST /events: { pins: [office], ')
      .concat(
        'pins: { office: { kind: cidr, allow: [203.0.113.0/24, "2001:DB8:0::/32"], mode: monitor, until: 2999-01-01 } }\n',
      );
    const terminal = new Terminal(text);
    const { rows } = await terminal.json('matrix');
    expect(rows[0]).toMatchObject({
      address_pin: 'office, 203.0.113.0/24 2001:db8::/32',
      monitored: ['pin office until 2999-01-01'],
    });
    const { stdout } = await terminal.run('matrix', '--markdown');
    expect(stdout.split('\n')[0]).toContain('| Origin pin | Address pin | Monitored | Upstream |');
  });

  test('shows what an upstream’s success changes', async () => {
    const observe =
      '[{ on: 2xx, end: caller }, { on: 2xx, token: { type: project, from: set-cookie:sid, attributes: { project: token.attribute.project } } }]';
    const text = deskConfig.replace(
      /(POST \/events: \{ allow: \{) .*? \}/,
      `$1 project: events:write }, observe: ${observe}`,
    );
    const terminal = new Terminal(text);
    const { rows } = await terminal.json('matrix');
    expect(rows[0].observes).toEqual([
      "end of the caller's token",
      'a token of type project from set-cookie:sid with project token.attribute.project',
    ]);
    const { stdout } = await terminal.run('matrix');
    expect(stdout).toContain(rows[0].observes.join('; '));
  });

  test('says which rows grant WebSocket', async () => {
    const config = deskConfig.replace(/(GET \S+: \{ allow: \{[^}]*\})/, '$1, websocket: true');
    const { stdout } = await new Terminal(config).run('matrix', '--markdown');
    expect(stdout.match(/main GET \S+ \(WebSocket\) \|/g)).toHaveLength(1);
  });

  test('is Markdown for documents, in which a cell cannot end early', async () => {
    const { stdout } = await new Terminal(
      deskConfig.replace('to: app\n', 'to: app\n    hosts: [a.example]\n'),
    ).run('matrix', '--markdown');
    const [header, rule, , reading] = stdout.split('\n');
    expect(header).toBe('| Row | Hosts | project | user | legacy | Bind | Limits | Origin pin | Upstream |');
    expect(rule).toBe('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
    expect(reading).toBe(
      '| main GET /events | a.example | - | events:read \\| events:write | - | - | - | origin, deny without Origin | app |',
    );
  });

  test('shows what few rows have, in a column of its own', async () => {
    const text = deskConfig
      .replace(
        'POST /events: {',
        'POST /events: { cors: web, errors: plain, pins: [app], path_parameters: allow, body: { max: 64KiB },',
      )
      .replace('allow: public', 'allow: public, credentials: strip, pins: [relay]')
      .replace('    to: app\n', '    to: app\n    strict_scheme: true\n')
      .concat(`cors: { web: { origins: [https://a.example], credentials: true, max_age: 1h } }
errors: { plain: { body: { message: "{detail}" } } }
pins: { relay: { kind: origin, allow: [https://a.example], when_missing: deny, mode: monitor, until: 2999-01-01 }, app: { kind: bundle_id, from: [json:/app_id, header:X-App], belongs_to: token, when_missing: deny, mode: monitor, until: 2999-01-01 } }
`);
    const terminal = new Terminal(text);
    const lines = (await terminal.run('matrix', '--markdown')).stdout.split('\n');
    const [header = '', , events = ''] = lines;
    const cells = Object.fromEntries(
      header.split(' | ').map((name, index) => [name.replace('| ', ''), events.split(' | ')[index]]),
    );
    expect(cells).toMatchObject({
      Row: '| main POST /events (path parameters) (strict scheme)',
      'Bundle pins': 'app, json:/app_id header:x-app of token, first use deny, deny when missing',
      Monitored: 'pin app until 2999-01-01',
      Body: '64KiB, JSON',
      CORS: 'web',
      Credentials: '-',
      Errors: 'plain',
    });
    const status = lines.find((line) => line.startsWith('| main GET /status |'));
    expect(status).toContain(' | strip | ');
    expect(status).toContain(
      ' | relay, https://a.example, deny without Origin | pin relay until 2999-01-01 | ',
    );
    expect(lines.filter((line) => line.startsWith('| web '))).toEqual([
      '| web | https://a.example | GET, HEAD, POST | - | - | yes | 1h |',
    ]);
    expect(lines.filter((line) => line.startsWith('| Type '))).toEqual([
      '| Type | Scopes | Prefixes | Sources | CSRF |',
    ]);
  });

  test('has a column per signed type, which says on which rows one is looked for', async () => {
    const text = deskConfig
      .replace(
        'scopes:\n',
        '  probe: { prefix: prb_, format: signed, use: annotate, sources: [query:probe], key: { file: ./probe.key } }\nscopes:\n',
      )
      .replace('    to: app\n', '    to: app\n    types: [project, user, legacy, probe]\n')
      .concat(
        '  other: { to: app, hosts: [o.example], routes: { GET /other: { allow: { project: any_scope } } } }\n',
      );
    const terminal = new Terminal(text);
    terminal.write('probe.key', 'k'.repeat(40));
    const { types, annotations, rows, token_types } = await terminal.json('matrix');
    expect([types, annotations]).toEqual([['project', 'user', 'legacy'], ['probe']]);
    expect(rows.map(({ annotated_by }: { annotated_by: unknown }) => annotated_by)).toEqual([
      ...Array(4).fill(['probe']),
      [],
    ]);
    expect(token_types[3]).toEqual({
      type: 'probe',
      annotates: true,
      scopes: [],
      granted: false,
      prefixes: ['prb_'],
      sources: ['query:probe'],
      csrf: null,
    });
    const { stdout } = await terminal.run('matrix', '--markdown');
    expect(stdout.split('\n')[0]).toContain('| user | legacy | probe | Bind |');
    expect(stdout).toMatch(/main GET \/status \| any \| public \| public \| public \| annotates \|/);
    expect(stdout).toMatch(/other GET \/other \| o.example \| any_scope \| - \| - \| - \|/);
    expect(stdout).toContain('| probe | none: it annotates | prb_ | query:probe | - |');
  });

  test('says of a row that is answered here what it does, to which tokens, and who is asked first', async () => {
    const serve = (what: string, confirm = '') =>
      `allow: { user: any_scope }, bind: { project: token.attribute.projects }, serve: ${what}${confirm} }\n`;
    const only = 'type: project, attributes: { project: "{project}" }';
    const rows = [
      `GET /projects/{project}/tokens: { ${serve(`token.list, with: { ${only} }`)}`,
      `POST /projects/{project}/tokens: { ${serve(`token.create, with: { ${only}, expires_in: 90d }`, ', confirm: { to: app, request: "GET /p/{project}" }')}`,
      `POST /projects/{project}/tokens/{id}/rotate: { ${serve(`token.rotate, with: { ${only}, token: "{id}" }`)}`,
      `POST /projects/{project}/regenerate: { ${serve('token.regenerate, with: { type: user, attributes: { team: "{project}" }, scopes: [events:read], grace: 1h }')}`,
    ];
    const terminal = new Terminal(deskConfig + rows.map((row) => `      ${row}`).join(''));
    const all: { upstream: string; served: string | null }[] = (await terminal.json('matrix')).rows;
    expect(all.slice(3).map(({ upstream, served }) => [upstream, served])).toEqual([
      ['app', null],
      ['serve token.list', 'token.list of type project, project={project}'],
      [
        'serve token.create',
        'token.create of type project, project={project}, at most 90d, confirm GET /p/{project} at app',
      ],
      ['serve token.rotate', 'token.rotate of type project, project={project}, token {id}, overlap 1d'],
      [
        'serve token.regenerate',
        'token.regenerate of type user, team={project}, scopes events:read, grace up to 1h',
      ],
    ]);
    expect((await terminal.run('matrix', '--markdown')).stdout.split('\n')[0]).toContain(
      '| Upstream | Served |',
    );
  });

  test('says by scope what each type may do', async () => {
    const terminal = new Terminal(deskConfig.replace('Read events', '|\n    Read\n    events | all'));
    expect((await terminal.json('matrix')).scopes).toEqual([
      {
        scope: 'events:read',
        sentence: 'Read\nevents | all\n',
        types: { project: 'no', user: 'grantable', legacy: 'no' },
      },
      {
        scope: 'events:write',
        sentence: 'Send events',
        types: { project: 'yes', user: 'grantable', legacy: 'yes' },
      },
    ]);
    const { stdout } = await terminal.run('matrix', '--markdown');
    expect(stdout.split('\n\n')[1]).toBe(
      [
        '| Scope | Means | project | user | legacy |',
        '| --- | --- | --- | --- | --- |',
        '| events:read | Read events \\| all | no | grantable | no |',
        '| events:write | Send events | yes | grantable | yes |',
      ].join('\n'),
    );
  });

  test('says what is cut out of bodies, even where that is so on every row', async () => {
    const at = deskConfig.indexOf('      POST /events');
    const body = ', body: { json: true, cut: [json:/a, json:/b/c] } }';
    const terminal = new Terminal(`${deskConfig.slice(0, at)}      POST /one: { allow: public${body}\n`);
    const [row] = (await terminal.json('matrix')).rows;
    expect(row).toMatchObject({ body_json: true, body_cut: ['json:/a', 'json:/b/c'] });
    const { stdout } = await terminal.run('matrix', '--markdown');
    expect(stdout).toContain(' | 10MiB, JSON without json:/a json:/b/c | ');
  });

  test('that was kept is compared line by line', async () => {
    const terminal = new Terminal();
    const { stdout } = await terminal.run('matrix', '--markdown');
    const file = terminal.write('matrix.md', stdout.replaceAll('\n', '\r\n'));
    expect(await terminal.run('matrix', '--check', file)).toEqual({
      code: 0,
      stdout: './matrix.md is what the config says\n',
      stderr: '',
    });
    terminal.write('matrix.md', stdout.replace('any_scope', 'events:read'));
    const told = await terminal.run('matrix', '--check', file);
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(
      /^\.\/matrix\.md:5: differs from the config\n {2}file: {3}.*events:read.*\n {2}config: .*any_scope.*\n$/,
    );
    terminal.write('matrix.md', stdout.split('\n').slice(0, -2).join('\n'));
    expect(await terminal.run('matrix', '--check', file)).toMatchObject({ code: 1 });
    expect(await terminal.run('matrix', '--check', terminal.path('none.md'))).toMatchObject({ code: 1 });
  });
});
