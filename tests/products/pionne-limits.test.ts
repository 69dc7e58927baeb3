/** Pionne's limits as they are configured: 600 a minute for a token over all its rows, and smaller shares of a project. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPionne, quick, refusedBy } from './pionne-stage.ts';
import type { Product, Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused = (told: Told) => {
  refusedBy(product, told, 429, { message: 'Too Many Attempts.' });
  expect(told.headers['retry-after']).toMatch(/^([1-9]|[1-5][0-9]|60)$/);
};

beforeAll(async () => {
  product = await openPionne(
    {
      SHARED: 'prj_s',
      NEXT: 'prj_s',
      F1: 'prj_f',
      F2: 'prj_f',
      R1: 'prj_r',
      R2: 'prj_r',
      R3: 'prj_r',
      R4: 'prj_r',
    },
    quick,
  );
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

/** Many at once: how many got which status. */
async function flood(...parts: readonly (readonly [path: string, count: number, token: string])[]) {
  const each = parts.map(
    ([path, count, token]) =>
      `-s -o /dev/null -w '%{http_code}\\n' "$GW${path}?[1-${count}]" -H "X-Pionne-Token: $${token}" -H "Content-Type: application/json" -d '{"message":"x"}'`,
  );
  const statuses = (await product.shell(`curl -Z --parallel-max 20 ${each.join(' --next ')}`))
    .trim()
    .split('\n');
  product.seen.length = 0;
  const counted: Record<string, number> = {};
  for (const status of statuses) counted[status] = (counted[status] ?? 0) + 1;
  return counted;
}

const one = (path: string, token: string) =>
  curl(`curl -X POST $GW${path} -H "X-Pionne-Token: $${token}" J -d '{"message":"x"}'`);

test('22: of 601 requests over all rows and both prefixes the last is 429, and another token goes on', async () => {
  const told = await flood(
    ['/ingest', 200, 'SHARED'],
    ['/api/ingest', 100, 'SHARED'],
    ['/sessions', 150, 'SHARED'],
    ['/api/sessions', 50, 'SHARED'],
    ['/feedback', 60, 'SHARED'],
    ['/api/events/1234/feedback', 30, 'SHARED'],
    ['/profiles', 10, 'SHARED'],
  );
  expect(told).toEqual({ 202: 600 });
  for (const path of [
    '/ingest',
    '/api/ingest',
    '/sessions',
    '/feedback',
    '/events/1234/feedback',
    '/profiles',
  ]) {
    refused(await one(path, 'SHARED'));
  }
  for (const token of ['NEXT', 'T1', 'TB']) expect((await one('/ingest', token)).status).toBe(202);
});

test('a page of another site may read when to come back', async () => {
  const told = await curl(
    `curl -X POST $GW/ingest -H "X-Pionne-Token: $SHARED" -H "Origin: https://shop.example.com" J -d '{"message":"x"}'`,
  );
  refused(told);
  expect(told.headers['access-control-allow-origin']).toBe('https://shop.example.com');
  expect(told.headers['access-control-expose-headers']).toContain('Retry-After');
});

test('feedback is 100 a minute for a project, whichever of its tokens and rows; events go on', async () => {
  expect(await flood(['/feedback', 60, 'F1'], ['/api/events/1234/feedback', 40, 'F2'])).toEqual({ 202: 100 });
  refused(await one('/feedback', 'F1'));
  refused(await one('/api/feedback', 'F2'));
  refused(await one('/events/1234/feedback', 'F1'));
  expect([(await one('/ingest', 'F1')).status, (await one('/feedback', 'T1')).status]).toEqual([202, 202]);
});

test('sessions are 2000 a minute for a project', async () => {
  const told = await flood(
    ['/sessions', 500, 'R1'],
    ['/api/sessions', 500, 'R2'],
    ['/sessions', 500, 'R3'],
    ['/sessions', 500, 'R4'],
  );
  expect(told).toEqual({ 202: 2000 });
  refused(await one('/sessions', 'R4'));
  expect([(await one('/ingest', 'R4')).status, (await one('/sessions', 'T1')).status]).toEqual([202, 202]);
});

test('none of 200 new tokens looks like a placeholder, and only the last works', async () => {
  const printed = await product.shell(
    'curl -s -X POST "$GW/projects/prj_mint/regenerate?[1-200]" -H "Authorization: Bearer $U"',
  );
  const tokens = printed.match(/pio_live_[0-9A-Za-z]{48}(?=")/g) ?? [];
  expect(new Set(tokens).size).toBe(200);
  expect(tokens.filter((token) => /xxx|yyy|todo|fixme|replace|changeme/i.test(token))).toEqual([]);
  Object.assign(product.names, { LAST: tokens.at(-1), FIRST: tokens[0] });
  expect([(await one('/ingest', 'LAST')).status, (await one('/ingest', 'FIRST')).status]).toEqual([202, 401]);
});
