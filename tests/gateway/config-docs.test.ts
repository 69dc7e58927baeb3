import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configJsonSchema, schemaFile } from '../../gateway/config/json-schema.ts';
import { loaded, smallConfig } from '../fixtures/config.ts';

type Key = { readonly name: string; readonly path: string; readonly description: unknown };

/** Every key the JSON Schema has, wherever it stands. */
function keysOf(node: unknown, path: string): readonly Key[] {
  if (typeof node !== 'object' || node === null) return [];
  const properties = 'properties' in node ? node.properties : null;
  const own =
    typeof properties === 'object' && properties !== null
      ? Object.entries(properties).map(
          ([name, value]): Key => ({
            name,
            path: `${path}.${name}`,
            description: value?.description,
          }),
        )
      : [];
  return [...own, ...Object.entries(node).flatMap(([key, value]) => keysOf(value, `${path}.${key}`))];
}

const keys = keysOf(JSON.parse(configJsonSchema()), '');

describe('gateway.config.schema.json', () => {
  test('is what the schema in the source says', () => {
    expect(readFileSync(schemaFile, 'utf8')).toBe(configJsonSchema());
  });

  test('describes every key', () => {
    expect(keys.length).toBeGreaterThan(60);
    expect(keys.filter(({ description }) => typeof description !== 'string').map(({ path }) => path)).toEqual(
      [],
    );
  });
});

describe('docs/config.md', () => {
  const docs = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');

  test('shows no message that the loader does not give', () => {
    const folder = new URL('./bad-configs/', import.meta.url);
    const texts = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
    const given = new Set(
      texts.flatMap((text) => [...text.matchAll(/^# \S.*? \| (.*) \| /gm)].map(([, message]) => message)),
    );
    const shown = [...docs.matchAll(/^\|.*\| `([^|]*)` \|$/gm)].map(([, message]) => message);
    expect(shown.length).toBeGreaterThan(50);
    expect(shown.filter((message) => !given.has(message))).toEqual([]);
  });

  test('shows a smallest config that loads without a warning', () => {
    const [, yaml] = /## The smallest config[^`]*```yaml\n([^`]*)```/.exec(docs) ?? [];
    expect(loaded(yaml ?? '').warnings).toEqual([]);
  });

  test('shows error styles that load, and warn of nothing but that no row uses them', () => {
    const section = docs.slice(docs.indexOf('\n## errors\n'));
    const [, yaml = ''] = /```yaml\n([^`]*)```/.exec(section) ?? [];
    const { warnings } = loaded(smallConfig + yaml);
    expect(warnings.map(({ message }) => message)).toEqual([
      'error style "coded" is not used',
      'error style "batched" is not used',
    ]);
  });

  test('names every key there is', () => {
    const words = new Set(docs.match(/[a-z_]+/g));
    expect(keys.filter(({ name }) => !words.has(name)).map(({ path }) => path)).toEqual([]);
  });
});
