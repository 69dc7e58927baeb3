/** Warnings about what is defined and never used: usually a row that was meant to use it. */
import { isAnnotation } from './compile-annotations.ts';
import { type Compilation, type NamedSection, warnInKey } from './compile-context.ts';

const wordings: Readonly<Record<NamedSection, readonly [what: string, hint: string]>> = {
  token_types: ['token type', 'no row names it, so its tokens open nothing; name it in a row or remove it'],
  scopes: ['scope', 'no token type and no row uses it; use it or remove it'],
  limits: ['limit', 'no row uses it, so it limits nothing; add it to limits: of a row or remove it'],
  cors: ['cors block', 'no api and no row uses it; use it or remove it'],
  errors: ['error style', 'no api and no row uses it; use it or remove it'],
  pins: ['pin', 'no row uses it; use it or remove it'],
};

const unreadHint = 'no api lists it, so nobody looks for its tokens; add it to types: of an api or remove it';

export function warnUnused(at: Compilation): void {
  const inRows = new Set<string>();
  for (const api of Object.values(at.config.apis)) {
    for (const type of api.types ?? []) if (isAnnotation(at, type)) inRows.add(`token_types/${type}`);
    for (const row of Object.values(api.routes)) {
      if (row.with !== undefined && isAnnotation(at, row.with.type)) {
        inRows.add(`token_types/${row.with.type}`);
      }
      if (row.allow !== 'public')
        for (const type of Object.keys(row.allow)) inRows.add(`token_types/${type}`);
    }
  }
  const originPins = Object.entries(at.config.pins).filter(
    ([, pin]) => pin.kind === 'origin' && pin.allow === undefined,
  );
  const [standing, second] = originPins.map(([name]) => name);
  for (const section of Object.keys(wordings) as NamedSection[]) {
    const used = section === 'token_types' ? inRows : at.used;
    const [what, hint] = wordings[section];
    for (const name of Object.keys(at.config[section])) {
      // The only origin pin without a list of its own stands on every row.
      if (section === 'pins' && name === standing && second === undefined) continue;
      if (used.has(`${section}/${name}`)) continue;
      const unread = section === 'token_types' && isAnnotation(at, name);
      warnInKey(at, [section, name], `${what} "${name}" is not used`, unread ? unreadHint : hint);
    }
  }
}
