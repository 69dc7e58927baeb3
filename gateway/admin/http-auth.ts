/** Who calls the admin API: an admin token by bearer, and nothing else. */
import { addressKey, canonicalAddress } from '../../policy/address.ts';
import { type AdminScope, adminPrefix, adminType } from '../../policy/admin-type.ts';
import { isOnGuard } from '../../policy/canary.ts';
import { checkState } from '../../policy/checks/state.ts';
import { effectiveScopes } from '../../policy/scopes.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { FailureBudget } from '../../store/failure-budget.ts';
import type { TokenStore } from '../../store/token-store.ts';
import { fieldsNamed } from './http-guard.ts';
import { Refused } from './http-problem.ts';

export type Gatekeeper = {
  readonly tokens: Pick<TokenStore, 'find' | 'byId' | 'touch' | 'verifiedBefore'>;
  readonly failures: FailureBudget;
  /** Unix ms. */
  readonly now: () => number;
  /** Told of each token that is let in, with its plaintext. */
  readonly onUse: (record: TokenRecord, plaintext: string) => void;
  /** Told of each canary that is refused. */
  readonly onCanary: (record: TokenRecord, address: string) => void;
};

/** Who is let in, and what it may do. */
export type Operator = {
  readonly record: TokenRecord;
  /** For the audit. */
  readonly by: string;
  readonly scopes: readonly string[];
};

/** Where a token is presented. */
export type Presented = {
  /** The caller's address. */
  readonly peer: string;
  /** Every value of Origin. */
  readonly origins: readonly string[];
};

const adminToken = new RegExp(`^${adminPrefix}[0-9A-Za-z]{48}$`);

/** @param peer the caller's address. @throws Refused; StoreFault where it cannot be told. */
export async function authenticate(
  rawHeaders: readonly string[],
  peer: string,
  gatekeeper: Gatekeeper,
): Promise<Operator> {
  const [field, second] = fieldsNamed(rawHeaders, 'authorization');
  if (second !== undefined) throw new Refused({ code: 'credential_ambiguous' });
  if (field === undefined || field === '') throw new Refused({ code: 'credential_missing' });
  const plaintext = /^bearer ([^ ]+)$/i.exec(field)?.[1] ?? '';
  return letIn(plaintext, { peer, origins: fieldsNamed(rawHeaders, 'origin') }, gatekeeper);
}

/** Whoever holds an admin token, by its plaintext. @throws Refused; StoreFault where it cannot be told. */
export async function letIn(
  plaintext: string,
  { peer, origins }: Presented,
  { tokens, failures, now, onUse, onCanary }: Gatekeeper,
): Promise<Operator> {
  const prefix = adminToken.test(plaintext) ? adminPrefix : '';
  const address = addressKey(canonicalAddress(peer));
  // Whoever has proved a token is not kept out by others who guess at the same address.
  const retryAfterMs = tokens.verifiedBefore(plaintext) ? null : failures.exhausted(address, prefix);
  if (retryAfterMs !== null) throw new Refused({ code: 'too_many_failures', retryAfterMs });
  const found = prefix === '' ? null : await tokens.find(plaintext, [adminType]);
  if (found?.canary === true && isOnGuard(found, now())) onCanary(found, canonicalAddress(peer));
  if (found === null || found.canary === true) {
    failures.spend(address, prefix);
    throw new Refused({ code: 'invalid_token' });
  }
  // Read by id, which is never served from memory while the store is away.
  const record = await tokens.byId(found.id);
  if (record === null || checkState({ token: record, type: adminType, now: now() }) !== null) {
    throw new Refused({ code: 'invalid_token' });
  }
  refuseOrigin(record, origins);
  tokens.touch(record.id, now());
  onUse(record, plaintext);
  return operatorOf(record);
}

/** Who acts is in the audit by the id of its token. */
export function operatorOf(record: TokenRecord): Operator {
  return { record, by: `token:${record.id}`, scopes: effectiveScopes(record, adminType) };
}

function refuseOrigin({ origins }: TokenRecord, [origin]: readonly string[]): void {
  if (origins.length === 0 || (origin !== undefined && origins.includes(origin))) return;
  throw new Refused({ code: 'origin_not_allowed' });
}

/** @throws Refused where the scope is lacking. */
export function demandScope({ scopes }: Pick<Operator, 'scopes'>, scope: AdminScope | null): void {
  if (scope === null || scopes.includes(scope)) return;
  throw new Refused({ code: 'scope_missing', detail: `The token lacks the scope ${scope}.`, scope });
}
