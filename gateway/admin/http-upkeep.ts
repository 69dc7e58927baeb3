/** The routes that judge the audit's chain, and that purge. */
import * as v from 'valibot';
import { dryRun, lasting, nothingSaid, said, time } from './http-fields.ts';
import { route } from './http-route.ts';
import { headOf, purgeAudit, purgeBeforeDefault, purgeTokens, verifyAudit } from './operations-upkeep.ts';
import { flawCodes, purgedTokensView, purgedView, verdictView } from './upkeep-view.ts';

const purged = {
  before: time,
  purged: v.pipe(v.number(), v.description('How many went.')),
};

const leftOut = v.pipe(
  v.strictObject({
    alike: v.pipe(
      v.number(),
      v.description('Another token may be the same one under another hash, and would stand for it.'),
    ),
    peppered: v.pipe(v.number(), v.description('The hash.pepper of their type lists more than one way.')),
  }),
  v.description('How many ended as long ago, and stay.'),
);

const place = v.nullable(v.strictObject({ seq: v.number(), at: time }));

const verify = route({
  method: 'GET',
  path: '/v1/audit/verify',
  name: 'verifyAudit',
  summary: 'Whether rows of the audit are still as they were written.',
  scope: 'audit:read',
  query: v.object({ head: v.optional(said('SEQ:MAC, a head that the log told: it must be in the chain.')) }),
  body: null,
  status: 200,
  answer: v.strictObject({
    ok: v.boolean(),
    rows: v.number(),
    first: place,
    begun: place,
    head: v.nullable(v.strictObject({ seq: v.number(), mac: v.string() })),
    unsealed: v.number(),
    flaw: v.nullable(
      v.strictObject({
        code: v.picklist(flawCodes),
        seq: v.nullable(v.number()),
        id: v.nullable(v.string()),
        message: v.string(),
      }),
    ),
  }),
  changes: false,
  once: null,
  async handle({ desk, query: { head: noted } }) {
    const head = noted === undefined ? null : headOf(noted);
    if (head?.ok === false) return head;
    return { ok: true, value: verdictView(await verifyAudit(desk, head?.value ?? null)) };
  },
});

const before = v.optional(
  lasting('How long ago they ended, or were written; 1d at least.', purgeBeforeDefault),
  purgeBeforeDefault,
);

/** What both purges have in common. */
const purge = {
  method: 'POST',
  query: nothingSaid,
  body: v.object({ before }),
  status: 200,
  changes: true,
  once: null,
} as const;

const ofAudit = route({
  ...purge,
  path: '/v1/audit/purge',
  name: 'purgeAudit',
  summary: 'Remove the oldest rows; the chain goes on from there.',
  scope: 'audit:write',
  answer: v.strictObject({ ...purged, ...dryRun }),
  async handle({ desk, body }) {
    const done = await purgeAudit(desk, body.before);
    return done.ok ? { ok: true, value: purgedView(done.value) } : done;
  },
});

const ofTokens = route({
  ...purge,
  path: '/v1/tokens/purge',
  name: 'purgeTokens',
  summary: 'Remove tokens that ended long ago, for good.',
  scope: 'tokens:write',
  answer: v.strictObject({ ...purged, left_out: leftOut, ...dryRun }),
  async handle({ desk, body }) {
    const done = await purgeTokens(desk, body.before);
    return done.ok ? { ok: true, value: purgedTokensView(done.value) } : done;
  },
});

export const upkeepRoutes = [verify, ofAudit, ofTokens];
