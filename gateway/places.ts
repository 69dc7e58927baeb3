/** How many requests may be at one upstream at once, and that no caller takes all the room. */
import { addressKey } from '../policy/address.ts';
import type { Permit } from '../policy/types.ts';
import { UpstreamFault } from './fault.ts';
import { type Listed, Roster } from './roster.ts';

export type Place = Listed & { readonly caller: string };

export class Places {
  readonly #max: number;
  /** From here on it is asked who has how many. */
  readonly #crowded: number;
  /** What one caller may have then. */
  readonly #share: number;
  readonly #taken = new Roster<Place>();

  constructor(max: number) {
    this.#max = max;
    this.#crowded = Math.ceil((max * 3) / 4);
    this.#share = Math.ceil(max / 2);
  }

  /**
   * A place until `leave`, for a token, or for the address of whoever has none. One more than there are is refused, not left waiting.
   *
   * @throws UpstreamFault `overloaded`
   */
  take({ token, facts }: Pick<Permit, 'token' | 'facts'>): Place {
    const caller = token?.id ?? addressKey(facts.address);
    const taken = this.#taken.size;
    if (taken >= this.#max) throw new UpstreamFault('overloaded', `${taken} requests are at this upstream`);
    if (taken >= this.#crowded && this.#has(caller) >= this.#share) {
      const reason = `of ${taken} requests at this upstream ${this.#share} or more are this caller's`;
      throw new UpstreamFault('overloaded', reason);
    }
    const place: Place = { caller, at: -1 };
    this.#taken.add(place);
    return place;
  }

  leave(place: Place): void {
    this.#taken.remove(place);
  }

  #has(caller: string): number {
    return this.#taken.all.reduce((count, place) => (place.caller === caller ? count + 1 : count), 0);
  }
}
