/**
 * What is kept of a token that sha256 keeps, and which questions find it again: plain, under a
 * pepper, or by its id. Asks nothing itself, and keeps no token. Why so: docs/decisions/0012-token-formats.md.
 */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { TokenType } from '../policy/token-types.ts';
import { StoreFault } from './fault.ts';
import { digestOf } from './secret.ts';
import { splitIdPipe } from './token-format.ts';
import type { RecordRow } from './token-rows.ts';

/** The peppers of a type by its name, the newest first; null: none, which only the last may be. */
export type Peppers = ReadonlyMap<string, readonly (string | null)[]>;

/** A form in which a digest may stand in a row; `newest` is the form that new tokens get. */
export type Form = { readonly digest: string; readonly newest: string };

/** One question to the table. */
export type Ask =
  | ({
      readonly by: 'digest';
      /** Only rows of these types count as an answer. */
      readonly types: readonly string[];
    } & Form)
  | {
      readonly by: 'external_id';
      readonly type: string;
      readonly id: string;
      /** One of them must stand in the row. */
      readonly forms: readonly Form[];
    };

/** How a row was recognised. */
export type Recognised = {
  /** The form its digest has, where that is not the newest; null: it is. */
  readonly stale: Form | null;
};

/** A record with the one secret column that is compared here. */
export type DigestRow = RecordRow & { readonly digest: string | null };

/**
 * Before digests of what follows the `|`: no digest of a whole token can ever equal one of these,
 * so the random part alone, or a token of another type, finds no such row.
 */
const RANDOM_PART = 'r:';

type Digest = (text: string) => string;

export class TokenDigests {
  readonly #digests = new Map<string, readonly Digest[]>();
  /** Types whose tokens are looked for under more than one digest. */
  readonly manifold: ReadonlySet<string>;

  constructor(peppers: Peppers) {
    this.manifold = new Set([...peppers].flatMap(([type, list]) => (list.length > 1 ? [type] : [])));
    for (const [type, list] of peppers) {
      this.#digests.set(
        type,
        list.map((pepper) => (pepper === null ? digestOf : pepperedDigest(pepper))),
      );
    }
  }

  /** The digest of a new token. @throws StoreFault if the type's peppers are unknown here. */
  ofNew(type: TokenType, plaintext: string): string {
    const [newest] = this.#formsOf(type, plaintext);
    if (newest === undefined) throw new TypeError(`not a token of type ${type.name}`);
    return newest.digest;
  }

  /**
   * A digest from elsewhere, made without a pepper, as its row keeps it.
   *
   * @throws TypeError where no look-up would ever find it.
   */
  ofImported(type: TokenType, sha256: string): string {
    if (type.hash.use === 'sha256' && type.hash.pepper === 'always') {
      throw new TypeError(`tokens of type ${type.name} are never looked for without a pepper`);
    }
    return type.format === 'id_pipe_random' ? RANDOM_PART + sha256 : sha256;
  }

  /**
   * A digest as a store with the same peppers kept it: under one of them, or, where the type still looks for those, under none.
   *
   * @throws TypeError for another shape, or a type without peppers.
   */
  ofKept({ name, format, hash }: TokenType, digest: string): string {
    if (hash.use !== 'sha256' || hash.pepper === undefined)
      throw new TypeError(`tokens of type ${name} are kept without a pepper`);
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new TypeError('not a digest in hex');
    return format === 'id_pipe_random' ? RANDOM_PART + digest : digest;
  }

  /**
   * The questions that find a token's row, to be asked in order until one is answered.
   *
   * @throws StoreFault if a type's peppers are unknown here: we cannot tell.
   */
  asksFor(plaintext: string, types: readonly TokenType[]): readonly Ask[] {
    const plain: string[] = [];
    const asks: Ask[] = [];
    for (const type of types) {
      if (isPlain(type)) plain.push(type.name);
      else if (type.format === 'id_pipe_random') asks.push(...this.#asksById(type, plaintext));
      else for (const form of this.#formsOf(type, plaintext)) asks.push(byDigest(form, [type.name]));
    }
    if (plain.length === 0) return asks;
    const digest = digestOf(plaintext);
    return [byDigest({ digest, newest: digest }, plain), ...asks];
  }

  #asksById(type: TokenType, plaintext: string): readonly Ask[] {
    const id = splitIdPipe(plaintext)?.id;
    if (id === undefined) return [];
    return [{ by: 'external_id', type: type.name, id, forms: this.#formsOf(type, plaintext) }];
  }

  /** Every form in which the type may keep the token, the newest first; none: it cannot be of the type. */
  #formsOf(type: TokenType, plaintext: string): readonly Form[] {
    const isPiped = type.format === 'id_pipe_random';
    const text = isPiped ? splitIdPipe(plaintext)?.random : plaintext;
    if (text === undefined) return [];
    const digests = this.#digestsOf(type).map((digest) => (isPiped ? RANDOM_PART : '') + digest(text));
    const [newest = ''] = digests;
    return digests.map((digest) => ({ digest, newest }));
  }

  #digestsOf(type: TokenType): readonly Digest[] {
    if (type.hash.use !== 'sha256' || type.hash.pepper === undefined) return [digestOf];
    const digests = this.#digests.get(type.name);
    if (digests !== undefined && digests.length > 0) return digests;
    throw new StoreFault(
      'store_unavailable',
      `the store was opened without the peppers of type ${type.name}`,
    );
  }
}

/** Whether the row answers the question; null: it does not. Digests found by id are compared in constant time. */
export function recognise(ask: Ask, row: RecordRow | DigestRow): Recognised | null {
  if (ask.by === 'digest') return ask.types.includes(row.type) ? outcomeOf(ask) : null;
  if (!('digest' in row) || row.type !== ask.type) return null;
  const form = ask.forms.find(({ digest }) => sameDigest(digest, row.digest ?? ''));
  return form === undefined ? null : outcomeOf(form);
}

function outcomeOf({ digest, newest }: Form): Recognised {
  return { stale: digest === newest ? null : { digest, newest } };
}

function byDigest(form: Form, types: readonly string[]): Ask {
  return { by: 'digest', types, ...form };
}

/** Kept as bcrypt with a digest written later, or as sha256 without a pepper: found by the same digest. */
export function isPlain({ format, hash }: TokenType): boolean {
  return format === undefined && (hash.use === 'bcrypt' || hash.pepper === undefined);
}

export function isBcrypt({ hash }: TokenType): boolean {
  return hash.use === 'bcrypt';
}

function sameDigest(expected: string, stored: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(stored)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** HMAC-SHA256 (RFC 2104) in lower-case hex, keyed with the pepper's bytes in UTF-8. */
function pepperedDigest(pepper: string): Digest {
  const key = createSecretKey(pepper, 'utf8');
  return (text) => createHmac('sha256', key).update(text).digest('hex');
}
