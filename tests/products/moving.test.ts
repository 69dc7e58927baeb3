/** What docs/products.md says of moving a token table: its SQL runs, and what comes out of it is imported and lets people in. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hashSync } from 'bcryptjs';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../fixtures/postgres.ts';
import { openProduct, type Product } from './stage.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/products.md'), 'utf8');
const [, query = ''] = /```sql\n(.*?)```/s.exec(page) ?? [];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function open(example: string, env: Record<string, string> = {}): Promise<Product> {
  const product = await openProduct({ example, env });
  onTestFinished(product.stop);
  return product;
}

async function importRows(product: Product, rows: readonly unknown[]) {
  const file = join(product.folder, 'tokens.jsonl');
  writeFileSync(file, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''));
  return product.postern('token', 'import', '--file', file);
}

test('a table of sha256 hashes, by the SQL of the page: the living come along with their origins, the revoked do not', async () => {
  const token = () => `dbundle_proj_${randomBytes(24).toString('hex')}`;
  const [plain, pinned, dead] = [token(), token(), token()];
  const database = await createTestDatabase();
  onTestFinished(database.drop);
  await database.query(`create table project_tokens (token_hash text, label text, project_id text,
    allowed_origins text[], created_at timestamptz, revoked_at timestamptz)`);
  const insert = 'insert into project_tokens values ($1, $2, $3, $4, $5, $6)';
  const made = '2026-01-05T11:00:00+01:00';
  await database.query(insert, [sha256(plain), 'Server', 'prj_1', null, made, null]);
  await database.query(insert, [sha256(pinned), 'Page', 'prj_1', ['https://www.example.com'], made, null]);
  await database.query(insert, [sha256(dead), 'Old', 'prj_1', [], made, '2026-02-01T00:00:00Z']);
  const rows = (await database.query(query)).map((row) => Object.values(row)[0]);
  expect(rows).toHaveLength(2);
  const product = await open('debugbundle', { DEBUGBUNDLE_PROBE_SECRET: randomBytes(32).toString('hex') });
  expect(await importRows(product, rows)).toEqual({ imported: 2, skipped: 0, problems: [] });
  expect(await importRows(product, rows)).toEqual({ imported: 0, skipped: 2, problems: [] });
  Object.assign(product.names, { PLAIN: plain, PINNED: pinned, DEAD: dead });
  const send = (name: string, more = '') =>
    product.curl(
      `curl -X POST $GW/v1/events -H "Authorization: Bearer $${name}" J ${more} -d '{"events":[{}]}'`,
    );
  expect((await send('PLAIN')).status).toBe(200);
  expect((await send('PINNED', '-H "Origin: https://www.example.com"')).status).toBe(200);
  expect((await send('PINNED')).status).toBe(403);
  expect((await send('DEAD')).status).toBe(401);
  const { tokens } = await product.postern('token', 'list');
  expect(tokens).toMatchObject([
    { label: 'Server', created_at: '2026-01-05T10:00:00.000Z' },
    { label: 'Page' },
  ]);
});

test('bcrypt rows with their first characters, rows of Laravel Sanctum, and pins', async () => {
  const product = await open('pionne');
  const [old, older, random] = [0, 1, 2].map(() => randomBytes(24).toString('hex'));
  const tokens = { OLD: `pio_live_${old}`, OLDER: `pio_live_${older}` };
  const rowOf = (token: string, kind: string, project: string) => ({
    type: 'project',
    bcrypt: hashSync(token, 4).replace(/^\$2[aby]/, kind),
    lookup: token.slice(0, 12),
    label: 'Shop',
    attributes: { project },
  });
  const report = await importRows(product, [
    rowOf(tokens.OLD, '$2y', 'prj_a1b2c3'),
    rowOf(tokens.OLDER, '$2b', 'prj_b'),
    {
      type: 'user',
      sha256: sha256(random ?? ''),
      external_id: '2',
      label: 'cli',
      attributes: { user: 'usr_1', client: 'cli' },
    },
  ]);
  expect(report).toEqual({ imported: 3, skipped: 0, problems: [] });
  const pins = join(product.folder, 'pins.jsonl');
  writeFileSync(pins, '{"pin":"app","subject":"project=prj_a1b2c3","value":"com.acme.app"}\n');
  expect(await product.postern('pin', 'import', '--file', pins)).toMatchObject({ imported: 1 });
  Object.assign(product.names, { ...tokens, USER: `2|${random}` });
  const ingest = (name: string, app: string) =>
    product.curl(`curl -X POST $GW/ingest -H "X-Pionne-Token: $${name}" J -d '{"app_id":"${app}"}'`);
  expect((await ingest('OLD', 'com.acme.app')).status).toBe(200);
  expect((await ingest('OLD', 'com.other.app')).status).toBe(403);
  expect((await ingest('OLDER', 'com.other.app')).status).toBe(200);
  expect((await product.curl('curl $GW/projects -H "Authorization: Bearer $USER"')).status).toBe(200);
  expect(product.seen.at(-1)?.headers).toMatchObject({
    'x-postern-user': 'usr_1',
    'x-postern-client': 'cli',
  });
});
