/** When a token expires, in the form that edits it: as it does now, at another time from now, or never. */
import { type Checked, complain } from '../../policy/token-input.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import { parseDuration } from '../../policy/units.ts';
import type { Html } from './dash-page.ts';
import { textField } from './dash-parts.ts';
import type { Flaws } from './dash-token-fields.ts';
import { expiryOf } from './operations.ts';

/** As the operation takes it: absent, it stays; null: never. */
export type AskedExpiry = { readonly expiresInMs?: number | null };

type Expiring = Pick<TokenRecord, 'expiresAt'>;

/** @param text as written: `90d`, `never`; '': it stays. @param now Unix ms. */
export function askedExpiry(text: string, { expiresAt }: Expiring, now: number): Checked<AskedExpiry> {
  if (text === '') return { ok: true, value: {} };
  if (text.toLowerCase() === 'never') {
    return { ok: true, value: expiresAt === null ? {} : { expiresInMs: null } };
  }
  const read = parseDuration(text);
  if (!read.ok) return complain(read.message, null, `${read.hint}, or never`);
  const at = expiryOf(read.value, now);
  return at.ok ? { ok: true, value: { expiresInMs: read.value } } : at;
}

const clickMs = 60_000;

/** Whether it is done already: a time from now is another one at the second of two clicks. @param now Unix ms. */
export function isExpiryDone({ expiresInMs }: AskedExpiry, { expiresAt }: Expiring, now: number): boolean {
  if (expiresInMs === undefined) return true;
  if (expiresInMs === null || expiresAt === null) return expiresInMs === expiresAt;
  return Math.abs(now + expiresInMs - expiresAt) < clickMs;
}

/** @param now Unix ms. */
export function expiryChangeField(
  value: string,
  record: Pick<TokenRecord, 'expiresAt' | 'retireAt'>,
  flaws: Flaws,
  now: number,
): Html {
  return textField({
    name: 'expires_in',
    label: 'Expires in (optional)',
    hint: `${expiryWords(record, now)} To change that write a time from now, such as 24h, 30d or 365d, or never. Empty: it stays so.${overlapWords(record, now)}`,
    flaw: flaws.get('expires_in') ?? null,
    value,
    suggestions: ['24h', '30d', '90d', '365d', 'never'],
  });
}

function expiryWords({ expiresAt }: Expiring, now: number): string {
  if (expiresAt === null) return 'It never expires.';
  if (expiresAt > now) return `It expires ${utc(expiresAt)}.`;
  return `It expired ${utc(expiresAt)}; with a later time it works again.`;
}

function overlapWords({ retireAt }: Pick<TokenRecord, 'retireAt'>, now: number): string {
  if (retireAt === null) return '';
  return ` Its rotation ${retireAt > now ? 'ends' : 'ended'} it ${utc(retireAt)}, whatever stands here.`;
}

/** @param at Unix ms. */
function utc(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
