/** From the `errors` of apis to how each host words what no row answers for. */
import { type Compilation, errorInKey, hasBroken } from './compile-context.ts';
import type { ErrorStyle } from './error-style.ts';
import { prepareStyles } from './host-style.ts';
import type { Policy } from './types.ts';

/** After the rows: by then it is known which styles are used. */
export function compileHostStyles(
  at: Compilation,
  styles: ReadonlyMap<string, ErrorStyle>,
): Policy['styleFor'] {
  const apis = Object.values(at.config.apis);
  const styleFor = prepareStyles(
    apis.map(({ hosts = [], errors = 'off' }) => ({ hosts, errors: styles.get(errors) ?? null })),
  );
  const isKnown = apis.every(({ errors = 'off' }) => errors === 'off' || styles.has(errors));
  if (isKnown && !hasBroken(at, 'apis')) {
    const hosts = [null, '', ...apis.flatMap((api) => api.hosts ?? [])];
    checkActs(at, new Set(hosts.map((host) => styleFor(host)?.name)));
  }
  return styleFor;
}

/** What is refused before a row is known never meets a style that no host has. @param names of those that a host has. */
function checkActs(at: Compilation, names: ReadonlySet<string | undefined>): void {
  const acting = new Set(names);
  // What a style starts from acts where that one does; of a circle all are in after one round.
  for (const name of acting) {
    const { like } = (name === undefined ? undefined : at.config.errors[name]) ?? {};
    if (like !== undefined) acting.add(like);
  }
  for (const [name, style] of Object.entries(at.config.errors)) {
    if (acting.has(name) || !at.used.has(`errors/${name}`)) continue;
    for (const key of ['status', 'codes', 'for'] as const) {
      for (const code of Object.keys(style[key])) {
        if (at.around.refusals.get(code)?.beforeRows !== true) continue;
        const message = `"${code}" is refused before a row is known, and no host words that in this style`;
        const hint = 'let all apis of a host name the style under errors:, or remove this';
        errorInKey(at, ['errors', name, key, code], message, hint);
      }
    }
  }
}
