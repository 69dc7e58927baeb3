/** What alerts are: their kinds, what is watched, and one as it is kept. Decides nothing. */

/** Every kind there is, with what it says. Whoever finds something new to tell adds a line here. */
export const alertKinds = {
  'spike.token': 'A token is used far more than usual.',
  'spike.bundle': 'A bundle id is used far more than usual.',
  'unseen.bundle': 'A token is used under a bundle id it was not used under before.',
  'unseen.origin': 'A token is used from an Origin it was not used from before.',
  'unseen.network': 'A token is used from a network it was not used from before.',
  'refusals.token': 'Many requests of a token are refused.',
  'refusals.network': 'Many requests of nobody known are refused, from one network.',
  'leak.reported': 'A token was found in public.',
  'canary.used': 'Somebody used a canary: what it was laid beside has been read.',
} as const satisfies Readonly<Record<string, string>>;

export type AlertKind = keyof typeof alertKinds;

/** Where a token is used: under which bundle id, from which Origin, from which network. */
export const placeKinds = ['bundle', 'origin', 'network'] as const;

export type PlaceKind = (typeof placeKinds)[number];

/** What is told, and from when on. */
export type AlertRules = {
  /** null: spikes are not told. */
  readonly spike: SpikeRule | null;
  /** Empty: nothing unseen is told. */
  readonly unseen: readonly PlaceKind[];
  /** null: bursts of refusals are not told. */
  readonly refusals: RefusalRule | null;
  /** How long what a token or bundle id does is only learned, from its first use on. */
  readonly learnMs: number;
  /** No second alert of a kind about the same within this time. */
  readonly quietMs: number;
};

/** A minute with `perMinute` requests at least, and `times` as many as usual. */
export type SpikeRule = { readonly times: number; readonly perMinute: number };

/** Refusals in a minute: of one token; of nobody known, from one network. */
export type RefusalRule = { readonly token: number; readonly network: number };

/** Times are Unix ms. */
export type AlertRecord = {
  /** `alr_` and a ULID. */
  readonly id: string;
  readonly at: number;
  readonly kind: AlertKind;
  /** What it is about: a token's id, a bundle id, a network. A caller may have chosen it. */
  readonly subject: string;
  /** null: no token is known. */
  readonly tokenId: string | null;
  /** Figures and places, in JSON. Never a secret; a caller may have chosen texts in it. */
  readonly detail: Readonly<Record<string, unknown>>;
  /** null: nobody has acknowledged it. */
  readonly acknowledgedAt: number | null;
  readonly acknowledgedBy: string | null;
  /** How often it was sent to the webhook, or tried to be. */
  readonly attempts: number;
  /** null: the webhook has not taken it, or there is none. */
  readonly deliveredAt: number | null;
};
