/** Where each token was seen: told once, and again where it was forgotten. Bounded, whatever callers send. */
import { networkOf } from '../policy/address.ts';
import { placesMax } from '../policy/alert-rules.ts';
import type { PlaceKind } from '../policy/alert-types.ts';
import type { Sighting } from '../store/sighting-store.ts';

/** Places of a kind that are told of a token: one more than makes it one that is used anywhere. */
export const placesNoted = placesMax + 1;

/** Of all tokens, to spare the question which network each is in. */
const addressesMax = 20_000;
const pendingMax = 20_000;
/** No Origin or bundle id was sent. */
const none = '';

/** One value as it is, more in a set: most tokens have one of each kind, and there are many tokens. */
type Values = string | Set<string> | undefined;

/** The last place of a token, and all of them. */
type Places = {
  address: string;
  lastOrigin: string | null;
  lastBundle: string | null | undefined;
} & Record<PlaceKind, Values>;

export class PlacesSeen {
  readonly #tokensMax: number;
  readonly #tokens = new Map<string, Places>();
  readonly #networks = new Map<string, string>();
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
    const places = this.#tokens.get(tokenId);
    if (places === undefined) this.#first(tokenId, address, origin, bundle, at);
    else if (places.address !== address || places.lastOrigin !== origin || places.lastBundle !== bundle) {
      places.address = address;
      places.lastOrigin = origin;
      places.lastBundle = bundle;
      this.#look(tokenId, places, address, at);
    }
  }

  #first(
    tokenId: string,
    address: string,
    lastOrigin: string | null,
    lastBundle: string | null | undefined,
    at: number,
  ): void {
    if (this.#tokens.size >= this.#tokensMax) this.#tokens.clear();
    const nothing = { bundle: undefined, origin: undefined, network: undefined };
    const places: Places = { address, lastOrigin, lastBundle, ...nothing };
    this.#tokens.set(tokenId, places);
    this.#look(tokenId, places, address, at);
  }

  #look(tokenId: string, places: Places, address: string, at: number): void {
    const { lastOrigin, lastBundle } = places;
    this.#see(tokenId, places, 'network', this.#networkOf(address), at);
    this.#see(tokenId, places, 'origin', lastOrigin ?? none, at);
    if (lastBundle !== undefined) this.#see(tokenId, places, 'bundle', lastBundle ?? none, at);
  }

  #see(tokenId: string, places: Places, kind: PlaceKind, value: string, at: number): void {
    const values = places[kind];
    if (values === value) return;
    if (typeof values === 'object' && (values.size >= placesNoted || values.has(value))) return;
    if (this.#pending.length >= pendingMax) return;
    if (values === undefined) places[kind] = value;
    else if (typeof values === 'string') places[kind] = new Set([values, value]);
    else values.add(value);
    this.#pending.push({ tokenId, kind, value, at });
  }

  #networkOf(address: string): string {
    const known = this.#networks.get(address);
    if (known !== undefined) return known;
    if (this.#networks.size >= addressesMax) this.#networks.clear();
    const network = networkOf(address);
    this.#networks.set(address, network);
    return network;
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
