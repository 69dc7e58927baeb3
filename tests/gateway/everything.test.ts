/** docs/examples/everything.yaml: that it is whole, and that it works. */
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { hashSync } from '@node-rs/argon2';
import { expect, test } from 'vitest';
import { configJsonSchema } from '../../gateway/config/json-schema.ts';
import { loadConfig } from '../../gateway/config/load.ts';
import { runFixtures } from '../../gateway/fixtures.ts';

const file = fileURLToPath(new URL('../../docs/examples/everything.yaml', import.meta.url));

const env = {
  DATABASE_URL: 'postgres://127.0.0.1/postern',
  REDIS_URL: 'redis://127.0.0.1:6379',
  AUDIT_KEY: 'a'.repeat(40),
  OTLP_AUTH: 'Bearer of-a-collector',
  SESSION_PEPPER: 'p'.repeat(40),
  PROBE_KEY: 'k'.repeat(40),
  ADA_PASSWORD_HASH: hashSync('correct horse', { memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
  ALERT_SECRET: 'a'.repeat(40),
  SIGNING_KEY: String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
};

/** Not in it: another way to say what is there. */
const leftOut = new Set(['file']);

/** The names of every key the JSON Schema has. */
function keysOf(node: unknown): readonly string[] {
  if (typeof node !== 'object' || node === null) return [];
  const properties = 'properties' in node ? Object.keys(node.properties ?? {}) : [];
  return [...properties, ...Object.values(node).flatMap(keysOf)];
}

test('loads, and every fixture gets what it expects', async () => {
  const loading = loadConfig(file, env);
  if (!loading.ok)
    throw new Error(loading.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
  expect(await runFixtures(loading.config)).toEqual([]);
  expect(loading.config.fixtures.length).toBeGreaterThan(10);
});

test('warns of nothing but what it shows on purpose', () => {
  const loading = loadConfig(file, env);
  expect(loading.ok && loading.config.warnings.map(({ path }) => path)).toEqual(['token_types.partner']);
});

test('has every key there is', () => {
  const text = readFileSync(file, 'utf8').replace(/^\s*#.*$/gm, '');
  const words = new Set(text.match(/[a-z_]+(?=:)/g));
  const missing = new Set(keysOf(JSON.parse(configJsonSchema())).filter((key) => !words.has(key)));
  expect([...missing].filter((key) => !leftOut.has(key))).toEqual([]);
});
