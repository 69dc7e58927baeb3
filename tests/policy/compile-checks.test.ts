import { describe, expect, test } from 'vitest';
import { runFixtures } from '../../gateway/fixtures.ts';
import type { Route } from '../../policy/types.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

const day = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * day).toISOString();

/** The small config with one row more, and what stands at its end. */
function configOf(row: string, tail = ''): string {
  return `${smallConfig}      GET /a: ${row}\n${tail}`;
}

function rowOf(text: string): Route {
  const route = loaded(text).policy.routes.find(({ pattern }) => pattern === '/a');
  if (route === undefined) throw new Error('no row');
  return route;
}

/** Without the one about limits that are not shared. */
const warningsOf = (text: string) =>
  loaded(text)
    .warnings.map(({ path, message }) => `${path}: ${message}`)
    .filter((warning) => !warning.includes('redis'));

const office = 'office: { kind: cidr, allow: [203.0.113.0/24] }';
const site = 'site: { kind: origin, when_missing: allow }';
const user = 'allow: { user: events:read }';

describe('pins of several kinds', () => {
  test('stand side by side on a row that names them, in any order', () => {
    for (const names of ['[site, office]', '[office, site]']) {
      const row = rowOf(configOf(`{ ${user}, pins: ${names} }`, `pins: { ${site}, ${office} }\n`));
      expect([row.originPin?.name, row.addressPin?.name]).toEqual(['site', 'office']);
    }
  });

  test('of which a row names one leave the origin pin where it stands', () => {
    const pins = `pins: { ${site}, ${office} }\n`;
    expect(rowOf(configOf(`{ ${user}, pins: [office] }`, pins)).originPin).toMatchObject({ name: 'site' });
    const only = rowOf(configOf(`{ ${user}, pins: [office] }`, `pins: { ${office} }\n`));
    expect(only.originPin).toEqual({ kind: 'origin', name: 'origin', whenMissing: 'deny' });
    expect(rowOf(configOf(`{ ${user} }`, pins)).addressPin).toBeNull();
  });

  test('never lend the strict origin pin a name of their own', () => {
    const text = configOf(
      `{ ${user}, pins: [origin] }`,
      `pins: { ${office.replace('office', 'origin').replace('] }', '], mode: monitor, until: 2999-01-01 }')} }\n`,
    );
    const row = rowOf(text);
    expect(row.originPin).toEqual({ kind: 'origin', name: 'origin', whenMissing: 'deny' });
    expect(row.addressPin).toMatchObject({ kind: 'cidr', monitorUntil: Date.UTC(2999, 0, 1) });
    expect(() => rowOf(text.replace('[origin]', '{ origin: off }'))).toThrow(
      'is nowhere but on rows that name it',
    );
  });

  test('are warned about where nobody uses them, but for the only origin pin', () => {
    expect(warningsOf(configOf(`{ ${user} }`, `pins: { ${site}, ${office} }\n`))).toEqual([
      'pins.office: pin "office" is not used',
    ]);
  });

  test('that take everybody are warned about', () => {
    const pins = 'pins: { all: { kind: cidr, allow: [0.0.0.0/0, "::/0"] } }\n';
    expect(warningsOf(configOf(`{ ${user}, pins: [all] }`, pins))).toEqual([
      'pins.all.allow[0]: pin "all" takes every v4 address',
      'pins.all.allow[1]: pin "all" takes every v6 address',
    ]);
  });
});

describe('csrf', () => {
  const change = '{ allow: { user: events:write } }\n      POST /b: { allow: { user: events:write } }';

  test('may be left out while no row lets the cookie change anything', () => {
    expect(warningsOf(smallConfig)).toEqual([]);
    expect(() => loaded(configOf(change))).toThrow('its cookie alone would open POST /b');
  });

  test('is compiled to a lower-case header and an attribute', () => {
    const text = configOf(change)
      .replace('user: required,', 'user: required, csrf: required,')
      .replace(
        '    grantable: [events:read,',
        '    csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }\n    grantable: [events:read,',
      );
    expect(loaded(text).policy.types.get('user')?.csrf).toEqual({
      header: 'x-csrf-token',
      attribute: 'csrf',
    });
    expect(warningsOf(text)).toEqual([]);
  });

  test('is off only in so many words, and with a warning', () => {
    const text = configOf(change).replace(
      '    grantable: [events:read,',
      '    csrf: off\n    grantable: [events:read,',
    );
    expect(loaded(text).policy.types.get('user')?.csrf).toBeUndefined();
    expect(warningsOf(text)).toEqual([
      "token_types.user.csrf: csrf is off: any site can make a visitor's browser ask for POST /b",
    ]);
  });
});

describe('a fixture', () => {
  const guarded = configOf(
    '{ allow: { user: any_scope } }\n      POST /b: { allow: { user: any_scope } }',
  ).replace(
    '    attributes: { user: required,',
    '    csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }\n    attributes: { csrf: required, user: required,',
  );
  const fixture = (headers: string, expected: string) =>
    `${guarded}fixtures:\n  - { name: n, request: POST /b, as: { user: {} }, headers: ${headers}, expect: ${expected} }\n`;

  test('of a cookie type carries its csrf header like everybody', async () => {
    expect(await runFixtures(loaded(fixture('{ X-CSRF-Token: fixture }', 'forward')))).toEqual([]);
    expect(await runFixtures(loaded(fixture('{}', '403 csrf_invalid')))).toEqual([]);
  });
});

describe('a monitor', () => {
  const watched = (until: string) => configOf(`{ ${user}, scopes: { mode: monitor, until: "${until}" } }`);

  test('that ends within a year is as it should be', () => {
    const end = inDays(30);
    expect(warningsOf(watched(end))).toEqual([]);
    expect(rowOf(watched(end)).scopesMonitorUntil).toBe(Date.parse(end));
  });

  test('whose day has come is warned about, and so is one that is far away', () => {
    const where = "apis.main.routes['GET /a'].scopes.until";
    expect(warningsOf(watched('2020-01-01'))).toEqual([`${where}: this is enforced since 2020-01-01`]);
    expect(warningsOf(watched('2999-01-01T00:00:01Z'))).toEqual([
      `${where}: until 2999-01-01T00:00:01.000Z, more than a year ahead, nothing is refused by this`,
    ]);
  });

  test('of a limit or pin goes where it is used', () => {
    const tail = `limits: { calls: { rate: 10/1m, per: [address], mode: monitor, until: 2999-01-01 } }\npins: { ${site.replace(' }', ', mode: monitor, until: 2999-01-02 }')} }\n`;
    const row = rowOf(configOf(`{ ${user}, limits: [calls] }`, tail));
    expect(row.limits[0]?.monitorUntil).toBe(Date.UTC(2999, 0, 1));
    expect(row.originPin?.monitorUntil).toBe(Date.UTC(2999, 0, 2));
  });

  test('softens no fixture: a config that is right stays so after its day', async () => {
    const fixture = (expected: string) =>
      `${watched(inDays(30))}fixtures:\n  - { name: n, request: GET /a, as: { user: { scopes: [] } }, expect: ${expected} }\n`;
    expect(await runFixtures(loaded(fixture('403 scope_missing')))).toEqual([]);
    expect(await runFixtures(loaded(fixture('forward')))).toHaveLength(1);
  });
});
