/** What the stores in one PostgreSQL database share: its connections, its clock, and what it cannot hold. */
import type { AuditRows } from '../audit-rows.ts';
import type { PostgresLink } from './link.ts';

export type PostgresDatabase = {
  readonly link: PostgresLink;
  /** Unix ms. */
  readonly now: () => number;
  readonly rowOf: AuditRows;
};

/** PostgreSQL has no text with a NUL, so nothing of that name can be there. */
export function isText(value: string): boolean {
  return !value.includes('\0');
}
