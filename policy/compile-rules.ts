/** From `limits`, `cors`, `identity` to what rows point at. */
import { checkAnnotates } from './compile-annotations.ts';
import { compileAssertion } from './compile-assertion.ts';
import { type Compilation, errorInKey, errorInValue, hasBroken, resolves } from './compile-context.ts';
import { compileMonitor } from './compile-monitor.ts';
import { hasFixedMeaning } from './config-headers.ts';
import { type ConfigPath, inKey, suggest } from './config-problem.ts';
import type { LimitConfig } from './config-schema.ts';
import { foldName } from './identity.ts';
import type { Cors, IdentityRule, Limit } from './types.ts';

const stepsDefault = 60;
const exactQuotaMax = 1000;

export function compileLimits(at: Compilation): ReadonlyMap<string, Limit> {
  const limits = new Map<string, Limit>();
  for (const [name, limit] of Object.entries(at.config.limits)) {
    if (limit.on_redis_down === undefined && at.around.redisConfigured) {
      const hint = 'write on_redis_down: local (count in this process), open (let through) or closed (503)';
      errorInKey(at, ['limits', name], `limit "${name}" does not say what to do while Redis is down`, hint);
    }
    const { quota, windowMs } = limit.rate;
    const onRedisDown = limit.on_redis_down ?? 'local';
    const costAt = limit.cost === undefined ? {} : { costAt: limit.cost };
    const { per } = limit;
    const steps = stepsOf(at, name, limit);
    const monitor = compileMonitor(at, ['limits', name], limit);
    limits.set(name, { name, quota, windowMs, steps, per, onRedisDown, ...costAt, ...monitor });
    const parts = limit.per.map((part) => (part.kind === 'attribute' ? `attribute.${part.name}` : part.kind));
    for (const [index, part] of parts.entries()) {
      if (parts.indexOf(part) === index) continue;
      errorInValue(at, ['limits', name, 'per', index], `"${part}" stands twice`, 'remove one');
    }
  }
  return limits;
}

/** `exact` is steps of 1 ms: a bucket then holds as many runs as uses, so few may be allowed. */
function stepsOf(at: Compilation, name: string, limit: LimitConfig): number {
  if (!limit.exact) return limit.steps ?? stepsDefault;
  const { quota, windowMs } = limit.rate;
  if (limit.steps !== undefined) {
    const hint = 'remove steps: exact is steps of 1 ms';
    errorInKey(at, ['limits', name, 'steps'], 'exact and steps exclude each other', hint);
  }
  if (quota > exactQuotaMax) {
    const message = `exact remembers each use, and ${quota} are more than ${exactQuotaMax}`;
    const hint = `allow at most ${exactQuotaMax}, or remove exact and choose steps`;
    errorInValue(at, ['limits', name, 'exact'], message, hint);
  }
  return windowMs;
}

export function compileCors(at: Compilation): ReadonlyMap<string, Cors> {
  const blocks = new Map<string, Cors>();
  for (const [name, block] of Object.entries(at.config.cors)) {
    if (block.origins === 'any' && block.credentials) {
      const hint = 'list the origins that may send cookies, or write credentials: false';
      const message = 'origins: any with credentials: true lets every site act as the visitor';
      errorInValue(at, ['cors', name, 'credentials'], message, hint);
    }
    if (name === 'off') {
      errorInKey(at, ['cors', name], 'a cors block cannot be called off', 'rename it; off means none');
    }
    blocks.set(name, {
      name,
      origins: block.origins === 'any' ? 'any' : [...new Set(block.origins)],
      methods: [...new Set(block.methods)],
      headers: block.headers,
      expose: block.expose,
      credentials: block.credentials,
      maxAgeS: Math.floor(block.max_age / 1000),
    });
  }
  return blocks;
}

export function compileIdentity(at: Compilation): IdentityRule {
  const { reserve, headers } = at.config.identity;
  const reservedPrefixes = new Set(['x-postern-']);
  const reservedNames = new Set<string>();
  for (const [index, entry] of reserve.entries()) {
    const path = ['identity', 'reserve', index];
    const parts = /^([A-Za-z0-9-]+)(\*?)$/.exec(entry);
    if (parts?.[1] === undefined) {
      errorInValue(
        at,
        path,
        `"${entry}" is not a header name`,
        'write X-Name, or X-Name-* for all that start so',
      );
      continue;
    }
    const folded = foldName(parts[1]);
    if (hasFixedMeaning(folded) || (parts[2] === '*' && !/^[a-z0-9]+-/.test(folded))) {
      errorInValue(
        at,
        path,
        `"${entry}" would remove headers that requests need`,
        'reserve names of your own',
      );
    } else if (parts[2] === '*') reservedPrefixes.add(folded);
    else reservedNames.add(folded);
  }
  const fields: { name: string; from: IdentityRule['headers'][number]['from'] }[] = [];
  const seen = new Map<string, string>();
  for (const [name, from] of Object.entries(headers)) {
    const path = ['identity', 'headers', name];
    const folded = foldName(name);
    checkIdentityName(at, name, seen.get(folded));
    seen.set(folded, name);
    reservedNames.add(folded);
    if (from.kind === 'token.attribute') checkAttributeExists(at, path, from.name);
    if (from.kind === 'annotation') checkAnnotates(at, path, from.type);
    if (from.kind === 'pin') checkRemembers(at, path, from.pin);
    fields.push({ name, from });
  }
  const assertion = compileAssertion(at, new Set(seen.keys()));
  if (assertion !== null) reservedNames.add(foldName(assertion.header));
  return { reservedPrefixes: [...reservedPrefixes], reservedNames, headers: fields, assertion };
}

/** Of the pins only a bundle pin holds something that could be told. */
function checkRemembers(at: Compilation, path: ConfigPath, name: string): void {
  if (!resolves(at, 'pins', name, path) || at.config.pins[name]?.kind === 'bundle_id') return;
  const message = `pin "${name}" remembers nothing an upstream could be told`;
  errorInValue(at, path, message, 'name a pin of kind bundle_id');
}

function checkIdentityName(at: Compilation, name: string, twin: string | undefined): void {
  const path = ['identity', 'headers', name];
  if (!/^[A-Za-z0-9-]{1,100}$/.test(name)) {
    errorInKey(at, path, `"${name}" cannot be an identity header`, 'use letters, digits and -');
  } else if (hasFixedMeaning(foldName(name))) {
    errorInKey(
      at,
      path,
      `the header ${name} has a meaning of its own`,
      'choose a name of your own: X-Postern-Project',
    );
  } else if (twin !== undefined) {
    at.problems.errors.push(
      inKey(
        path,
        (lineOf) =>
          `"${name}" is "${twin}" (line ${lineOf(['identity', 'headers', twin])}) in another spelling`,
        'an upstream may not tell them apart; keep one',
      ),
    );
  }
}

export function checkAttributeExists(at: Compilation, path: readonly string[], attribute: string): void {
  const known = new Set(Object.values(at.config.token_types).flatMap((type) => Object.keys(type.attributes)));
  if (known.has(attribute) || hasBroken(at, 'token_types')) return;
  const hint = suggest(attribute, known, 'define it under attributes: of a token type');
  errorInValue(at, path, `no token type has the attribute "${attribute}"`, hint);
}
