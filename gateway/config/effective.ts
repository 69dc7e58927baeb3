/**
 * The config with every default written out, as a file that means the same. What the operator wrote stays as it
 * was written; what was added is marked, so that nobody takes it for a choice somebody made.
 */
import * as v from 'valibot';
import { Document, isCollection, isScalar, type Node, YAMLMap } from 'yaml';
import { fileSchema } from './schema.ts';

/** @param value of a config that loads. */
export function effectiveConfig(value: unknown): string {
  const document = new Document();
  document.contents = nodeOf(document, fill(fileSchema, value, false));
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** What a key holds once defaults are in place; null: nothing, and nothing stands for it. */
type Filled =
  | { readonly kind: 'map'; readonly entries: readonly (readonly [key: string, value: Filled])[] }
  | { readonly kind: 'leaf'; readonly value: unknown; readonly isDefault: boolean };

/** As much of valibot's schemas as is needed to walk along one; what a schema of its type lacks is not there. */
type Schema = v.GenericSchema;
type Parts = {
  readonly type: string;
  readonly wrapped: Schema;
  readonly default: unknown;
  readonly entries: Readonly<Record<string, Schema>>;
  readonly value: Schema;
  readonly options: readonly Schema[];
};

function fill(schema: Schema, value: unknown, isDefault: boolean): Filled | null {
  const parts = schema as unknown as Parts;
  switch (parts.type) {
    case 'optional':
      if (value !== undefined) return fill(parts.wrapped, value, isDefault);
      return parts.default === undefined ? null : fill(parts.wrapped, parts.default, true);
    case 'object_with_rest': {
      const given = mapOf(value);
      const keys = new Set([...Object.keys(given), ...Object.keys(parts.entries)]);
      return mapFilled(keys, isDefault, (key) => {
        const entry = parts.entries[key];
        return entry === undefined ? null : fill(entry, given[key], isDefault);
      });
    }
    case 'record': {
      const given = mapOf(value);
      return mapFilled(Object.keys(given), isDefault, (key) => fill(parts.value, given[key], isDefault));
    }
    case 'union': {
      const option = parts.options.find((one) => v.safeParse(one, value).success);
      return option === undefined ? { kind: 'leaf', value, isDefault } : fill(option, value, isDefault);
    }
    default:
      return { kind: 'leaf', value, isDefault };
  }
}

function mapFilled(
  keys: Iterable<string>,
  isDefault: boolean,
  filled: (key: string) => Filled | null,
): Filled {
  const entries = [...keys].flatMap((key) => {
    const value = filled(key);
    return value === null ? [] : [[key, value] as const];
  });
  return entries.length === 0 ? { kind: 'leaf', value: {}, isDefault } : { kind: 'map', entries };
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function nodeOf(document: Document, filled: Filled | null): Node | null {
  if (filled === null) return null;
  if (filled.kind === 'leaf') {
    const node = document.createNode(filled.value);
    if (isCollection(node)) node.flow = true;
    if (filled.isDefault && (isScalar(node) || isCollection(node))) node.comment = ' default';
    return node;
  }
  const map = new YAMLMap();
  for (const [key, value] of filled.entries) map.set(document.createNode(key), nodeOf(document, value));
  return map;
}
