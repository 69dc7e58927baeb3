/** Where each token was seen: told once, and again where it was forgotten. Bounded, whatever callers send. */
import { networkOf } from '../policy/address.ts';
import { placesMax } from '../policy/alert-rules.ts';
import type { PlaceKind } from '../policy/alert-types.ts';
import type { Sighting } from '../store/sighting-store.ts';

/** Places of a kind that are told of a token: one more than makes it one that is used anywhere. */
export const placesNoted = placesMax + 1;

/** Of a token, to spare the question which network each is in. */
const addressesMax = 256;
const pendingMax = 20_000;
/** No Origin or bundle id was sent. */
const none = '';

/** The last place of a token, and all of them. */
type Places = {
  address: string;
  origin: string | null;
  bundle: string | null | undefined;
  readonly addresses: Set<string>;
  readonly values: Readonly<Record<PlaceKind, Set<string>>>;
};

export class PlacesSeen {
  readonly #tokensMax: number;
  readonly #tokens = new Map<string, Places>();
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
    if (places.address === address && places.origin === origin && places.bundle === bundle) return;
    places.address = address;
    places.origin = origin;
    places.bundle = bundle;
    const { addresses, values } = places;
    if (values.network.size < placesNoted && !addresses.has(address)) {
      if (addresses.size < addressesMax) addresses.add(address);
      this.#look(tokenId, 'network', values.network, networkOf(address), at);
    }
    this.#look(tokenId, 'origin', values.origin, origin ?? none, at);
    if (bundle !== undefined) this.#look(tokenId, 'bundle', values.bundle, bundle ?? none, at);
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

  #placesOf(tokenId: string): Places {
    if (this.#tokens.size >= this.#tokensMax) this.#tokens.clear();
    const values = { bundle: new Set<string>(), origin: new Set<string>(), network: new Set<string>() };
    // No address is '\0', so the first request is somewhere new.
    const places = { address: '\0', origin: null, bundle: undefined, addresses: new Set<string>(), values };
    this.#tokens.set(tokenId, places);
    return places;
  }

  #look(tokenId: string, kind: PlaceKind, values: Set<string>, value: string, at: number): void {
    if (values.size >= placesNoted || values.has(value) || this.#pending.length >= pendingMax) return;
    values.add(value);
    this.#pending.push({ tokenId, kind, value, at });
  }
}
