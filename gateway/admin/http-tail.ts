/** The route of the live tail: what is asked for is checked here, what is sent then is tail-readers.ts. */
import * as v from 'valibot';
import { text, wording } from '../../policy/config-fields.ts';
import { type Checked, complainOf, ofField } from '../../policy/token-input.ts';
import { said, textOrNull, texts, time } from './http-fields.ts';
import type { Problem } from './http-problem.ts';
import { route } from './http-route.ts';
import { type Desk, showToken } from './operations.ts';
import { parseStatus, type StatusRange, type TailFilter } from './tail-filter.ts';

export const tailsFull: Problem = {
  code: 'tails_full',
  hint: 'end one of the others, or read the access log',
};

const yesOrNo = v.pipe(
  v.picklist(['true', 'false'], wording('', 'write true or false')),
  v.transform((word) => word === 'true'),
  v.description('true: only what was refused.'),
);

const decisionSchema = v.strictObject({
  at: time,
  request_id: v.string(),
  method: v.string(),
  row: textOrNull,
  status: v.number(),
  code: textOrNull,
  reason: textOrNull,
  token_id: textOrNull,
  type: textOrNull,
  address: v.string(),
  duration_ms: v.number(),
  aborted: v.boolean(),
  monitored: texts,
});

const tail = route({
  method: 'GET',
  path: '/v1/tail',
  name: 'tail',
  summary:
    'Decisions of this gateway as they are made, as Server-Sent Events: `decision` as below; `lost` with {"lost": how many}, where they were too many or taken too slowly; `end` when the gateway stops.',
  scope: 'tail:read',
  query: v.object({
    token: v.optional(said('Of this token only, tok_….')),
    row: v.optional(said('Of this row only, by its id: main GET /items.')),
    refusals: v.optional(yesOrNo, 'false'),
    status: v.optional(text('Of this status only, or of a class: 4xx.', parseStatus, ['403'])),
  }),
  body: null,
  status: 200,
  answer: decisionSchema,
  media: 'text/event-stream',
  changes: false,
  once: null,
  async handle({ desk, query, listen }) {
    const filter = await filterOf(desk, query);
    if (!filter.ok) return filter;
    listen(filter.value);
    return { ok: true, value: {} };
  },
});

export type TailAsked = {
  readonly token?: string | undefined;
  readonly row?: string | null | undefined;
  readonly refusals: boolean;
  readonly status?: StatusRange | null | undefined;
};

/** Whom nobody knows would never be heard of, and look as if all were quiet. */
export async function filterOf(
  desk: Desk,
  { token, row = null, refusals: onlyRefusals, status = null }: TailAsked,
): Promise<Checked<TailFilter>> {
  const record = token === undefined ? null : ofField('token', await showToken(desk, token));
  if (record?.ok === false) return record;
  if (row !== null && !desk.policy.routes.some(({ id }) => id === row)) {
    return complainOf('row', 'no row has this id', null, 'find it with postern matrix', 'unknown');
  }
  return { ok: true, value: { tokenId: record?.value.id ?? null, row, onlyRefusals, status } };
}

export const tailRoutes = [tail];
