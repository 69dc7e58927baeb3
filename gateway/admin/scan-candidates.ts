/**
 * Where tokens could stand in a text, by the shapes of their types. Linear in the text: one regular expression finds the
 * marks of all types that have one, and from there at most 512 characters are looked at.
 */
import { escapeRegex, randomPart } from '../../policy/leak-patterns.ts';
import type { TokenType } from '../../policy/token-types.ts';
import type { Policy } from '../../policy/types.ts';
import { couldBe } from '../credential.ts';
import { lettersOf, wordStart, wordStarts } from './scan-runs.ts';

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
const idLetters = lettersOf(true);
const idCharsMax = 64;
const pipedRandomMin = 16;

export function candidateFinder(policy: Policy, types: readonly TokenType[]): FindCandidates {
  const [piped, others] = [types.filter(isPiped), types.filter((type) => !isPiped(type))];
  const bare = others.filter(({ prefixes }) => prefixes.length === 0);
  // Apart: together the marks of both would be looked for more slowly than one after the other.
  const marked = [others, piped].map((some) => markedFinder(policy, some));
  const finders = [...marked, ...bare.map((type) => bareFinder(policy, type))];
  return (text, from, to) => {
    const found = finders.flatMap((find) => find(text, from, to));
    return found.length < 2 ? found : merged(found);
  };
}

function isPiped({ format }: TokenType): boolean {
  return format === 'id_pipe_random';
}

/** Types whose tokens show themselves by a prefix or a `|`. */
function markedFinder(policy: Policy, types: readonly TokenType[]): FindCandidates {
  const marks: string[] = [];
  const attempts: Attempt[] = [];
  for (const type of types) {
    if (isPiped(type)) {
      marks.push(
        `(?<=[0-9A-Za-z_-])(?:${pipes.map(escapeRegex).join('|')})(?=[0-9A-Za-z_-]{${pipedMin(type)}})`,
      );
      attempts.push(pipedAttempt(policy, type));
    }
    for (const [written, prefix] of type.prefixes.flatMap(spellings)) {
      marks.push(escapeRegex(written));
      attempts.push(prefixAttempt(policy, type, written, prefix));
    }
  }
  if (marks.length === 0) return () => [];
  const mark = new RegExp([...new Set(marks)].join('|'), 'g');
  return (text, from, to) => {
    const found: Candidate[] = [];
    mark.lastIndex = from;
    for (let hit = mark.exec(text); hit !== null && hit.index < to; hit = mark.exec(text)) {
      for (const attempt of attempts) {
        const candidate = attempt(text, hit.index);
        if (candidate !== null) found.push(candidate);
      }
      mark.lastIndex = hit.index + 1;
    }
    return found;
  };
}

/** Without a prefix nothing but its length and alphabet tells a token from a word; an escape may stand before it. */
function bareFinder(policy: Policy, type: TokenType): FindCandidates {
  const shape = new RegExp(randomPart(type), 'y');
  const letters = lettersOf(type.issue.alphabet === 'base64url');
  const min = type.issue.length;
  const lengths = { min, max: min + escapeLettersMax };
  return (text, from, to) =>
    wordStarts(text, from, to, letters, lengths).flatMap((start) => {
      for (let at = start; at <= start + escapeLettersMax; at++) {
        const whole = matched(shape, text, at);
        if (whole === '' || !endsWord(text, at + min, type)) continue;
        if (at > start && !endsEscape(text, at)) continue;
        const candidate = candidateOf(policy, type, at, at, '', [[whole, true]]);
        return candidate === null ? [] : [candidate];
      }
      return [];
    });
}

/** In order, one candidate a place: a prefix and an alias that begins alike, or two types of one shape, are readings of it. */
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
  return [...starts].sort(([a], [b]) => a - b).map(([start, readings]) => ({ start, readings }));
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

/** Noticed by its `|`: the id stands before it. */
function pipedAttempt(policy: Policy, type: TokenType): Attempt {
  const shape = new RegExp(randomPart(type), 'y');
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
      [run, false],
    ]);
  };
}

/** Of what follows the `|`: less is a table or a pipe in a shell. */
function pipedMin({ issue }: TokenType): number {
  return Math.min(pipedRandomMin, issue.length);
}

/** The longest that can be an id and begins where a word does; null: none. Of `\n2` in JSON it is `2`. */
function idBefore(text: string, end: number): string | null {
  const begin = wordStart(text, end, idLetters, idCharsMax);
  for (let at = begin; at <= begin + escapeLettersMax && at < end; at++) {
    if (endsEscape(text, at)) return text.slice(at, end);
  }
  return end - begin > idCharsMax || begin === end ? null : text.slice(begin, end);
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
