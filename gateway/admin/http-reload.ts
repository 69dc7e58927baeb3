/** The route that has the gateway take its config anew. */
import * as v from 'valibot';
import { dryRun, nothingSaid } from './http-fields.ts';
import { Refused } from './http-problem.ts';
import { route } from './http-route.ts';
import { reloadConfig } from './operations-reload.ts';

/** One mistake in a config; line and column are 1-based. */
export const problemView = v.strictObject({
  file: v.string(),
  path: v.string(),
  line: v.number(),
  column: v.number(),
  message: v.string(),
  hint: v.string(),
});

const reload = route({
  method: 'POST',
  path: '/v1/config/reload',
  name: 'reloadConfig',
  summary: 'Take the config file anew: whole, or not at all, with every problem.',
  scope: 'config:write',
  query: nothingSaid,
  body: nothingSaid,
  status: 200,
  answer: v.strictObject({
    file: v.string(),
    version: v.pipe(v.string(), v.description('Of the config that is in force now.')),
    before: v.pipe(v.string(), v.description('Of the one that was; the same where the text is.')),
    warnings: v.array(problemView),
    ...dryRun,
  }),
  changes: true,
  once: null,
  async handle({ desk, reload: take }) {
    const outcome = await reloadConfig(desk, take);
    if (!outcome.ok) throw new Refused({ code: 'config_refused', problems: outcome.problems });
    const { file, version, before, warnings } = outcome;
    return { ok: true, value: { file, version, before, warnings } };
  },
});

export const reloadRoutes = [reload];
