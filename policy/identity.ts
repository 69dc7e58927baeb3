/** What the upstream is told about the caller. Absent value means absent field. */
import type { IdentityField, IdentityRule, Permit } from './types.ts';

/** Without a space at either end, where a reader of fields would cut it off and take it for another value. */
const printable = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
/** The same as for attributes: an annotation is written by whoever holds its key. */
const annotationCharsMax = 200;

/** Names and values to stamp, as configured. A value that is not printable ASCII, or has a space at an end, is left out. */
export function identityFields(rule: IdentityRule, permit: Permit): readonly (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  for (const { name, from } of rule.headers) {
    const value = fieldValue(from, permit);
    if (value !== null && printable.test(value)) fields.push([name, value]);
  }
  return fields;
}

function fieldValue(from: IdentityField, permit: Permit): string | null {
  const { route, token } = permit;
  switch (from.kind) {
    case 'route.id':
      return route.id;
    case 'api':
      return route.api;
    case 'token.scopes':
      return token === null ? null : permit.scopes.join(' ');
    case 'token.id':
      return token?.id ?? null;
    case 'token.type':
      return token?.type ?? null;
    case 'token.label':
      return token?.label ?? null;
    case 'token.attribute': {
      const value = token?.attributes.get(from.name);
      if (value === undefined) return null;
      return typeof value === 'string' ? value : value.join(',');
    }
    case 'pin':
      return pinValue(from, permit);
    case 'annotation': {
      const value = permit.annotations?.get(from.type)?.get(from.field);
      return value === undefined || value.length > annotationCharsMax ? null : value;
    }
  }
}

/** Of a pin that is not the row's there is nothing to tell. */
function pinValue({ pin, field }: Extract<IdentityField, { kind: 'pin' }>, { pins }: Permit): string | null {
  const standing = pins?.find(({ owed }) => owed.pin.name === pin)?.standing;
  if (standing === undefined) return null;
  if (field === 'first_use') return standing.isFirst ? 'true' : null;
  return standing[field];
}

/** A field name as the most lenient upstream would read it: lower case, every other byte a dash. */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-');
}

/** Whether a field, in any spelling, is ours alone to say. */
export function isReserved(rule: IdentityRule, name: string): boolean {
  const folded = foldName(name);
  return rule.reservedNames.has(folded) || rule.reservedPrefixes.some((prefix) => folded.startsWith(prefix));
}
