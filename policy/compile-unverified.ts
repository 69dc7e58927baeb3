/** `verify: upstream`: what such a type may say, and what no row may ask of a token that nobody here knows. */

import type { BundlePin } from './body-types.ts';
import { type Compilation, errorInKey, errorInValue, warnInKey } from './compile-context.ts';
import { annotates, refuseKeys } from './compile-type-keys.ts';
import type { ConfigPath } from './config-problem.ts';
import type { RowConfig, TokenTypeConfig } from './config-schema.ts';
import type { Source, TokenType } from './token-types.ts';
import type { Limit } from './types.ts';

const elsewhere = 'remove it; such tokens are issued and kept elsewhere';
const unknown = 'remove it; nobody here knows what such a token holds';

/** What stands for such a type: a shape and nothing else. */
export function compileUnverified(
  at: Compilation,
  name: string,
  type: TokenTypeConfig,
): Pick<TokenType, 'verify' | 'hash' | 'scopes' | 'attributes'> {
  const path = ['token_types', name];
  refuseKeys(at, path, type, 'the upstream verifies', {
    issue: elsewhere,
    hash: elsewhere,
    scopes: unknown,
    grantable: unknown,
    attributes: unknown,
    csrf: 'remove it; what a cookie may do is for the upstream to check too',
    unused_for: unknown,
  });
  checkAlone(at, path, name, type);
  const message = `Postern does not verify tokens of type "${name}"; the upstream must`;
  warnInKey(
    at,
    path,
    message,
    'import the tokens and remove verify: upstream, to have them judged and revoked here',
  );
  return { verify: 'upstream', hash: { use: 'sha256' }, scopes: { fixed: [] }, attributes: new Map() };
}

/** Without prefixes nothing tells two types apart, and what Postern should verify would be passed on unverified. */
function checkAlone(at: Compilation, path: ConfigPath, name: string, type: TokenTypeConfig): void {
  if (type.prefix !== '') return;
  const all = Object.entries(at.config.token_types);
  const own = all.findIndex(([other]) => other === name);
  for (const [index, [other, config]] of all.entries()) {
    if (other === name || config.prefix !== '' || annotates(config)) continue;
    if (config.verify !== undefined && index > own) continue;
    const shared = type.sources.find((source) => config.sources.some((one) => sameSource(one, source)));
    if (shared === undefined) continue;
    const place = shared.kind === 'bearer' ? 'bearer' : `${shared.kind}:${shared.name}`;
    const message = `nothing tells its tokens from those of type "${other}", which are read from ${place} too`;
    errorInKey(at, path, message, 'give one of them a prefix, or a source of its own');
  }
}

function sameSource(a: Source, b: Source): boolean {
  return a.kind === b.kind && (a.kind === 'bearer' || (b.kind !== 'bearer' && a.name === b.name));
}

/** Whatever on a row needs a record, beside a type that has none. */
export function checkUnverifiedRow(
  at: Compilation,
  path: ConfigPath,
  row: RowConfig,
  {
    types,
    limits,
    bundlePins,
  }: {
    readonly types: ReadonlyMap<string, TokenType>;
    readonly limits: readonly Limit[];
    readonly bundlePins: readonly BundlePin[];
  },
): void {
  if (row.allow === 'public') return;
  const cells = Object.entries(row.allow).filter(([name]) => types.get(name)?.verify === 'upstream');
  const [first] = cells;
  if (first === undefined) return;
  for (const [name, cell] of cells) {
    if (cell.kind === 'any') continue;
    const message = `nobody here knows the scopes of type "${name}", which the upstream verifies`;
    errorInValue(at, [...path, 'allow', name], message, 'write any_scope');
  }
  const apart = `give ${first[0]} a row of its own, without it`;
  const refuse = (where: ConfigPath, what: string) =>
    errorInValue(at, where, `${what}, and nothing is known of one that the upstream verifies`, apart);
  for (const param of Object.keys(row.bind)) refuse([...path, 'bind', param], 'bind compares with a token');
  for (const limit of limits) {
    if (!limit.per.some(({ kind }) => kind === 'token' || kind === 'attribute')) continue;
    refuse([...path, 'limits', row.limits.indexOf(limit.name)], `limit "${limit.name}" counts by the token`);
  }
  const pins: readonly string[] = Array.isArray(row.pins) ? row.pins : [];
  for (const { name } of bundlePins) {
    refuse([...path, 'pins', pins.indexOf(name)], `pin "${name}" belongs to a token`);
  }
}
