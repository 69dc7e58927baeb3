/**
 * The small schemas the config is made of. Each carries its description, which goes into the
 * JSON Schema; a message's first line says what is wrong (empty: the type is), its second what to
 * write instead.
 */
import * as v from 'valibot';
import type { Parsed } from './config-problem.ts';
import { parseDuration, parseRate, parseSize } from './units.ts';

/**
 * An object that has these keys and no others. Built on `objectWithRest`, which reports every
 * unknown key where `strictObject` stops at the first; typed as the strict object it is. The hint of
 * an unknown key is the list of those that are known, for whoever looks for the nearest spelling. `notAMap` words
 * what is no map at all, where that must not be repeated: it may be a secret.
 */
export function closed<const Entries extends v.ObjectEntries>(
  entries: Entries,
  notAMap?: string,
): v.StrictObjectSchema<Entries, undefined> {
  const never = v.never(wording('unknown key', Object.keys(entries).join(' ')));
  const schema =
    notAMap === undefined ? v.objectWithRest(entries, never) : v.objectWithRest(entries, never, notAMap);
  return schema as unknown as v.StrictObjectSchema<Entries, undefined>;
}

/** As an issue's message carries them. */
export function wording(message: string, hint: string): string {
  return `${message}\n${hint}`;
}

/** A text that `parse` reads; its complaint becomes the issue. */
export function text<T>(
  description: string,
  parse: (text: string) => Parsed<T>,
  examples: readonly string[] = [],
  notAText?: string,
) {
  const [example] = examples;
  const hint = notAText ?? (example === undefined ? 'write a text' : `write a text such as ${example}`);
  return v.pipe(
    v.string(wording('', hint)),
    v.description(description),
    v.examples([...examples]),
    v.rawTransform(({ dataset, addIssue, NEVER }): T => {
      const result = parse(dataset.value);
      if (result.ok) return result.value;
      addIssue({ message: wording(result.message, result.hint) });
      return NEVER;
    }),
  );
}

export function duration(description: string, example: string) {
  return text(description, parseDuration, [example]);
}

export function size(description: string, example: string) {
  return text(description, parseSize, [example]);
}

export function rate(description: string) {
  return text(description, parseRate, ['600/1m']);
}

export function plain(description: string) {
  return v.pipe(
    v.string(),
    v.minLength(1, wording('the text is empty', 'write something, or leave the key out')),
    v.description(description),
  );
}

export function whole(description: string, min: number, max: number) {
  const message = (issue: v.BaseIssue<number>) =>
    wording(`${issue.input} is not a whole number from ${min} to ${max}`, `write one from ${min} to ${max}`);
  return v.pipe(
    v.number(),
    v.integer(message),
    v.minValue(min, message),
    v.maxValue(max, message),
    v.description(description),
  );
}

export function flag(description: string) {
  return v.pipe(v.boolean(), v.description(description));
}

export function oneOf<const Options extends readonly string[]>(description: string, options: Options) {
  return v.pipe(v.picklist(options), v.description(description));
}

/** What things are called: token types, apis, limits, pins, … */
export function name(description: string) {
  return v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, ({ input }) =>
      wording(`"${input}" is not a name`, 'use 1 to 64 letters, digits, _ . or -: web-site'),
    ),
    v.description(description),
  );
}

/** A map from names of the operator's choice. */
export function named<const Value extends v.GenericSchema>(description: string, value: Value) {
  return v.pipe(v.record(name('A name of your choice.'), value), v.description(description));
}

/** A list of at least one. */
export function some<const Item extends v.GenericSchema>(
  description: string,
  item: Item,
  hint = 'write at least one, or leave the key out',
) {
  const message = wording('the list is empty', hint);
  return v.pipe(v.array(item), v.minLength(1, message), v.description(description));
}

export function list<const Item extends v.GenericSchema>(description: string, item: Item) {
  return v.pipe(v.array(item), v.description(description));
}
