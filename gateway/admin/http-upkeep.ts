/** The routes that judge the audit's chain, and that purge. */
import * as v from 'valibot';
import { dryRun, lasting, nothingSaid, said, time } from './http-fields.ts';
import { route } from './http-route.ts';
import { headOf, purgeAudit, purgeBeforeDefault, purgeTokens, verifyAudit } from './operations-upkeep.ts';
import { flawCodes, purgedView, verdictView } from './upkeep-view.ts';

const purged = v.strictObject({
  before: time,
  purged: v.pipe(v.number(), v.description('How many went.')),
  ...dryRun,
});

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

const purges = [
  ['audit', 'purgeAudit', 'audit:write', 'Remove the oldest rows; the chain goes on from there.', purgeAudit],
  ['tokens', 'purgeTokens', 'tokens:write', 'Remove tokens that ended long ago, for good.', purgeTokens],
] as const;

const purge = purges.map(([what, name, scope, summary, operation]) =>
  route({
    method: 'POST',
    path: `/v1/${what}/purge`,
    name,
    summary,
    scope,
    query: nothingSaid,
    body: v.object({
      before: v.optional(
        lasting('How long ago they ended, or were written; 1d at least.', purgeBeforeDefault),
        purgeBeforeDefault,
      ),
    }),
    status: 200,
    answer: purged,
    changes: true,
    once: null,
    async handle({ desk, body }) {
      const done = await operation(desk, body.before);
      return done.ok ? { ok: true, value: purgedView(done.value) } : done;
    },
  }),
);

export const upkeepRoutes = [verify, ...purge];
