/** Who is signed in: a secret in a cookie, a row in the store, and a holder that is asked for anew with every request. */
import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { adminType } from '../../policy/admin-type.ts';
import { checkState } from '../../policy/checks/state.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { SessionRecord } from '../../store/session-store.ts';
import type { OpenTokens } from '../../store/tokens.ts';
import type { OperatorSettings, Operators } from '../config/operators.ts';
import type { DashOperator } from './dash-page.ts';
import { operatorOf } from './http-auth.ts';
import { fieldsNamed } from './http-guard.ts';

export type SignedIn = {
  readonly session: SessionRecord;
  readonly operator: DashOperator;
  readonly formToken: string;
};

type Rooms = {
  readonly tokens: OpenTokens;
  readonly operators: Operators;
  /** Unix ms. */
  readonly now: number;
};

/**
 * With https in front, a cookie that no other host, and no page without https, can put there (`__Host-`, RFC 6265bis
 * §4.1.3); else one that a browser takes without https.
 */
export function cookieName(isSecure: boolean): string {
  return isSecure ? '__Host-postern' : 'postern_session';
}

const secretText = /^[A-Za-z0-9_-]{43}$/;

/** null: there is none, or there are two: then one of them is somebody else's doing. */
export function cookieSecret(rawHeaders: readonly string[], isSecure: boolean): string | null {
  const name = cookieName(isSecure);
  const values = fieldsNamed(rawHeaders, 'cookie')
    .flatMap((field) => field.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value, second] = values;
  return value !== undefined && second === undefined && secretText.test(value) ? value : null;
}

/** @param secret null: it ends. @param needsHttps whether it is never sent without https. */
export function cookieOf(
  secret: string | null,
  isSecure: boolean,
  lifeMs: number,
  needsHttps = isSecure,
): string {
  const start = `${cookieName(isSecure)}=${secret ?? ''}`;
  const age = secret === null ? 0 : Math.floor(lifeMs / 1000);
  return `${start}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${isSecure || needsHttps ? '; Secure' : ''}`;
}

/** What a form of this session carries; nobody who lacks the cookie can work it out. */
export function formTokenOf(secret: string): string {
  return createHmac('sha256', secret).update('postern form').digest('base64url');
}

export function isFormToken(said: string | null, formToken: string): boolean {
  const [one, other] = [said ?? '', formToken].map((text) => hash('sha256', text, 'buffer'));
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

/** As long as it is the same, the password was not changed. */
export function proofOf({ passwordHash }: OperatorSettings): string {
  return hash('sha256', passwordHash, 'hex');
}

/**
 * null: nobody. A session whose holder may not be here any more is ended, and does not come back when the holder does.
 *
 * @throws StoreFault
 */
export async function whoIsSignedIn(secret: string, rooms: Rooms): Promise<SignedIn | null> {
  const who = await whoIsThere(secret, rooms);
  if (who !== null) await rooms.tokens.sessions.touch(who.session);
  return who;
}

/** As `whoIsSignedIn`, for what asks by itself and again: it does not keep a session from ending unseen. @throws StoreFault */
export async function whoIsThere(secret: string, rooms: Rooms): Promise<SignedIn | null> {
  const { sessions } = rooms.tokens;
  const session = await sessions.find(secret);
  if (session === null) return null;
  const operator = await holderOf(session, rooms);
  if (operator === null) {
    await sessions.end(session.id, 'postern');
    return null;
  }
  return { session, operator, formToken: formTokenOf(secret) };
}

/** null: it may not be here. @throws StoreFault */
async function holderOf(
  { holder, proof }: SessionRecord,
  { tokens, operators, now }: Rooms,
): Promise<DashOperator | null> {
  if (holder.kind === 'operator') {
    const settings = operators.get(holder.name);
    return settings !== undefined && proofOf(settings) === proof ? operatorNamed(settings) : null;
  }
  // Read by id, which is never served from memory while the store is away.
  const record = await tokens.byId(holder.name);
  if (record === null || checkState({ token: record, type: adminType, now }) !== null) return null;
  tokens.touch(record.id, now);
  return holderOfToken(record);
}

export function operatorNamed({ name, scopes }: OperatorSettings): DashOperator {
  return { name, by: `operator:${name}`, scopes };
}

export function holderOfToken(record: TokenRecord): DashOperator {
  const { by, scopes } = operatorOf(record);
  return { name: record.label, by, scopes };
}
