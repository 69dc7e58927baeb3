import { describe, expect, test } from 'vitest';
import { loadConfigText } from '../../gateway/config/load.ts';
import type { Route } from '../../policy/types.ts';
import { loaded } from '../fixtures/config.ts';

const config = (rows: string, more = '') => `version: 1
listen: { max: { body: 3MiB } }
upstreams: { app: { url: http://127.0.0.1:9001 } }
token_types: { user: { prefix: u_, grantable: [], attributes: { org: required } } }
limits:
  calls: { rate: 5/1m, per: [token] }
  items: { rate: 5/1m, per: [token], cost: "json:/items#" }
  whole: { rate: 5/1m, per: [address], cost: "json:#" }
pins:
  site: { kind: origin, when_missing: allow }
  app: { kind: bundle_id, from: [json:/app/id, header:X-App], first_use: pin, belongs_to: attribute.org, when_missing: allow, reveal: masked }
  head: { kind: bundle_id, from: header:X-App, belongs_to: token, when_missing: deny }
${more}apis:
  main:
    to: app
    routes:
${rows}`;

function rowOf(row: string): Route {
  const [route] = loaded(config(`      ${row}\n`)).policy.routes;
  if (route === undefined) throw new Error('no row');
  return route;
}

describe('a row reads its body', () => {
  test.each([
    ['body: { json: true }', [], 3_145_728],
    ['body: { max: 1KiB, json: true }', [], 1024],
    ['body: { max: 64MiB, json: true }', [], 67_108_864],
    ['limits: [calls, items]', ['/items'], 3_145_728],
    ['limits: [items, whole], pins: [app, head]', ['/items', '', '/app/id'], 3_145_728],
    ['pins: [app], body: { max: 8MiB }', ['/app/id'], 8_388_608],
  ])('that says %s', (words, pointers, bytesMax) => {
    const { body, bodyBytesMax } = rowOf(`POST /a: { allow: { user: any_scope }, ${words} }`);
    expect([body?.query.pointers, body?.bytesMax, bodyBytesMax]).toEqual([pointers, bytesMax, bytesMax]);
  });

  test.each([
    'limits: [calls]',
    'pins: [head]',
    'pins: [site]',
    'body: { max: none }',
    'body: { json: false }',
    'body: {}',
  ])('but not one that says %s', (words) => {
    expect(rowOf(`POST /a: { allow: { user: any_scope }, ${words} }`).body).toBeNull();
  });

  test('with nobody known, where it is public', () => {
    expect(rowOf('POST /a: { allow: public, limits: [whole] }').body?.query.pointers).toEqual(['']);
  });
});

describe('a bundle pin', () => {
  test('is as it is written, and denies by default', () => {
    const { bundlePins } = rowOf('POST /a: { allow: { user: any_scope }, pins: [app, head] }');
    expect(bundlePins).toEqual([
      {
        kind: 'bundle_id',
        name: 'app',
        from: [
          { kind: 'json', pointer: '/app/id' },
          { kind: 'header', name: 'x-app' },
        ],
        firstUse: 'pin',
        belongsTo: { kind: 'attribute', name: 'org' },
        whenMissing: 'allow',
        revealMasked: true,
      },
      {
        kind: 'bundle_id',
        name: 'head',
        from: [{ kind: 'header', name: 'x-app' }],
        firstUse: 'deny',
        belongsTo: { kind: 'token' },
        whenMissing: 'deny',
        revealMasked: false,
      },
    ]);
  });

  test('leaves the origin pin of its row as it was', () => {
    expect(rowOf('POST /a: { allow: { user: any_scope }, pins: [head] }').originPin?.name).toBe('site');
    expect(rowOf('POST /a: { allow: { user: any_scope }, pins: [head, site] }').originPin?.name).toBe('site');
    expect(rowOf('POST /a: { allow: { user: any_scope } }').bundlePins).toEqual([]);
  });

  test('that no row names is warned of; the only origin pin is not, for it guards every row', () => {
    const text = config('      GET /a: { allow: { user: any_scope }, limits: [calls] }\n');
    const result = loadConfigText(text, 'gateway.config.yaml', {});
    const warned = result.ok ? result.config.warnings.map(({ path }) => path) : [];
    expect(warned.filter((path) => path.startsWith('pins'))).toEqual(['pins.app', 'pins.head']);
  });
});
