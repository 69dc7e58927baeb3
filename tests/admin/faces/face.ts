/** What a face can be asked in a test: every operation by one name, with one answer, however the face spells it. */

/** A token as every face tells it; times in hours from now. */
export type Facts = {
  readonly id: string;
  readonly type: string;
  readonly label: string;
  readonly state: string;
  readonly scopes: readonly string[];
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly origins: readonly string[];
  readonly expires: number | null;
  readonly retires: number | null;
  readonly quiet: Quiet | null;
  readonly successor: string | null;
  readonly disabled: boolean;
  readonly reason: string | null;
};

/** Of a token that is to end when nobody needs it: when that is at the earliest and at the latest, in hours from now. */
export type Quiet = {
  readonly successor: string;
  readonly asked: number | null;
  readonly from: number | null;
  readonly until: number | null;
  /** Why not yet; null: it is only a matter of time. */
  readonly because: string | null;
};

/** `old`: what a successor follows; `replaced`: what it stands instead of. */
export type Made = {
  readonly made: Facts;
  readonly secret: string;
  readonly old?: Facts;
  readonly replaced?: readonly string[];
};

/** What a face says no with, as the kind of no that it is. */
export type No = { readonly no: string };

export type NewToken = {
  readonly type: string;
  readonly label: string;
  readonly scopes?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | readonly string[]>>;
  readonly origins?: readonly string[];
  readonly expires?: string;
};

/** Which token, as far as any face must be told. */
export type Target = {
  readonly id: string;
  readonly type: string;
  readonly attributes: Readonly<Record<string, string | readonly string[]>>;
};

export type Change = {
  readonly label?: string;
  readonly scopes?: readonly string[];
  readonly origins?: readonly string[];
  /** From now; null: never. */
  readonly expires?: string | null;
};

export type Pinned = { readonly value: string | null; readonly before?: string | null };

export type Used = {
  readonly figures: readonly number[];
  readonly last: readonly string[] | null;
  readonly rotation: { readonly successor: string; readonly safe: boolean } | null;
};

/** `attribute`: `name=value`. */
type Of = { readonly type: string; readonly attribute: string };

type Row = { readonly action: string; readonly subject: string; readonly detail: unknown };

export type Ops = {
  readonly create: (token: NewToken) => Promise<Made | No>;
  /** A dry run. */
  readonly tryCreate: (token: NewToken) => Promise<{ readonly scopes: readonly string[] } | No>;
  readonly show: (token: Target) => Promise<Facts | No>;
  /** Oldest first. */
  readonly list: (of: Of) => Promise<readonly Pick<Facts, 'id' | 'label' | 'state' | 'scopes'>[]>;
  /** The ids of each page, by the cursor of the one before. */
  readonly pages: (of: Of, limit: number) => Promise<readonly (readonly string[])[]>;
  readonly rotate: (token: Target, overlap: string) => Promise<Made | No>;
  readonly rotateWhenQuiet: (token: Target, overlap: string) => Promise<Made | No>;
  readonly regenerate: (token: Target) => Promise<Made | No>;
  readonly update: (token: Target, change: Change) => Promise<Facts | No>;
  readonly disable: (token: Target) => Promise<Facts | No>;
  readonly enable: (token: Target) => Promise<Facts | No>;
  readonly revoke: (token: Target, reason: string) => Promise<Facts | No>;
  readonly setPin: (subject: string, value: string) => Promise<Pinned | No>;
  readonly showPin: (subject: string) => Promise<Pinned | No>;
  readonly resetPin: (subject: string, reason: string) => Promise<Pinned | No>;
  readonly activate: (
    subject: string,
    pattern: string,
  ) => Promise<{ readonly id: string; readonly secret: string }>;
  readonly probes: (subject: string) => Promise<readonly string[]>;
  readonly deactivate: (subject: string, id: string) => Promise<{ readonly off: boolean } | No>;
  readonly usage: (token: Target) => Promise<Used | No>;
  readonly alerts: () => Promise<
    readonly { readonly id: string; readonly subject: string; readonly open: boolean }[]
  >;
  readonly acknowledge: (id: string) => Promise<{ readonly open: boolean } | No>;
  readonly audit: (subject: string) => Promise<readonly Row[]>;
  /** How many would go. */
  readonly tryPurge: (what: 'tokens' | 'audit') => Promise<number>;
  readonly verify: () => Promise<boolean>;
  readonly matrix: () => Promise<unknown>;
  readonly explain: (method: string, path: string, as: string) => Promise<unknown>;
};

export type OpName = keyof Ops;

export type Face = {
  readonly name: string;
  /** Who did it, as the audit says. */
  readonly actor: RegExp;
  readonly ops: Partial<Ops>;
  /** What it has, in its own words: tools, routes, pages; and what was asked of that so far. */
  readonly offers: () => Promise<readonly string[]>;
  readonly used: ReadonlySet<string>;
};

// biome-ignore lint/suspicious/noExplicitAny: answers are what they are asked to be.
export type Json = any;

/** A token of an answer in JSON. */
export function factsOf(view: Json): Facts {
  const { id, type, label, state, scopes, origins } = view;
  const attributes = Object.entries(view.attributes).map(([name, value]) => [name, [value].flat()]);
  return {
    ...{ id, type, label, state, scopes, attributes: Object.fromEntries(attributes), origins },
    expires: hoursTo(view.expires_at),
    retires: hoursTo(view.retire_at),
    quiet: quietOf(view.retirement),
    successor: view.rotated_to,
    disabled: view.disabled_at !== null,
    reason: view.revoked_reason,
  };
}

function quietOf(view: Json): Quiet | null {
  if (view === null) return null;
  return {
    successor: view.successor,
    ...{ asked: hoursTo(view.asked_at), from: hoursTo(view.quiet_at), until: hoursTo(view.ends_at) },
    because: view.quiet_at === null ? view.because : null,
  };
}

export function hoursTo(time: string | null): number | null {
  // Without -0.
  return time === null ? null : Math.round((Date.parse(time) - Date.now()) / 3_600_000) + 0;
}

export function madeOf({ token: secret, rotated, replaced, ...view }: Json): Made {
  return {
    ...{ made: factsOf(view), secret },
    ...(rotated === undefined ? {} : { old: factsOf(rotated) }),
    ...(replaced === undefined ? {} : { replaced }),
  };
}

export function listedOf({ id, label, state, scopes }: Json) {
  return { id, label, state, scopes };
}

export function usedOf({ rows, last_use: last, rotation }: Json): Used {
  const sum = (key: string) => rows.reduce((total: number, row: Json) => total + row[key], 0);
  return {
    figures: [sum('passed'), sum('refused'), sum('failed')],
    last: last === null ? null : [last.address, last.route],
    rotation: rotation && { successor: rotation.successor, safe: rotation.safe_to_retire },
  };
}

export function rowOf({ action, subject, detail }: Json): Row {
  return { action, subject, detail };
}

/** The kinds of no, and the words of each; a face may have its own for some. */
const kinds: readonly (readonly [kind: string, words: RegExp])[] = [
  ['no such type', /unknown token type|no tool is called "create_/i],
  ['an unknown scope', /scope.*(?:events:raed|"events:raed"|“events:raed”)/i],
  [
    'an attribute is missing',
    /attribute project is missing|need one|needs? the attribute|parameter project is missing/i,
  ],
  ['no label', /not a label|label is/i],
  ['not an origin', /not an origin/i],
  ['not a time to expire', /cannot expire then/i],
  ['no such token', /no token (?:of this type and owner )?has this id/i],
  ['a successor already', /has a successor already/i],
  ['too short an overlap', /an overlap that ends before anybody can tell/i],
  ['not alive', /this token cannot be rotated|is revoked, and stays as it is/i],
  ['nothing is pinned', /nothing is pinned/i],
  ['no such activation', /no activation/i],
  ['no such alert', /no alert has this id/i],
];

/** @param words all that a face said. @throws Error where no kind has such words: the face and this list disagree. */
export function no(words: string): No {
  const found = kinds.find(([, pattern]) => pattern.test(words));
  if (found === undefined) throw new Error(`a no of no known kind: ${words}`);
  return { no: found[0] };
}
