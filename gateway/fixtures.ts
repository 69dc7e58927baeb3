/** Runs a config's fixtures: requests whose answer it promises. A promise it breaks is a Problem. */
import type { Fixture } from '../policy/compile-fixtures.ts';
import { inValue } from '../policy/config-problem.ts';
import type { LoadedConfig } from './config/load.ts';
import type { Problem } from './config/problems.ts';
import { type Persona, type Rehearsal, rehearse } from './rehearsal.ts';

/**
 * In the order of the file; empty: every fixture gets what it expects. A fixture is a promise about
 * what is enforced, so `mode: monitor` softens none: a config stays right however long it is kept.
 */
export async function runFixtures(config: LoadedConfig): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const fixture of config.fixtures) {
    let tried = fixture;
    let got = await rehearsalOf(config, tried);
    if (fixture.body === null && got.code === 'body_malformed' && !meets(fixture, got)) {
      // The row reads JSON and the fixture is about something else: an empty map stands for any body.
      tried = { ...fixture, body: '{}' };
      got = await rehearsalOf(config, tried);
    }
    if (meets(fixture, got)) continue;
    const message = `fixture "${fixture.name}" expects ${expectation(fixture)} and gets ${answer(got)}`;
    const hint = `to see why: ${explainCommand(config.file, tried)}`;
    problems.push(config.problemAt(inValue([...fixture.configPath, 'expect'], message, hint)));
  }
  return problems;
}

function rehearsalOf(config: LoadedConfig, fixture: Fixture): Promise<Rehearsal> {
  const { method, target, headers, body, pinned, from, nth } = fixture;
  const as = personaOf(config, fixture);
  const bytes = body === null ? null : Buffer.from(body);
  const request = { method, target, headers: [...headers], body: bytes, pinned, from, nth, as };
  return rehearse(config.policy, request, Number.POSITIVE_INFINITY, config.triggerKeys);
}

function personaOf({ policy }: LoadedConfig, { as }: Fixture): Persona | null {
  const type = as === null ? undefined : policy.types.get(as.type);
  return as === null || type === undefined ? null : { ...as, type };
}

function meets({ expect }: Fixture, got: Rehearsal): boolean {
  if (expect === 'forward' || expect === 'serve') return got.outcome === expect;
  return got.status === expect.status && (expect.code === null || expect.code === got.code);
}

function expectation({ expect }: Fixture): string {
  if (expect === 'forward' || expect === 'serve') return expect;
  return expect.code === null ? String(expect.status) : `${expect.status} ${expect.code}`;
}

function answer({ outcome, status, code, steps }: Rehearsal): string {
  if (outcome === 'forward') return 'forward';
  if (code === null) return `serve (${status})`;
  const reason = steps.find(({ ok }) => !ok)?.detail;
  return reason === undefined ? `${status} ${code}` : `${status} ${code} (${reason})`;
}

/** The same request for `explain`, ready to paste into a shell. */
function explainCommand(file: string, fixture: Fixture): string {
  const { method, target, as, headers, body, pinned, from, nth } = fixture;
  const words = ['postern', 'explain', method, target, '--config', file];
  if (as !== null) {
    const scopes = as.scopes ?? [];
    words.push('--as', scopes.length === 0 ? as.type : `${as.type}:${scopes.join('+')}`);
    for (const [name, value] of as.attributes) {
      for (const item of typeof value === 'string' ? [value] : value) {
        words.push('--attribute', `${name}=${item}`);
      }
    }
    for (const origin of as.origins) words.push('--origin', origin);
  }
  for (const [name, value] of headers) words.push('--header', `${name}: ${value}`);
  for (const [name, value] of pinned) words.push('--pinned', `${name}=${value}`);
  if (from !== null) words.push('--from', from);
  if (nth !== null) words.push('--nth', String(nth));
  if (body === null) return words.map(quoted).join(' ');
  return `printf %s ${quoted(body)} | ${[...words, '--body-file', '/dev/stdin'].map(quoted).join(' ')}`;
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=+@%,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
