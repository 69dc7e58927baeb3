/** Which tokens only sound an alarm. Never edited after a release; a change is a new file. */
import type { Kysely } from 'kysely';
import type { Change } from '../../schema.ts';

export function addCanaryColumn<T>(db: Kysely<T>): readonly Change[] {
  return [
    db.schema.alterTable('tokens').addColumn('canary', 'bigint', (canary) => canary.notNull().defaultTo(0)),
  ];
}
