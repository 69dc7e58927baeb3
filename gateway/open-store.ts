/** Opens the store a config names. Its driver is loaded here and no earlier: a config that names another never needs it. */
import type { OpenTokens } from '../store/tokens.ts';
import type { TokensOptions } from '../store/tokens-options.ts';
import { auditKeys } from './audit-keys.ts';
import type { AuditSettings } from './config/audit-settings.ts';
import type { StoreSettings } from './config/store-settings.ts';

export type StoreOptions = Omit<TokensOptions, 'auditKeys'> & {
  /** Absent: no key is named. */
  readonly audit?: AuditSettings;
  /** How long a server that does not answer yet is waited for at the start; default 0. */
  readonly startWaitMs?: number;
  /** A server was lost or came back; called once per change. A file has no such thing. */
  readonly onStateChange?: (ok: boolean, reason: string | null) => void;
};

/** Makes or updates the schema where it has to be, unless `readonly`. @throws DatabaseRefused */
export async function openStore(
  store: StoreSettings,
  { audit = { keys: [] }, ...rest }: StoreOptions,
): Promise<OpenTokens> {
  const options = { ...rest, auditKeys: auditKeys(store, audit, rest.readonly !== true) };
  if ('path' in store) {
    const { openSqliteTokens } = await import('../store/tokens-sqlite.ts');
    return openSqliteTokens({ ...options, path: store.path });
  }
  const { openPostgres } = await import('../store/postgres/open.ts');
  const { createPostgresTokens } = await import('../store/tokens-postgres.ts');
  const link = await openPostgres({ ...options, url: store.url });
  return createPostgresTokens({ ...options, link, serveKnownForMs: store.serveKnownForMs });
}
