/** The admin listener of a running gateway: who may come in, how often they may be wrong, and the first token. */
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { withAdminType } from '../policy/admin-type.ts';
import { createFailureBudget } from '../store/failure-budget.ts';
import type { StoreFault } from '../store/fault.ts';
import type { OpenTokens } from '../store/tokens.ts';
import {
  type BootstrapTrouble,
  bootstrapFile,
  bootstrapWatch,
  writeBootstrapToken,
} from './admin/bootstrap.ts';
import { operatorOf } from './admin/http-auth.ts';
import { adminServer, closeAdmin } from './admin/http-server.ts';
import { createTailReaders } from './admin/tail-readers.ts';
import type { LoadedConfig } from './config/load.ts';
import { cutConnection } from './connection.ts';
import { callerOf } from './forwarded.ts';
import type { Gate } from './gate.ts';
import type { LeakKit } from './leak-kit.ts';
import { listenOn, urlOf } from './listeners.ts';
import { readiness } from './readiness.ts';
import type { RefusalTally } from './refusal-tally.ts';
import type { Reloading } from './reload.ts';
import type { Tail } from './tail.ts';
import { Vigil } from './vigil.ts';

/** Bad admin tokens, or bad passwords, an address may send in a minute. */
const adminFailures = { quota: 20, windowMs: 60_000 };
/** Tries to sign in by one name, wherever they come from. */
const signInTries = { quota: 10, windowMs: 60_000 };

export type OpenAdmin = {
  /** Where it is; null: the config has no admin listener. */
  readonly url: string | null;
  /** Only where it was made at this start. */
  readonly bootstrapFile: string | null;
  /** Ends tails, lets what is under way finish for a moment, then cuts it. */
  readonly close: () => Promise<void>;
};

export type Surroundings = {
  readonly log: Logger;
  readonly tail: Tail;
  readonly reloading: Reloading;
  readonly refusals: RefusalTally;
  readonly leaks: LeakKit;
  /** Where callers reach the gate. */
  readonly gateUrl: () => string;
};

/** Listens when it resolves. @throws a listen error as node gives it. */
export async function openAdmin(
  { admin, store, listen }: LoadedConfig,
  tokens: OpenTokens,
  gate: Gate,
  { log, tail, reloading, refusals, leaks, gateUrl }: Surroundings,
): Promise<OpenAdmin> {
  if (admin === null) return { url: null, bootstrapFile: null, close: async () => {} };
  const { site, now, bug } = gate;
  const file = bootstrapFile(store);
  const warn = (trouble: BootstrapTrouble): void => log.warn(trouble);
  const failures = createFailureBudget(adminFailures);
  const [onUse, onCanary] = [bootstrapWatch(file, warn), leaks.usedByOperator];
  const gatekeeper = { tokens, failures, now, onUse, onCanary };
  const { hosts, mcp } = admin;
  const caller = ({ rawHeaders, socket }: IncomingMessage): string =>
    callerOf({ rawHeaders, peer: socket.remoteAddress ?? '' }, listen.trustedProxies);
  const fault = ({ code, message: reason }: StoreFault, requestId: string): void =>
    log.error({ event: 'admin_store_fault', requestId, code, reason });
  const config = (): LoadedConfig => site().config;
  const policy = () => withAdminType(site().policy);
  const watched = { byIds: tailReadersAmong(tokens), touch: tokens.touch.bind(tokens) };
  const vigil = new Vigil({ tokens: watched, policy, now, bug: (error) => bug(error, null) });
  const tailReaders = createTailReaders({
    tail,
    vigil,
    bug: (error) => bug(error, null),
    cut: cutConnection,
  });
  const watch = {
    readiness: () => readiness(gate, reloading),
    configSince: reloading.since,
    refusals: refusals.byCode,
  };
  const tries = createFailureBudget(signInTries);
  const listening = { hosts, mcp, callerOf: caller };
  const parts = { gatekeeper, tokens, now, config, ...listening, tailReaders, reloading, fault, bug };
  const server = adminServer({ ...parts, tries, gate: gateUrl, watch });
  await listenOn(server, admin);
  const isNew = file !== null && (await writeBootstrapToken(file, tokens, now(), warn));
  const close = (): Promise<void> => {
    tailReaders.close();
    return closeAdmin(server);
  };
  return { url: urlOf(server), bootstrapFile: isNew ? file : null, close };
}

/** To the tail's vigil a token that may not read the tail any more is none: it ends for it as for one that is gone. */
function tailReadersAmong(tokens: Pick<OpenTokens, 'byIds'>): OpenTokens['byIds'] {
  return async (ids) =>
    (await tokens.byIds(ids)).filter((record) => operatorOf(record).scopes.includes('tail:read'));
}
