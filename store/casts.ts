/** Values in a select, where nothing else tells a database their type. */
import { type RawBuilder, sql } from 'kysely';

export function text(value: string | null): RawBuilder<string> {
  return sql`cast(${value} as text)`;
}

/** Unix ms. */
export function time(value: number | null): RawBuilder<number> {
  return sql`cast(${value} as bigint)`;
}
