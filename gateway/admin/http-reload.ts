/** The route that has the gateway take its config anew. */
import * as v from 'valibot';
import { wording } from '../../policy/config-fields.ts';
import { complainOf } from '../../policy/token-input.ts';
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

const versionHint = wording('', 'send the version or the sha256 that a dry run has told');

const changedSince = complainOf(
  'if_version',
  'the config file is not the one that was asked for, and nothing was taken',
  null,
  'see what it is now: ask for a dry run',
  'stale',
);

const reload = route({
  method: 'POST',
  path: '/v1/config/reload',
  name: 'reloadConfig',
  summary: 'Take the config file anew: whole, or not at all, with every problem.',
  scope: 'config:write',
  query: nothingSaid,
  body: v.object({
    if_version: v.optional(
      v.pipe(
        v.string(versionHint),
        v.regex(/^[0-9a-f]{12,64}$/, versionHint),
        v.description(
          'How the SHA-256 of the file begins, as far as whoever asks wants to be sure: its `version`, or all of `sha256`. It is taken only if it still does, else 412. Left out: whatever it is.',
        ),
      ),
    ),
  }),
  status: 200,
  answer: v.strictObject({
    file: v.string(),
    version: v.pipe(v.string(), v.description('Of the config that is in force now.')),
    sha256: v.pipe(v.string(), v.description("Of the file's text; `version` is how it begins.")),
    before: v.pipe(v.string(), v.description('Of the one that was; the same where the text is.')),
    warnings: v.array(problemView),
    ...dryRun,
  }),
  changes: true,
  once: null,
  async handle({ desk, reload: take, body: { if_version: ifVersion = null } }) {
    const outcome = await reloadConfig(desk, take, ifVersion);
    if (outcome.kind === 'changed') return changedSince;
    if (outcome.kind === 'refused') throw new Refused({ code: 'config_refused', problems: outcome.problems });
    const { file, version, sha256, before, warnings } = outcome;
    return { ok: true, value: { file, version, sha256, before, warnings } };
  },
});

export const reloadRoutes = [reload];
