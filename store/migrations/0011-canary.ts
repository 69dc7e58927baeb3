/** Which tokens only sound an alarm. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import { type Statement, statementOf } from '../schema.ts';

export function addCanaryColumn<T>(db: Kysely<T>): readonly Statement[] {
  const column = db.schema
    .alterTable('tokens')
    .addColumn('canary', 'integer', (canary) => canary.notNull().defaultTo(0));
  return [statementOf(column)];
}
