/** Rules in the words a table has room for. */
import type { BundlePin, PinSource } from './body-types.ts';
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
