/** Which token a text is, for whoever has it in hand: in a leak, a mail, a ticket. The text goes no further than the look-up. */
import { adminPrefix, adminType } from '../../policy/admin-type.ts';
import { type Checked, type Complained, complain } from '../../policy/token-input.ts';
import type { TokenRecord, TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { splitIdPipe } from '../../store/token-format.ts';
import { couldBe, tokenBytes } from '../credential.ts';
import type { Desk } from './operations.ts';

/** As a request's credential would be sorted; the operators' own tokens beside them. @throws StoreFault */
export async function recordOfText(
  { tokens, policy }: Pick<Desk, 'tokens' | 'policy'>,
  plaintext: string,
): Promise<TokenRecord | null> {
  const types: TokenType[] = plaintext.startsWith(adminPrefix) ? [adminType] : [];
  for (const type of policy.types.values()) {
    if (type.verify === undefined && couldBe(plaintext, type, policy)) types.push(type);
  }
  return types.length === 0 ? null : tokens.find(plaintext, types);
}

/** Dead ones too. What was asked for is not repeated, and whatever is unknown is so in the same words. @throws StoreFault */
export async function findTokenByText(desk: Desk, plaintext: string): Promise<Checked<TokenRecord>> {
  const record = await recordOfText(desk, plaintext);
  return record === null ? unknownText() : { ok: true, value: record };
}

export function unknownText(): Complained {
  const hint = 'see that all of it is there; it may be purged, or of another gateway';
  return complain('no token has this text', null, hint, 'unknown');
}

/** Whether it begins as only tokens do here, and is as long: whatever else it may be, it is kept and shown nowhere. */
export function readsLikeToken(
  text: string,
  { prefixes, types }: Pick<Policy, 'prefixes' | 'types'>,
): boolean {
  if (!tokenBytes.test(text)) return false;
  if (text.startsWith(adminPrefix) || prefixes.some(({ prefix }) => text.startsWith(prefix))) return true;
  const hasPiped = [...types.values()].some(({ format }) => format === 'id_pipe_random');
  return hasPiped && splitIdPipe(text) !== null;
}

const tokenStart = /^[A-Za-z0-9._~+/=|-]{16,512}/;

/** What in a text reads like a token: all of it, or what stands in quotes, behind `Bearer`, a name or an address; null: nothing. */
export function tokenIn(text: string, policy: Pick<Policy, 'prefixes' | 'types'>): string | null {
  if (readsLikeToken(text, policy)) return text;
  for (const start of [adminPrefix, ...policy.prefixes.map(({ prefix }) => prefix)]) {
    for (let at = text.indexOf(start); at >= 0; at = text.indexOf(start, at + 1)) {
      const token = tokenStart.exec(text.slice(at, at + 512))?.[0];
      if (token !== undefined) return token;
    }
  }
  return text.split(/[^A-Za-z0-9._~+/|-]+/).find((piece) => readsLikeToken(piece, policy)) ?? null;
}

/** Whether it could be a token of a type without a prefix, which much else looks like too. */
export function couldBeBare(text: string, policy: Policy): boolean {
  return [...policy.types.values()].some((type) => type.prefix === '' && couldBe(text, type, policy));
}
