/** The small schemas that routes of the admin API are made of: what may be sent, and what is answered. */
import * as v from 'valibot';
import { text, wording } from '../../policy/config-fields.ts';
import { parseDuration } from '../../policy/units.ts';

export const time = v.pipe(v.string(), v.isoTimestamp());
export const timeOrNever = v.nullable(time);
export const texts = v.array(v.string());
export const textOrNull = v.nullable(v.string());

export function said(description: string) {
  return v.pipe(v.string(wording('', 'write a text')), v.description(description));
}

export function saidList(description: string) {
  const hint = wording('', 'write a list of texts');
  return v.pipe(v.array(v.string(hint), hint), v.description(description));
}

export function lasting(description: string, example: string) {
  return text(description, parseDuration, [example]);
}

export const attributes = v.pipe(
  v.record(
    v.string(),
    v.union([v.string(), texts], wording('', 'write a text or a list of texts for each')),
    wording('', 'write a map: {"project":"prj_a"}'),
  ),
  v.description('What it belongs to, by the names that the type has.'),
);

const pairs = v.pipe(
  v.array(v.string(wording('', 'write name=value'))),
  v.description('The same as name=value; a list takes several.'),
);

/** As a map, or as words are written. */
export const attributesOrPairs = v.union(
  [pairs, attributes],
  wording('', 'write a map: {"project":"prj_a"}, or a list: ["project=prj_a"]'),
);

const limit = v.pipe(
  v.string(),
  v.regex(/^(?:[1-9][0-9]{0,2}|1000)$/, wording('', 'write a number from 1 to 1000')),
  v.transform(Number),
  v.description('How many at most, 1 to 1000.'),
);

/** Of every list. */
export const paging = {
  limit: v.optional(limit, '100'),
  after: v.optional(said('The `next` of the page before.')),
};

/** Of every answer to a change: there where nothing was changed, for it was only asked. */
export const dryRun = { dry_run: v.optional(v.literal(true)) };

export const nothingSaid = v.object({});
