/** Which tokens of a type begin alike, or are kept without their beginning. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';

export function indexTokensAlike<T>(db: Kysely<T>): readonly Change[] {
  return [db.schema.createIndex('tokens_alike').on('tokens').columns(['lookup', 'type'])];
}
