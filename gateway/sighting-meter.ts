/**
 * Notes where tokens are used, and counts what usage does not: requests by bundle id, and refusals of nobody known by
 * network. Bounded, whatever callers send; a request never waits for it.
 */
import { networkOf } from '../policy/address.ts';
import type { SightingStore, Tally, TallyKind } from '../store/sighting-store.ts';
import type { Account } from './access-log.ts';
import { isShort, ownText } from './own-text.ts';
import { PlacesSeen, placesNoted } from './places-seen.ts';

export type SightingMeterOptions = {
  readonly sightings: Pick<SightingStore, 'add'>;
  /** Unix ms. */
  readonly now: () => number;
  /** Tokens whose places are remembered; beyond them all are forgotten, and noted anew. */
  readonly tokensMax?: number;
  /** Bundle ids, and addresses, counted apart in a minute; those beyond are counted together. */
  readonly countedMax?: number;
};

export interface SightingMeter {
  /**
   * No I/O.
   *
   * @param bundle the bundle id that was sent; null: none was, and one could have been; undefined: nobody looked.
   */
  note(account: Account, origin: string | null, bundle: string | null | undefined): void;
  /** Writes what was noted. @throws StoreFault; what it held is kept for the next. */
  flush(): Promise<void>;
}

type Minute = { readonly startMs: number; readonly bundles: Counts; readonly addresses: Counts };
type Counts = Map<string, { count: number }>;

const tokensMaxDefault = 50_000;
const countedMaxDefault = 10_000;
const minutesMax = 3;
/** So often each place is noted as seen again. */
const rememberMs = 3_600_000;
const minuteMs = 60_000;
/** Those that are not told apart. */
const others = '';

export function createSightingMeter(options: SightingMeterOptions): SightingMeter {
  const { sightings, now, tokensMax = tokensMaxDefault, countedMax = countedMaxDefault } = options;
  const places = new PlacesSeen(tokensMax);
  let rememberedAt = now();
  let current = minuteAt(now());
  let done: Minute[] = [];

  const note: SightingMeter['note'] = ({ tokenId, code, status, address }, origin, bundle) => {
    const at = now();
    if (at - current.startMs >= minuteMs || at < current.startMs) turn(at);
    if (tokenId === null) {
      if (code !== null && status < 500) bump(current.addresses, address, countedMax);
      return;
    }
    if (code !== null) return;
    places.note(tokenId, address, origin, bundle, at);
    if (typeof bundle === 'string') bump(current.bundles, bundle, countedMax);
  };

  const turn = (at: number): void => {
    if (current.bundles.size > 0 || current.addresses.size > 0) done.push(current);
    // Bounded: a store that is away for long costs the oldest minutes, not memory.
    done = done.slice(-minutesMax);
    current = minuteAt(at);
  };

  const flush = async (): Promise<void> => {
    const at = now();
    turn(at);
    if (at - rememberedAt >= rememberMs) {
      rememberedAt = at;
      places.forget();
    }
    const minutes = done;
    const seen = places.take();
    if (minutes.length === 0 && seen.length === 0) return;
    done = [];
    try {
      await sightings.add(seen, minutes.flatMap(talliesOf), placesNoted);
    } catch (error) {
      done = [...minutes, ...done].slice(-minutesMax);
      places.putBack(seen);
      throw error;
    }
  };

  return { note, flush };
}

function minuteAt(at: number): Minute {
  return { startMs: Math.floor(at / minuteMs) * minuteMs, bundles: new Map(), addresses: new Map() };
}

function bump(counts: Counts, said: string, max: number): void {
  const key = isShort(said) ? said : ownText(said);
  const known = counts.get(key);
  if (known !== undefined) known.count++;
  else if (counts.size < max || key === others) counts.set(ownText(key), { count: 1 });
  else bump(counts, others, max);
}

function talliesOf({ startMs, bundles, addresses }: Minute): readonly Tally[] {
  const networks: Counts = new Map();
  for (const [address, { count }] of addresses) {
    const network = networkOf(address);
    const before = networks.get(network)?.count ?? 0;
    networks.set(network, { count: before + count });
  }
  const tallied = (kind: TallyKind, counts: Counts) =>
    [...counts].map(([subject, { count }]): Tally => ({ kind, subject, minuteMs: startMs, count }));
  return [...tallied('bundle', bundles), ...tallied('network', networks)];
}
