/**
 * Generates the JSON Schema that editors check a config with, from the schema Postern itself uses.
 * `node gateway/config/json-schema.ts --write` writes gateway.config.schema.json; without it, prints.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from './schema.ts';

export const schemaFile = fileURLToPath(new URL('../../gateway.config.schema.json', import.meta.url));

/** The JSON Schema as it is shipped: what an operator writes, before units and names are read. */
export function configJsonSchema(): string {
  const schema = toJsonSchema(fileSchema, {
    typeMode: 'input',
    errorMode: 'ignore',
    // "Nothing of any kind" is false; editors word that better than `{ not: {} }`.
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      valibotSchema.type === 'object_with_rest' ? { ...jsonSchema, additionalProperties: false } : undefined,
  });
  const titled = { ...schema, title: 'Postern gateway.config.yaml' };
  return `${JSON.stringify(titled, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(schemaFile, configJsonSchema());
  else process.stdout.write(configJsonSchema());
}
