/** A row that Postern answers itself: the upstream is asked where the row says so, then it is done, then answered. */
import type { Serving } from '../policy/serve-types.ts';
import { lostStanding } from '../policy/standing.ts';
import type { Denial, Outcome, Permit } from '../policy/types.ts';
import type { Answer } from './answer.ts';
import type { LoadedConfig } from './config/load.ts';
import { confirm } from './confirm.ts';
import { isGone } from './connection.ts';
import type { Gate, Visit } from './gate.ts';
import type { Site } from './site.ts';
import type { Ruling } from './walk.ts';

/** What an operation came to: JSON, which may hold a new token or a trigger and goes nowhere but to the caller. */
export type Operated = { readonly status: 200 | 201; readonly body: Readonly<Record<string, unknown>> };

/** Does what a row serves; made by main from the operators' own operations. @throws StoreFault */
export type Operate = (
  config: Pick<LoadedConfig, 'policy' | 'triggerSigners'>,
  permit: Permit,
  serving: Serving,
) => Promise<Outcome<Operated>>;

/** How long a caller may stand still in a body that no upstream waits for. */
export const servedIdleMs = 10_000;

/**
 * Resolves when what was asked is durable. null: the caller left before it was done, and nothing was.
 *
 * @throws StoreFault; UpstreamFault where the upstream cannot be asked
 */
export async function serveRow(
  { permit, serving }: Extract<Ruling, { kind: 'serve' }>,
  visit: Visit,
  site: Site,
  gate: Pick<Gate, 'tokens' | 'operate' | 'now' | 'site'>,
): Promise<Outcome<Answer> | null> {
  if (isGone(visit.res)) return null;
  if (permit.token !== null) gate.tokens.touch(permit.token.id, gate.now());
  const confirmed = await confirm(permit, serving, visit, site);
  if (!confirmed.ok) return confirmed;
  const lost = serving.confirmPath === null ? null : await lostMeanwhile(permit, gate);
  if (lost !== null) return { ok: false, denial: lost };
  if (isGone(visit.res)) return null;
  const done = await gate.operate(site.config, permit, confirmed.value);
  return done.ok ? { ok: true, value: answerOf(done.value, permit.facts.requestId) } : done;
}

/** The upstream may take its time to say yes: a token that died while it was asked makes no other. null: it stands. */
async function lostMeanwhile(
  { token }: Permit,
  { tokens, site, now }: Pick<Gate, 'tokens' | 'now' | 'site'>,
): Promise<Denial | null> {
  if (token === null) return null;
  const [record] = await tokens.byIds([token.id]);
  return lostStanding(site().policy, record, now());
}

/** RFC 9111 §5.2.2.5: an answer with a token in it is kept nowhere. */
function answerOf({ status, body }: Operated, requestId: string): Answer {
  return {
    status,
    fields: [
      ['Content-Type', 'application/json'],
      ['Cache-Control', 'no-store'],
      ['X-Request-Id', requestId],
    ],
    body: `${JSON.stringify(body)}\n`,
  };
}
