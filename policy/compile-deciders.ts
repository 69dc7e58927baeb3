/** Who goes by an attribute of a token: whatever is decided, counted or told by it must not be the caller's to choose. */
import type { Compilation } from './compile-context.ts';
import type { RowConfig } from './config-schema.ts';

/** In words that begin a sentence: `bind of POST /a/{b}`. null: nobody does. A row's type is not asked: names are shared. */
export function deciderBy({ config }: Compilation, attribute: string): string | null {
  for (const { routes } of Object.values(config.apis)) {
    for (const [key, row] of Object.entries(routes)) {
      const word = rowDecidesBy(row, attribute);
      if (word !== null) return `${word} of ${key}`;
    }
  }
  for (const [name, { per }] of Object.entries(config.limits)) {
    if (per.some((part) => part.kind === 'attribute' && part.name === attribute)) return `limit "${name}"`;
  }
  for (const [name, pin] of Object.entries(config.pins)) {
    if (pin.kind !== 'bundle_id' || pin.belongs_to.kind !== 'attribute') continue;
    if (pin.belongs_to.name === attribute) return `pin "${name}"`;
  }
  for (const [name, { csrf }] of Object.entries(config.token_types)) {
    if (typeof csrf === 'object' && csrf.equals === attribute) return `csrf of type "${name}"`;
  }
  for (const [name, from] of Object.entries(config.identity.headers ?? {})) {
    if (from.kind === 'token.attribute' && from.name === attribute) return `the identity header ${name}`;
  }
  return null;
}

function rowDecidesBy(row: RowConfig, attribute: string): string | null {
  if (Object.values(row.bind).some((bind) => nameOf(bind) === attribute)) return 'bind';
  const given = Object.values(row.with?.attributes ?? {}).flat();
  if (given.some((source) => source.kind === 'attribute' && source.name === attribute)) return 'serve';
  const observed = [row.observe ?? []]
    .flat()
    .flatMap(({ token, end }) => [
      ...Object.values(token?.attributes ?? {}),
      ...(typeof end === 'object' ? Object.values(end.attributes) : []),
    ]);
  return observed.some(({ from }) => from.kind === 'attribute' && from.name === attribute) ? 'observe' : null;
}

function nameOf(bind: RowConfig['bind'][string]): string {
  return typeof bind === 'string' ? bind : bind.equals;
}
