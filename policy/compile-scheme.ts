/** From `strict_scheme` of an api to its rows. */
import { type Compilation, errorInKey, hasBroken } from './compile-context.ts';
import type { ApiConfig } from './config-schema.ts';
import type { Source } from './token-types.ts';
import type { Route } from './types.ts';

/** As a part of each route. @param sources of the api. */
export function compileScheme(
  at: Compilation,
  name: string,
  config: ApiConfig,
  sources: readonly Source[],
): Pick<Route, 'strictScheme'> {
  if (!config.strict_scheme) return {};
  const isRead = sources.some(({ kind }) => kind === 'bearer');
  const asks = Object.values(config.routes).some(({ allow }) => allow !== 'public');
  // What is left out for its shape may be what reads it.
  if (!(isRead && asks) && !hasBroken(at, 'apis', name) && !hasBroken(at, 'token_types')) {
    const hint = 'remove it, or give a type that a row of this api names the source bearer';
    errorInKey(at, ['apis', name, 'strict_scheme'], 'strict_scheme where no row reads bearer', hint);
  }
  return { strictScheme: true };
}
