/** From a row's `observe` to what its upstream's success changes; refuses what could only change the wrong pin. */
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { RowKey } from './config-rows.ts';
import type { RowConfig } from './config-schema.ts';
import { pinOwner } from './pin-value.ts';
import type { Observe } from './types.ts';

type RowShape = Pick<RowKey, 'method' | 'segments'>;
type ObserveConfig = Extract<NonNullable<RowConfig['observe']>, readonly unknown[]>[number];

export function compileObserve(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  { method, segments }: RowShape,
): readonly Observe[] {
  if (row.observe === undefined) return [];
  const where = [...path, 'observe'];
  if (row.allow === 'public') {
    const hint = 'allow token types instead of public, or remove observe';
    errorInKey(at, where, 'on a public row anybody could change a pin', hint);
  }
  if (method === 'GET' || method === 'OPTIONS') {
    const hint = 'observe the row that changes it: POST, PUT, PATCH or DELETE';
    errorInKey(at, where, `${method} changes nothing that could be observed`, hint);
  }
  if (row.path_parameters === 'allow') {
    const message =
      'an upstream that reads {id} of /{id};x without ;x would change a pin that is not observed';
    errorInKey(at, [...path, 'path_parameters'], message, 'remove it, or observe on a row without it');
  }
  const params = segments.flatMap((segment) => (segment.kind === 'param' ? [segment.name] : []));
  if (!Array.isArray(row.observe)) return compileOne(at, where, row.observe, params);
  const seen = new Set<string>();
  return row.observe.flatMap((entry, index) => {
    const target = `${entry.pin} of {${entry.of ?? soleOf(params)}}`;
    if (seen.has(target)) {
      errorInValue(at, [...where, index], `pin ${target} is observed twice`, 'remove one');
    }
    seen.add(target);
    return compileOne(at, [...where, index], entry, params);
  });
}

/** null: there is none, or a choice. */
function soleOf([only, second]: readonly string[]): string | null {
  return only !== undefined && second === undefined ? only : null;
}

function compileOne(
  at: Compilation,
  where: ConfigPath,
  entry: ObserveConfig,
  params: readonly string[],
): readonly Observe[] {
  const { pin: name, from: pointer } = entry;
  const param = entry.of ?? soleOf(params);
  if (param === null) {
    const hint = 'write of: "{PARAMETER}", the path parameter that says whose pin it is';
    errorInValue(at, where, 'observe does not say whose pin changes', hint);
    return [];
  }
  if (!params.includes(param)) {
    const hint = suggest(param, params, `write {${param}} as a segment of the path`);
    errorInValue(at, [...where, 'of'], `the path has no parameter {${param}}`, hint);
  }
  if (!resolves(at, 'pins', name, [...where, 'pin'])) return [];
  const pin = at.config.pins[name];
  if (pin?.kind === 'bundle_id')
    return [{ pin: name, owner: pinOwner({ belongsTo: pin.belongs_to }), param, pointer }];
  const hint = 'name a pin of kind bundle_id';
  errorInValue(at, [...where, 'pin'], `pin "${name}" remembers nothing an answer could change`, hint);
  return [];
}
