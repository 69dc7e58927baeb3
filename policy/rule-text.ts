/** Rules in the words a table has room for. */
import type { BundlePin, PinSource } from './body-types.ts';
import type { Observe, ObservedAttribute, ObservedValue } from './observe-types.ts';
import type { Source } from './token-types.ts';
import type { Limit, LimitPart } from './types.ts';
import { formatDuration } from './units.ts';

/** Without its name, and without what it is monitored until: `5/10s per token, local`. */
export function formatLimit({ quota, windowMs, steps, per, onRedisDown, costAt }: Limit): string {
  const cut = steps === 60 ? '' : `, ${steps} steps`;
  const cost = costAt === undefined ? '' : `, cost json:${costAt}#`;
  return `${quota}/${formatDuration(windowMs)} per ${per.map(formatPart).join('+')}${cut}${cost}, ${onRedisDown}`;
}

function formatPart(part: LimitPart): string {
  return part.kind === 'attribute' ? `attribute.${part.name}` : part.kind;
}

/** As a limit: `json:/app_id of attribute.project, first use pin, deny when missing`. */
export function formatBundlePin(pin: BundlePin): string {
  const { from, firstUse, belongsTo, whenMissing, revealMasked } = pin;
  const owner = belongsTo.kind === 'token' ? 'token' : `attribute.${belongsTo.name}`;
  return [
    `${from.map(formatPinSource).join(' ')} of ${owner}`,
    `first use ${firstUse}`,
    `${whenMissing} when missing`,
    ...(revealMasked ? ['shown masked'] : []),
  ].join(', ');
}

function formatPinSource(source: PinSource): string {
  return source.kind === 'json' ? `json:${source.pointer}` : `header:${source.name}`;
}

/** As the config writes it. */
export function formatSource(source: Source): string {
  return source.kind === 'bearer' ? 'bearer' : `${source.kind}:${source.name}`;
}

/** `pin app of {project} from json:/bundle_id`, `a token of type user from json:/token …`, `end of the caller's token`. */
export function formatObserve(entry: Observe): string {
  switch (entry.kind) {
    case 'pin':
      return `pin ${entry.pin} of {${entry.param}} from json:${entry.pointer}`;
    case 'caller':
      return "end of the caller's token";
    case 'end':
      return `end of type ${entry.type}${formatAttributes(entry.attributes)}`;
    case 'token': {
      const { type, from, attributes, scopes, label, lifeMs, insteadOf } = entry;
      const secret = from.kind === 'json' ? `json:${from.pointer}` : `set-cookie:${from.name}`;
      return [
        `a token of type ${type} from ${secret}${formatAttributes(attributes)}`,
        ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(' ')}`]),
        ...(label === null ? [] : [`label ${formatObserved(label)}`]),
        ...(lifeMs === null ? [] : [`for ${formatDuration(lifeMs)}`]),
        ...(insteadOf.length === 0 ? [] : [`instead of those with its ${insteadOf.join(' and ')}`]),
      ].join(', ');
    }
  }
}

function formatAttributes(attributes: readonly ObservedAttribute[]): string {
  if (attributes.length === 0) return '';
  return ` with ${attributes.map((value) => `${value.name} ${formatObserved(value)}`).join(' and ')}`;
}

function formatObserved({ from, otherwise, among }: ObservedValue): string {
  const rest = otherwise === null ? '' : ` else "${otherwise}"`;
  switch (from.kind) {
    case 'text':
      return `"${from.text}"`;
    case 'param':
      return `{${from.param}}`;
    case 'attribute':
      return `token.attribute.${from.name}${rest}`;
    case 'header':
      return `header:${from.name}${among === undefined ? '' : ` of ${among.map((one) => `"${one}"`).join(', ')}`}${rest}`;
    case 'json':
      return `json:${from.pointer}${rest}`;
  }
}
