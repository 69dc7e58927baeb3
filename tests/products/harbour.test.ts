/** A fourth product, added as a config file only: another header, another hash, another shape of error. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openProduct, type Product, type Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);

beforeAll(async () => {
  product = await openProduct({
    yaml: readFileSync(join(import.meta.dirname, 'harbour.yaml'), 'utf8'),
    env: { HARBOUR_PEPPER: 'a pepper that is long enough to be one: 0123456789' },
  });
  const [north, reader, both] = await Promise.all([
    product.create('station', '--attribute', 'stations=north', '--attribute', 'stations=south'),
    product.create('chart', '--attribute', 'reader=r1', '--scope', 'tides:read'),
    product.create('chart', '--attribute', 'reader=r2', '--scope', 'tides:read', '--scope', 'warnings:read'),
  ]);
  Object.assign(product.names, { NORTH: north.token, READER: reader.token, BOTH: both.token });
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

const refused = (told: Told, status: number, code: string) => {
  expect([told.status, told.headers['content-type']]).toEqual([status, 'application/vnd.api+json']);
  expect(told.body).toEqual({
    errors: [
      { status: `${status} `, code: `HB-${code}`, title: expect.any(String), detail: expect.any(String) },
    ],
    jsonapi: { version: '1.1' },
  });
  expect(told.headers).not.toHaveProperty('www-authenticate');
  expect(product.seen).toEqual([]);
};

test('a station reports for its own, and for no other: that looks like a path that is not there', async () => {
  const put = (station: string) =>
    curl(
      `curl -X PUT $GW/harbour/v2/stations/${station}/tide -H "X-Station-Key: $NORTH" J -d '{"metres":2.1}'`,
    );
  const told = await put('north');
  expect([told.status, told.body.body]).toEqual([200, '{"metres":2.1}']);
  expect(product.seen[0]?.headers).toMatchObject({ 'x-harbour-stations': 'north,south' });
  expect(product.seen[0]?.headers).not.toHaveProperty('x-station-key');
  product.seen.length = 0;
  refused(await put('west'), 404, 'route_not_found');
  refused(await curl('curl -X PUT $GW/harbour/v3/x -H "X-Station-Key: $NORTH"'), 404, 'route_not_found');
});

test('a key with a slip of the pen is refused by its checksum, one of the wrong kind like any bad one', async () => {
  const slip = `${product.names.NORTH?.slice(0, -1)}${product.names.NORTH?.endsWith('a') ? 'b' : 'a'}`;
  refused(
    await curl(`curl -X PUT $GW/harbour/v2/stations/north/tide -H "X-Station-Key: ${slip}" -d x`),
    401,
    'invalid_token',
  );
  refused(
    await curl('curl -X PUT $GW/harbour/v2/stations/north/tide -H "X-Station-Key: $BOTH" -d x'),
    401,
    'invalid_token',
  );
  refused(await curl('curl -X PUT $GW/harbour/v2/stations/north/tide -d x'), 401, 'credential_missing');
  refused(
    await curl('curl $GW/harbour/v2/warnings -H "Authorization: Bearer $BOTH"'),
    401,
    'credential_missing',
  );
});

test('both scopes are needed where both are asked for; the query is read where there is no header', async () => {
  refused(await curl('curl $GW/harbour/v2/warnings -H "X-Station-Key: $READER"'), 418, 'scope_missing');
  expect((await curl('curl "$GW/harbour/v2/warnings?key=$BOTH&since=1"')).status).toBe(200);
  expect(product.seen[0]?.target).toBe('/harbour/v2/warnings?since=1');
});

test('a station makes a key for its charts, which works at once and cannot report', async () => {
  const told = await curl(
    `curl -X POST $GW/harbour/v2/stations/south/keys -H "X-Station-Key: $NORTH" J -d '{"label":"lighthouse"}'`,
  );
  expect([told.status, told.body.token.reader, told.body.token.scopes]).toEqual([
    201,
    'south',
    ['tides:read'],
  ]);
  product.names.NEW = told.body.token.plaintext;
  expect((await curl('curl $GW/harbour/v2/stations/west/tide -H "X-Station-Key: $NEW"')).status).toBe(200);
  product.seen.length = 0;
  refused(
    await curl('curl -X PUT $GW/harbour/v2/stations/south/tide -H "X-Station-Key: $NEW" -d x'),
    401,
    'invalid_token',
  );
});

test('its limit says no in its own status, and when to come back', async () => {
  const { token } = await product.create('station', '--attribute', 'stations=far');
  product.names.FAR = token;
  const line = 'curl -X PUT $GW/harbour/v2/stations/far/tide -H "X-Station-Key: $FAR" -d x';
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await curl(line)).status);
  expect(statuses).toEqual([200, 200, 200]);
  product.seen.length = 0;
  const told = await curl(line);
  refused(told, 420, 'rate_limited');
  expect(told.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
});

test('nothing it keeps or says holds a key', async () => {
  const traces = await product.traces();
  for (const name of ['NORTH', 'READER', 'BOTH', 'NEW', 'FAR']) {
    const secret = product.names[name] ?? '';
    expect(secret.length).toBeGreaterThan(30);
    expect(traces).not.toContain(secret.slice(12));
  }
});
