/** Says which candidates are tokens: the store's own look-up decides, and nothing that it does not know is a finding. */
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { StoreFault } from '../../store/fault.ts';
import type { TokenStore } from '../../store/token-store.ts';
import type { Candidate, Reading } from './scan-candidates.ts';
import { type TokenState, viewOf } from './token-view.ts';

/** What is told of a token that stands where it should not; never the token. */
export type Judged = {
  readonly type: string;
  /** null: not looked up. */
  readonly id: string | null;
  readonly label: string | null;
  readonly preview: string;
  /** `looks_like`: its checksum is right, and nobody was asked; `unverified`: it has the shape of one. */
  readonly state: TokenState | 'looks_like' | 'unverified';
};

export type Verdict = {
  /** null: no token, or nobody knows, or what nobody knows is not to be told. */
  readonly judged: Judged | null;
  /** What must stand in no output: the token, or what may be one; null: the store knows none of it. */
  readonly hidden: Reading | null;
};

export type JudgeOptions = {
  readonly policy: Policy;
  /** null: nobody can be asked. */
  readonly tokens: Pick<TokenStore, 'find'> | null;
  /** Whether what could not be looked up, and has no checksum, is told nevertheless. */
  readonly tellsUnverified: boolean;
  /** Unix ms. */
  readonly now: () => number;
};

/** null: could not be looked up. */
type Answer = TokenRecord | 'none' | null;

/** Of candidates that share the characters by which bcrypt rows are found: each can cost 8 comparisons. */
const bcryptReadingsMax = 64;
const rememberedMax = 20_000;
const faultsMax = 8;

export class Judge {
  readonly #options: JudgeOptions;
  readonly #answers = new Map<string, Answer>();
  readonly #bcryptReadings = new Map<string, number>();
  #faults = 0;
  #trouble: string | null = null;

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** Why something could not be looked up, though there is a store, and what to do; null: everything was. */
  get trouble(): string | null {
    return this.#trouble;
  }

  async judge({ readings }: Candidate): Promise<Verdict> {
    let open: Reading | null = null;
    for (const reading of readings) {
      const answer = await this.#answer(reading);
      if (answer === null) open ??= reading;
      else if (answer !== 'none') return { judged: this.#known(answer), hidden: reading };
    }
    return open === null ? { judged: null, hidden: null } : this.#unasked(readings, open);
  }

  #known(record: TokenRecord): Judged {
    const { id, type, label, preview, state } = viewOf(record, this.#options.policy, this.#options.now());
    return { id, type, label, preview, state };
  }

  #unasked(readings: readonly Reading[], open: Reading): Verdict {
    const checked = readings.find(({ type }) => type.checksum === true);
    if (checked !== undefined) return { judged: looksLike(checked, 'looks_like'), hidden: checked };
    const whole = readings.find(({ isWhole }) => isWhole);
    if (whole === undefined || !this.#options.tellsUnverified) return { judged: null, hidden: whole ?? open };
    return { judged: looksLike(whole, 'unverified'), hidden: whole };
  }

  async #answer(reading: Reading): Promise<Answer> {
    const { tokens } = this.#options;
    if (tokens === null) return null;
    const key = `${reading.type.name} ${reading.token}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = await this.#ask(tokens, reading);
    if (this.#answers.size >= rememberedMax) this.#answers.clear();
    this.#answers.set(key, answer);
    return answer;
  }

  async #ask(tokens: Pick<TokenStore, 'find'>, { token, type }: Reading): Promise<Answer> {
    if (this.#faults >= faultsMax) return null;
    if (type.hash.use === 'bcrypt' && !this.#mayCompare(token.slice(0, type.hash.lookupChars), type.name)) {
      this.#trouble ??= `more than ${bcryptReadingsMax} candidates of type ${type.name} begin alike, and were not all looked up; scan fewer files at a time`;
      return null;
    }
    try {
      return (await tokens.find(token, [type])) ?? 'none';
    } catch (error) {
      if (!(error instanceof StoreFault)) throw error;
      this.#faults++;
      this.#trouble ??= `${error.message.replace(/\.$/, '')}: not all candidates were looked up; scan again`;
      return null;
    }
  }

  #mayCompare(lead: string, type: string): boolean {
    const key = `${type} ${lead}`;
    const readings = this.#bcryptReadings.get(key) ?? 0;
    this.#bcryptReadings.set(key, readings + 1);
    return readings < bcryptReadingsMax;
  }
}

function looksLike({ type }: Reading, state: 'looks_like' | 'unverified'): Judged {
  const preview = type.format === 'id_pipe_random' ? '...|...' : `${type.prefix}...`;
  return { type: type.name, id: null, label: null, preview, state };
}
