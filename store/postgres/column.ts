/** How text is kept. */
import { sql } from 'kysely';

/** Compared byte by byte, whatever the database's own language: ids page in the order of their making, as on SQLite. */
export const text = sql`text collate "C"`;
