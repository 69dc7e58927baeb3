/** What a page of the dashboard is: a path, a method, the scope it takes, and one function from a visit to what is told. */
import type { html } from 'hono/html';
import type { AdminScope } from '../../policy/admin-type.ts';
import type { Checked } from '../../policy/token-input.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { OnceDone } from '../../store/once.ts';
import type { SessionRecord, SessionStore } from '../../store/session-store.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { GateWatch } from './dash-watch.ts';
import type { Guesses } from './http-guesses.ts';
import type { Desk } from './operations.ts';
import type { Reload } from './operations-reload.ts';
import type { TailFilter } from './tail-filter.ts';

/** Whatever goes into it that is text is escaped. */
export type Html = ReturnType<typeof html>;

/** Who is signed in. */
export type DashOperator = {
  /** For people. */
  readonly name: string;
  /** For the audit. */
  readonly by: string;
  /** As they are now; asked for anew with every request. */
  readonly scopes: readonly string[];
};

/** What making a token came to. */
export type Made = {
  readonly record: TokenRecord;
  /** null: this was done before, and its text is kept nowhere. */
  readonly plaintext: string | null;
  /** Of a rotation: the token that it follows. */
  readonly before: TokenRecord | null;
  /** Of a regenerate: the ids of those it stands instead of. */
  readonly replaced: readonly string[];
  /** Whoever made it said what its attributes are. Absent: they are those of a token before. */
  readonly isNew?: true;
};

export type Making = {
  /** What must be the same where the form is sent again. */
  readonly request: readonly unknown[];
  readonly make: (desk: Desk) => Promise<Checked<Made>>;
  readonly again: (done: OnceDone) => Promise<Checked<Made>>;
};

export type Visit = {
  readonly desk: Desk;
  readonly config: LoadedConfig;
  readonly operator: DashOperator;
  readonly session: SessionRecord;
  readonly sessions: SessionStore;
  /** What stands in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** What was sent; empty where nothing was. */
  readonly form: URLSearchParams;
  /** For every form: proof that a page of this session made it. */
  readonly formToken: string;
  /** Once under the form's `key`, however often it is sent. */
  readonly once: (making: Making) => Promise<Checked<Made>>;
  /** Where callers reach the gate, as far as is known here: `http://127.0.0.1:8080`. */
  readonly gate: string;
  /** Where this dashboard was called. */
  readonly here: string;
  /** Answers with the live tail, for as long as the session stands and has the scope. @throws Refused */
  readonly listen: (filter: TailFilter, scope: AdminScope) => Response;
  readonly watch: GateWatch;
  /** Dry, it is only judged. */
  readonly reload: (isDry: boolean) => Reload;
  /** Of whoever is signed in. */
  readonly guesses: Guesses;
};

export type Shown = { readonly title: string; readonly body: Html; readonly status?: number };

/** `goTo`: what was done is done, and a reload of what comes next does nothing. A Response: as it is, for streams. */
export type Told = Shown | { readonly goTo: string } | Response;

export type DashPage = {
  readonly method: 'GET' | 'POST';
  /** `/tokens/{id}`; the first that matches serves. */
  readonly path: string;
  /** null: whoever is signed in. */
  readonly scope: AdminScope | null;
  readonly handle: (visit: Visit) => Promise<Told>;
};

export function may({ operator }: Pick<Visit, 'operator'>, scope: AdminScope): boolean {
  return operator.scopes.includes(scope);
}
