/** Which tokens of a type begin alike, or are kept without their beginning. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

/** For purges. `tokens_lookup` has none that has a digest, and stays as small as what wrong tokens are held against. */
export function indexTokensAlike<T>(db: Kysely<T>): readonly Statement[] {
  return [statementOf(db.schema.createIndex('tokens_alike').on('tokens').columns(['lookup', 'type']))];
}
