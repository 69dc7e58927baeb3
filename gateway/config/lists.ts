/**
 * Lists that stand where maps belong. The schema takes a list for a map with the keys 0, 1, …, and would complain
 * of those; this complains of the list.
 */
import type * as v from 'valibot';
import { type ConfigPath, type ConfigProblem, inValue } from '../../policy/config-problem.ts';

/** As much of valibot's schemas as is needed to walk along one. */
type Schema = v.GenericSchema;
type Parts = {
  readonly type: string;
  readonly wrapped: Schema;
  readonly entries: Readonly<Record<string, Schema>>;
  readonly value: Schema;
  readonly item: Schema;
  readonly options: readonly Schema[];
};

export function listsForMaps(
  schema: Schema,
  value: unknown,
  path: ConfigPath = [],
): readonly ConfigProblem[] {
  if (typeof value !== 'object' || value === null) return [];
  const parts = schema as unknown as Parts;
  switch (parts.type) {
    case 'optional':
      return listsForMaps(parts.wrapped, value, path);
    case 'union':
    case 'variant': {
      const takesLists = parts.options.some((option) => option.type === 'array');
      if (Array.isArray(value) && takesLists) return [];
      const maps = parts.options.filter(({ type }) => type === 'record' || type === 'object_with_rest');
      return maps.length === 1 && maps[0] !== undefined ? listsForMaps(maps[0], value, path) : [];
    }
    case 'array':
      if (!Array.isArray(value)) return [];
      return value.flatMap((item, index) => listsForMaps(parts.item, item, [...path, index]));
    case 'record':
    case 'object_with_rest': {
      if (Array.isArray(value)) return [inValue(path, 'expected a map, found a list', 'write NAME: … lines')];
      return Object.entries(value).flatMap(([key, item]) => {
        const next = parts.type === 'record' ? parts.value : parts.entries[key];
        return next === undefined ? [] : listsForMaps(next, item, [...path, key]);
      });
    }
    default:
      return [];
  }
}
