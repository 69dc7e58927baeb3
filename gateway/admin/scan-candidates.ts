/**
 * Where tokens could stand in a text, by the shapes of their types. One pass for all types, linear in the text: a single
 * regular expression finds where something could begin, and looks at most 512 characters ahead from there.
 */
import { escapeRegex, issueAlphabets, randomPart } from '../../policy/leak-patterns.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { couldBe } from '../credential.ts';

/** A token as it may stand there. */
export type Reading = {
  readonly token: string;
  readonly type: TokenType;
  /** It has the length and alphabet of new tokens, and the checksum, where the type has one. */
  readonly isWhole: boolean;
  /** Where it ends in the text. */
  readonly end: number;
};

/** One place, and what it could be, likeliest first. */
export type Candidate = {
  /** Where the first character stands in the text. */
  readonly start: number;
  /** Never empty. */
  readonly readings: readonly Reading[];
};

/** How much text a candidate needs around the place where it is noticed. */
export const charsBefore = 128;
export const charsAfter = 640;

/** Candidates noticed from `from` to `to`, by their place. */
export type FindCandidates = (text: string, from: number, to: number) => readonly Candidate[];

/** Tries one way of writing at one place. */
type Attempt = (text: string, at: number) => Candidate | null;

const word = /[0-9A-Za-z_]/;
/** What ends just before a word without being part of it: JSON's and C's escapes, `%22`, `\u0022`, a terminal's colour. */
const escapeBefore =
  /(?:\\[nrtbfv0]|%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\u001b\[[0-9;]{0,16}m)$/;
const escapeCharsMax = 20;
/** Of an escape, how much looks like the beginning of the word: `u0022`. */
const escapeLettersMax = 5;
/** As `|` stands in text, in a url, in JSON, and behind a backslash in a shell or a Markdown table. */
const pipes = ['\\u007c', '\\u007C', '%7C', '%7c', '\\|', '|'];
const bareRun = /[0-9A-Za-z_-]{1,513}/y;
const anyRun = /[0-9A-Za-z._~+/=|-]{1,513}/y;
const idAtEnd = /[0-9A-Za-z_-]{1,64}$/;
const pipedRandomMin = 16;

export function candidateFinder(policy: Policy, types: readonly TokenType[]): FindCandidates {
  const starts: string[] = [];
  const attempts: Attempt[] = [];
  for (const type of types) {
    if (type.format === 'id_pipe_random') {
      starts.push(...pipes.map(escapeRegex));
      attempts.push(pipedAttempt(policy, type));
    } else if (type.prefixes.length === 0) {
      starts.push(bareShape(type));
      attempts.push(bareAttempt(policy, type));
    } else {
      for (const [written, prefix] of type.prefixes.flatMap(spellings)) {
        starts.push(escapeRegex(written));
        attempts.push(prefixAttempt(policy, type, written, prefix));
      }
    }
  }
  if (starts.length === 0) return () => [];
  const start = new RegExp([...new Set(starts)].join('|'), 'g');
  return (text, from, to) => {
    const found: Candidate[] = [];
    start.lastIndex = from;
    for (let hit = start.exec(text); hit !== null && hit.index < to; hit = start.exec(text)) {
      const at = hit.index;
      const here = attempts.map((attempt) => attempt(text, at)).filter((candidate) => candidate !== null);
      found.push(...(here.length > 1 ? merged(here) : here));
      start.lastIndex = at + 1;
    }
    return found;
  };
}

/** One candidate a place: a prefix and an alias that begins alike, or two types of one shape, are readings of it. */
function merged(candidates: readonly Candidate[]): readonly Candidate[] {
  const starts = new Map<number, Reading[]>();
  for (const { start, readings } of candidates) {
    const known = starts.get(start) ?? [];
    starts.set(start, known);
    for (const reading of readings) {
      const { token, type, isWhole } = reading;
      const same = known.findIndex((one) => one.token === token && one.type === type);
      if (same === -1) known.push(reading);
      else if (isWhole) known[same] = reading;
    }
  }
  return [...starts].map(([start, readings]) => ({ start, readings }));
}

/** A prefix as it is, and as urls and JSON write what it holds. */
function spellings(prefix: string): readonly (readonly [written: string, prefix: string])[] {
  const encoded = encodeURIComponent(prefix);
  const lower = encoded.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase());
  const written = new Set([prefix, encoded, lower, prefix.replaceAll('/', '\\/')]);
  return [...written].map((text) => [text, prefix]);
}

function prefixAttempt(policy: Policy, type: TokenType, written: string, prefix: string): Attempt {
  const shape = new RegExp(randomPart(type), 'y');
  return (text, at) => {
    if (!text.startsWith(written, at) || !beginsWord(text, at, written)) return null;
    const from = at + written.length;
    const whole = matched(shape, text, from);
    const isWhole = endsWord(text, from + whole.length, type);
    return candidateOf(policy, type, at, from, prefix, [
      [isWhole ? whole : '', true],
      [matched(bareRun, text, from), false],
      [matched(anyRun, text, from), false],
    ]);
  };
}

/** Without a prefix nothing but its length and alphabet tells a token from a word; an escape may stand before it. */
function bareShape(type: TokenType): string {
  const either = `[${issueAlphabets[type.issue.alphabet]}0-9A-Za-z_]`;
  const { length } = type.issue;
  return `(?<!${either})${either}{${length},${length + escapeLettersMax}}(?!${either})`;
}

function bareAttempt(policy: Policy, type: TokenType): Attempt {
  const shape = new RegExp(randomPart(type), 'y');
  const tryAt = (text: string, at: number): Candidate | null => {
    const whole = matched(shape, text, at);
    if (whole === '' || !endsWord(text, at + whole.length, type)) return null;
    if (!beginsWord(text, at, whole)) return null;
    return candidateOf(policy, type, at, at, '', [[whole, true]]);
  };
  return (text, at) => {
    if (at > 0 && text.charAt(at - 1) === '-' && dashEnds(type)) return null;
    for (let skipped = 0; skipped <= escapeLettersMax; skipped++) {
      const candidate = tryAt(text, at + skipped);
      if (candidate !== null) return candidate;
    }
    return null;
  };
}

/** Noticed by its `|`: the id stands before it. */
function pipedAttempt(policy: Policy, type: TokenType): Attempt {
  const shape = new RegExp(randomPart(type), 'y');
  const randomMin = Math.min(pipedRandomMin, type.issue.length);
  return (text, at) => {
    const pipe = pipes.find((one) => text.startsWith(one, at));
    if (pipe === undefined) return null;
    const id = idBefore(text, at);
    if (id === null) return null;
    const from = at + pipe.length;
    const whole = matched(shape, text, from);
    const isWhole = endsWord(text, from + whole.length, type);
    const run = matched(bareRun, text, from);
    return candidateOf(policy, type, at - id.length, from, `${id}|`, [
      [isWhole ? whole : '', true],
      [run.length < randomMin ? '' : run, false],
    ]);
  };
}

/** The longest that can be an id and begins where a word does; null: none. */
function idBefore(text: string, end: number): string | null {
  const before = text.slice(Math.max(0, end - charsBefore), end);
  const run = idAtEnd.exec(before)?.[0];
  if (run === undefined) return null;
  const at = end - run.length;
  if (beginsWord(text, at, run) && text[at - 1] !== '-') return run;
  // `\n2|…` in JSON: the run took the `n` for its own.
  for (let skipped = 1; skipped <= escapeLettersMax && skipped < run.length; skipped++) {
    if (endsEscape(text, at + skipped)) return run.slice(skipped);
  }
  return null;
}

function candidateOf(
  policy: Policy,
  type: TokenType,
  start: number,
  from: number,
  beginning: string,
  rests: readonly (readonly [rest: string, isWhole: boolean])[],
): Candidate | null {
  const readings: Reading[] = [];
  for (const [rest, isWhole] of rests) {
    const token = beginning + rest;
    if (rest === '' || readings.some((reading) => reading.token === token)) continue;
    if (couldBe(token, type, policy)) readings.push({ token, type, isWhole, end: from + rest.length });
  }
  return readings.length === 0 ? null : { start, readings };
}

function matched(sticky: RegExp, text: string, at: number): string {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0] ?? '';
}

/** Whether a word that is written so can begin there: nothing before it that would belong to it. */
function beginsWord(text: string, at: number, written: string): boolean {
  if (at === 0 || !word.test(written.charAt(0)) || !word.test(text.charAt(at - 1))) return true;
  return endsEscape(text, at);
}

function endsEscape(text: string, at: number): boolean {
  return escapeBefore.test(text.slice(Math.max(0, at - escapeCharsMax), at));
}

function endsWord(text: string, end: number, type: TokenType): boolean {
  const next = text.charAt(end);
  return next === '' || !(word.test(next) || (next === '-' && dashEnds(type)));
}

/** Whether a new token may end in a `-`, so that one after it would be part of a longer word. */
function dashEnds({ issue, checksum }: TokenType): boolean {
  return issue.alphabet === 'base64url' && checksum !== true;
}
