/** From a config of the right shape to the Policy, or to every cross-rule it breaks. */
import { compileAnnotations } from './compile-annotations.ts';
import { findConflicts } from './compile-conflicts.ts';
import { type Compilation, isBroken, type Surroundings, startCompilation } from './compile-context.ts';
import { compileErrors } from './compile-errors.ts';
import { compileFixtures, type Fixture } from './compile-fixtures.ts';
import { compileHostStyles } from './compile-host-styles.ts';
import { compilePins } from './compile-pins.ts';
import { compileRows } from './compile-rows.ts';
import { compileCors, compileIdentity, compileLimits } from './compile-rules.ts';
import { compileTypes, prefixTable } from './compile-tokens.ts';
import { warnUnused } from './compile-unused.ts';
import type { ConfigProblem } from './config-problem.ts';
import type { PolicyConfig } from './config-schema.ts';
import { freezeDeep } from './freeze.ts';
import { pinOwner } from './pin-value.ts';
import { prepareMatcher } from './routes.ts';
import type { Policy } from './types.ts';

export type Compiled =
  | {
      readonly ok: true;
      readonly policy: Policy;
      readonly fixtures: readonly Fixture[];
      readonly warnings: readonly ConfigProblem[];
    }
  | { readonly ok: false; readonly errors: readonly ConfigProblem[] };

/**
 * Resolves every name, checks every rule that spans keys, and prepares the matcher.
 *
 * All errors at once, in no order. With entries left out as `broken` the answer is never a
 * policy the operator wrote: use its errors only. The policy is frozen.
 */
export function compilePolicy(config: PolicyConfig, around: Surroundings): Compiled {
  const at = startCompilation(config, around);
  const identity = compileIdentity(at);
  const types = compileTypes(at, identity);
  const annotations = compileAnnotations(at, identity);
  const limits = compileLimits(at);
  const parts = {
    types,
    annotations,
    identity,
    limits,
    cors: compileCors(at),
    pins: compilePins(at, identity),
    errors: compileErrors(at),
  };
  const rows = compileRows(at, parts);
  const styleFor = compileHostStyles(at, parts.errors);
  const fixtures = compileFixtures(at, types);
  const errors = [
    ...at.problems.errors,
    ...findConflicts(rows.filter(({ route }) => knowsItsPaths(at, route.api))),
  ];
  if (errors.length > 0) return { ok: false, errors };
  warnUnused(at);
  const budget = config.failure_budget;
  const policy: Policy = {
    types,
    annotations,
    prefixes: prefixTable(types, annotations),
    scopes: new Map(Object.entries(config.scopes)),
    routes: rows.map(({ route }) => route),
    find: prepareMatcher(rows.flatMap(({ paths }) => paths)),
    styleFor,
    limits,
    bundlePins: new Map([...parts.pins.bundle].map(([name, pin]) => [name, pinOwner(pin)])),
    identity,
    failureBudget: budget === undefined ? null : { quota: budget.rate.quota, windowMs: budget.rate.windowMs },
    ...(around.leaksPath === undefined ? {} : { leaksPath: around.leaksPath }),
    version: around.version,
  };
  return {
    ok: true,
    policy: freezeDeep({ policy, styles: parts.errors }).policy,
    fixtures: freezeDeep(fixtures),
    warnings: at.problems.warnings,
  };
}

/** Without its hosts or prefixes an api would seem to collide where it does not. */
function knowsItsPaths(at: Compilation, api: string): boolean {
  return !isBroken(at, 'apis', api, 'hosts') && !isBroken(at, 'apis', api, 'prefixes');
}
