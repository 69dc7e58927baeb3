/** The dashboard's door: by admin token, or by name and password; throttled by address and by name. */
import { html } from 'hono/html';
import { addressKey, canonicalAddress } from '../../policy/address.ts';
import type { FailureBudget } from '../../store/failure-budget.ts';
import type { SessionHolder } from '../../store/session-store.ts';
import type { Operators } from '../config/operators.ts';
import type { DashOperator, Html } from './dash-page.ts';
import { hidden, notice, textField } from './dash-parts.ts';
import { holderOfToken, operatorNamed, proofOf } from './dash-session.ts';
import { type Gatekeeper, letIn, type Presented } from './http-auth.ts';
import { type Problem, type ProblemCode, Refused } from './http-problem.ts';
import type { PasswordCheck } from './passwords.ts';

export type DoorParts = {
  readonly gatekeeper: Gatekeeper;
  readonly passwords: PasswordCheck;
  /** Tries by name, right or wrong: counted before the password is looked at, so that many at once are counted too. */
  readonly tries: FailureBudget;
};

/** Somebody who proved it just now. */
export type Comer = {
  readonly holder: SessionHolder;
  readonly proof: string;
  readonly operator: DashOperator;
};

const passwordPrefix = 'password';
const nameLengthMax = 64;

/** @throws Refused; StoreFault where it cannot be told. */
export async function admit(
  form: URLSearchParams,
  presented: Presented,
  operators: Operators,
  parts: DoorParts,
): Promise<Comer> {
  if (form.get('with') === 'password') return admitByPassword(form, presented, operators, parts);
  const { record } = await letIn((form.get('token') ?? '').trim(), presented, parts.gatekeeper);
  return { holder: { kind: 'token', name: record.id }, proof: '', operator: holderOfToken(record) };
}

async function admitByPassword(
  form: URLSearchParams,
  { peer }: Presented,
  operators: Operators,
  { gatekeeper: { failures }, passwords, tries }: DoorParts,
): Promise<Comer> {
  const name = (form.get('name') ?? '').slice(0, nameLengthMax);
  const address = addressKey(canonicalAddress(peer));
  const retryAfterMs = failures.exhausted(address, passwordPrefix) ?? tries.exhausted(name, '');
  if (retryAfterMs !== null) throw new Refused({ code: 'too_many_failures', retryAfterMs });
  tries.spend(name, '');
  const settings = await passwords.check(operators, name, form.get('password') ?? '');
  if (settings === 'busy') throw new Refused({ code: 'sign_in_busy', retryAfterMs: 2000 });
  if (settings === null) {
    failures.spend(address, passwordPrefix);
    throw new Refused({ code: 'invalid_token' });
  }
  const holder = { kind: 'operator', name: settings.name } as const;
  return { holder, proof: proofOf(settings), operator: operatorNamed(settings) };
}

/** Where to go once signed in; anything but a path of ours is the first page. */
export function pathAfter(to: string | null): string {
  return to !== null && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1000}$/.test(to) ? to : '/';
}

/** What the page says above its forms, by the `done` of its address. */
const noteWords = {
  out: { kind: 'good', words: 'You are signed out.' },
  undone: {
    kind: 'bad',
    words: 'Your session is over, so what you sent just now was not done. Sign in, look, and send it again.',
  },
} as const;

export type Note = keyof typeof noteWords;

export function noteOf(done: string | null): Note | null {
  return done === 'out' || done === 'undone' ? done : null;
}

export type SignInView = {
  /** Where to go then. */
  readonly to: string;
  readonly hasOperators: boolean;
  /** Why the last try did not do; null: there was none. */
  readonly problem: Problem | null;
  /** Of the last try; '': none. */
  readonly name: string;
  readonly note: Note | null;
};

export function signInPage({ to, hasOperators, problem, name, note }: SignInView): Html {
  const notes = html`${note === null ? '' : notice(noteWords[note].kind, noteWords[note].words)}${
    problem === null ? '' : notice('bad', wordsOf(problem))
  }`;
  return html`<div class="door">
<h1>Sign in to Postern</h1>
${notes}
${hasOperators ? byPassword(to, name) : ''}
${byToken(to, hasOperators)}
</div>`;
}

function byPassword(to: string, name: string): Html {
  return html`<form method="post" action="/sign-in" class="card">
<h2>With a password</h2>
${hidden('with', 'password')}${hidden('to', to)}
${textField({ name: 'name', label: 'Name', hint: null, flaw: null, value: name, autocomplete: 'username', required: true })}
${textField({ name: 'password', label: 'Password', hint: null, flaw: null, value: '', type: 'password', autocomplete: 'current-password', required: true })}
<div class="actions"><button class="main" type="submit">Sign in</button></div>
</form>`;
}

function byToken(to: string, isSecond: boolean): Html {
  return html`<form method="post" action="/sign-in" class="card">
<h2>With an admin token</h2>
${hidden('with', 'token')}${hidden('to', to)}
${textField({
  name: 'token',
  label: 'Admin token',
  hint: 'It starts with postern_admin_. After the first start there is one in the file bootstrap-token, beside the database.',
  flaw: null,
  value: '',
  type: 'password',
  required: true,
})}
<div class="actions"><button class="${isSecond ? 'plain' : 'main'}" type="submit">Sign in${
    isSecond ? html`<span class="unseen"> with the token</span>` : ''
  }</button></div>
</form>`;
}

const words: Readonly<Partial<Record<ProblemCode, string>>> = {
  invalid_token: 'That does not open this door. It may be mistyped, revoked or expired.',
  origin_not_allowed: 'That token may not be used from this address.',
  too_many_failures: 'Too many tries. Wait a minute, and try again.',
  sign_in_busy: 'Others are signing in right now. Try again in a moment.',
  store_unavailable: 'The store cannot be reached right now. Try again in a moment.',
};

function wordsOf({ code }: Problem): string {
  return words[code] ?? 'That did not work. Try again.';
}
