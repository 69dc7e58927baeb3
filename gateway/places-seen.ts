/** Where each token was seen: told once, and again where it was forgotten. Bounded, whatever callers send. */
import { networkOf } from '../policy/address.ts';
import { placesMax } from '../policy/alert-rules.ts';
import type { PlaceKind } from '../policy/alert-types.ts';
import type { Sighting } from '../store/sighting-store.ts';
import { isShort, ownText } from './own-text.ts';

/** Places of a kind that are told of a token: one more than makes it one that is used anywhere. */
export const placesNoted = placesMax + 1;

/** Of all tokens, to spare the question which network each is in. */
const addressesMax = 20_000;
const pendingMax = 20_000;
/** No Origin or bundle id was sent. */
const none = '';

/** One value as it is, more in a set: most tokens have one of each kind, and there are many tokens. */
type Values = string | Set<string> | undefined;

/** The last place of a token, and all of them; in texts of our own. */
type Places = {
  address: string;
  lastOrigin: string | null;
  lastBundle: string | null | undefined;
} & Record<PlaceKind, Values>;

type Known = { readonly address: string; readonly network: string };

export class PlacesSeen {
  readonly #tokensMax: number;
  readonly #tokens = new Map<string, Places>();
  readonly #networks = new Map<string, Known>();
  #pending: Sighting[] = [];

  /** @param tokensMax whose places are remembered; beyond them all are forgotten. */
  constructor(tokensMax: number) {
    this.#tokensMax = tokensMax;
  }

  /** Nearly always a token is where it was a moment ago, and that is all that is asked. @param at Unix ms. */
  note(
    tokenId: string,
    address: string,
    origin: string | null,
    bundle: string | null | undefined,
    at: number,
  ): void {
    const places = this.#tokens.get(tokenId) ?? this.#placesOf(tokenId);
    if (places.address === address && places.lastOrigin === origin && places.lastBundle === bundle) return;
    const known = this.#networkOf(address);
    places.address = known.address;
    this.#see(tokenId, places, 'network', known.network, at);
    if (places.origin === undefined || places.lastOrigin !== origin) {
      places.lastOrigin = this.#see(tokenId, places, 'origin', origin ?? none, at) || null;
    }
    if (bundle === undefined) places.lastBundle = undefined;
    else if (places.bundle === undefined || places.lastBundle !== bundle) {
      places.lastBundle = this.#see(tokenId, places, 'bundle', bundle ?? none, at) || null;
    }
  }

  #placesOf(tokenId: string): Places {
    if (this.#tokens.size >= this.#tokensMax) this.#tokens.clear();
    const nothing = { bundle: undefined, origin: undefined, network: undefined };
    // No address is '\0', so the first request is somewhere new.
    const places: Places = { address: '\0', lastOrigin: null, lastBundle: undefined, ...nothing };
    this.#tokens.set(tokenId, places);
    return places;
  }

  /** @returns the value as it may be kept: what a field or a body says is in a text of its own, but may be long. */
  #see(tokenId: string, places: Places, kind: PlaceKind, said: string, at: number): string {
    const values = places[kind];
    const value = isShort(said) ? said : ownText(said);
    const isKnown = typeof values === 'object' ? values.has(value) : values === value;
    const isFull = typeof values === 'object' && values.size >= placesNoted;
    if (isKnown || isFull || this.#pending.length >= pendingMax) return value;
    if (values === undefined) places[kind] = value;
    else if (typeof values === 'string') places[kind] = new Set([values, value]);
    else values.add(value);
    this.#pending.push({ tokenId, kind, value, at });
    return value;
  }

  #networkOf(address: string): Known {
    const known = this.#networks.get(address);
    if (known !== undefined) return known;
    if (this.#networks.size >= addressesMax) this.#networks.clear();
    const own = ownText(address);
    const fresh = { address: own, network: ownText(networkOf(own)) };
    this.#networks.set(own, fresh);
    return fresh;
  }

  /** What is new since the last time. */
  take(): readonly Sighting[] {
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }

  /** What was taken and could not be written. */
  putBack(taken: readonly Sighting[]): void {
    this.#pending = [...taken, ...this.#pending].slice(0, pendingMax);
  }

  forget(): void {
    this.#tokens.clear();
  }
}
