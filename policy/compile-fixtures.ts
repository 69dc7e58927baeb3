/** From `fixtures` to requests that can be run: types, attributes and scopes resolved. Never runs one. */
import { isAnnotation } from './compile-annotations.ts';
import { type Compilation, errorInKey, errorInValue, resolves } from './compile-context.ts';
import type { FixtureExpectation } from './config-fixtures.ts';
import { type ConfigPath, suggest } from './config-problem.ts';
import type { FixtureConfig } from './config-schema.ts';
import { normaliseOrigin } from './origin.ts';
import type { AttributeValue, TokenType } from './token-types.ts';

export type Fixture = {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  /** null: nobody asks. Required attributes that are not written are the runner's to fill. */
  readonly as: FixtureToken | null;
  readonly headers: ReadonlyMap<string, string>;
  /** null: none. */
  readonly body: string | null;
  /** What is pinned already, by the pin's name. */
  readonly pinned: ReadonlyMap<string, string>;
  /** The caller's address, canonical; null: not written. */
  readonly from: string | null;
  /** Which of the same requests in a row it is, for limits; null: limits are free. */
  readonly nth: number | null;
  readonly expect: FixtureExpectation;
  /** Where the fixture stands, for the problem it may become. */
  readonly configPath: ConfigPath;
};

export type FixtureToken = {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, AttributeValue>;
  /** null: not written; then what the type always has, or none where each token is granted its own. */
  readonly scopes: readonly string[] | null;
  /** What it is pinned to, in their one spelling; empty: to no origin. */
  readonly origins: readonly string[];
};

export function compileFixtures(at: Compilation, types: ReadonlyMap<string, TokenType>): readonly Fixture[] {
  return at.config.fixtures.map((fixture, index) => {
    const configPath = ['fixtures', index];
    return {
      name: fixture.name,
      method: fixture.request.method,
      target: fixture.request.target,
      as: fixture.as === undefined ? null : compileToken(at, [...configPath, 'as'], fixture.as, types),
      headers: new Map(Object.entries(fixture.headers)),
      body: bodyOf(fixture.body),
      pinned: compilePinned(at, [...configPath, 'pinned'], fixture.pinned),
      from: fixture.from ?? null,
      nth: fixture.nth ?? null,
      expect: fixture.expect,
      configPath,
    };
  });
}

/** A text is the body as it stands; a map or a list is written as JSON. */
function bodyOf(body: FixtureConfig['body']): string | null {
  if (body === undefined) return null;
  return typeof body === 'string' ? body : JSON.stringify(body);
}

function compilePinned(
  at: Compilation,
  path: ConfigPath,
  pinned: FixtureConfig['pinned'],
): ReadonlyMap<string, string> {
  for (const name of Object.keys(pinned)) {
    const pin = at.config.pins[name];
    if (pin?.kind === 'origin') {
      const place = pin.allow === undefined ? 'on the token' : 'in the pin';
      const hint = `remove it; the list of origins stands ${place}`;
      errorInKey(at, [...path, name], `pin "${name}" keeps no id`, hint);
    } else {
      resolves(at, 'pins', name, [...path, name], 'key');
    }
  }
  return new Map(Object.entries(pinned));
}

function compileToken(
  at: Compilation,
  path: ConfigPath,
  as: NonNullable<FixtureConfig['as']>,
  types: ReadonlyMap<string, TokenType>,
): FixtureToken | null {
  const [entry, second] = Object.entries(as);
  if (entry === undefined || second !== undefined) {
    errorInValue(
      at,
      path,
      'as names one token type',
      'write as: { project: {} }, or leave as out for nobody',
    );
    return null;
  }
  const [type, values] = entry;
  const where = [...path, type];
  const known = resolves(at, 'token_types', type, where, 'key') ? types.get(type) : undefined;
  if (known === undefined) {
    if (isAnnotation(at, type)) {
      const hint = 'write such a token under headers, and as: for who asks';
      errorInKey(at, where, `tokens of type "${type}" only annotate, and nobody asks with one`, hint);
    }
    return null;
  }
  const { scopes, origins, ...attributes } = values;
  for (const [name, value] of Object.entries(attributes))
    checkAttribute(at, [...where, name], name, value, known);
  return {
    type,
    attributes: new Map(Object.entries(attributes)),
    scopes: compileScopes(at, where, scopes, known),
    origins: compileOrigins(at, [...where, 'origins'], origins),
  };
}

function checkAttribute(
  at: Compilation,
  path: ConfigPath,
  name: string,
  value: AttributeValue,
  type: TokenType,
): void {
  const rule = type.attributes.get(name);
  if (rule === undefined) {
    const hint = suggest(name, type.attributes.keys(), `token type ${type.name} has no attributes`);
    errorInKey(at, path, `token type "${type.name}" has no attribute "${name}"`, hint);
  } else if (rule.list !== (typeof value !== 'string')) {
    const hint = rule.list ? 'write [one, two]' : 'write one text';
    errorInValue(at, path, `"${name}" is ${rule.list ? 'a list' : 'one text, not a list'}`, hint);
  }
}

function compileOrigins(
  at: Compilation,
  path: ConfigPath,
  origins: AttributeValue | undefined,
): readonly string[] {
  if (origins === undefined) return [];
  if (typeof origins === 'string') {
    errorInValue(at, path, 'origins is a list', `write [${JSON.stringify(origins)}]`);
    return [];
  }
  for (const [index, origin] of origins.entries()) {
    if (normaliseOrigin(origin) !== null) continue;
    const hint = 'write scheme://host[:port]: https://app.example.com';
    errorInValue(at, [...path, index], `"${origin}" is not an origin`, hint);
  }
  return origins.flatMap((origin) => normaliseOrigin(origin) ?? []);
}

function compileScopes(
  at: Compilation,
  path: ConfigPath,
  scopes: AttributeValue | undefined,
  type: TokenType,
): readonly string[] | null {
  if (scopes === undefined) return null;
  const where = [...path, 'scopes'];
  if (typeof scopes === 'string') {
    errorInValue(at, where, 'scopes is a list', `write [${scopes}]`);
    return null;
  }
  const holdable = 'fixed' in type.scopes ? type.scopes.fixed : type.scopes.grantable;
  for (const [index, scope] of scopes.entries()) {
    if (holdable.includes(scope)) continue;
    const hint = suggest(scope, holdable, `token type ${type.name} holds no scopes`);
    errorInValue(at, [...where, index], `no token of type "${type.name}" can hold "${scope}"`, hint);
  }
  return scopes;
}
