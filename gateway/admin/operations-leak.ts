/** What is done about tokens that somebody found in public: the operators' own operations, each audited, each told. */
import { withAdminType } from '../../policy/admin-type.ts';
import { type LeakRule, leakSteps } from '../../policy/leak-response.ts';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { NewAlert } from '../../store/alert-store.ts';
import type { AuditStore } from '../../store/audit-store.ts';
import type { AnswerLeaks, LeakedToken } from '../leak-door.ts';
import { type Desk, revokeToken } from './operations.ts';
import { disableToken } from './operations-life.ts';
import { recordOfText } from './operations-token-text.ts';

/** Who does it, in the record and the audit. */
export const leakActor = 'leak-report';

export type LeakRooms = Omit<Desk, 'policy' | 'triggerSigners' | 'by' | 'holds'> & {
  /** Keeps an alert and has it sent. @throws StoreFault */
  readonly tell: (alert: NewAlert) => Promise<unknown>;
};

const placesShown = 5;
const placeCharsMax = 500;
const auditAtOnce = 1000;
const hidden = '[token]';

export function answerLeaks(rooms: LeakRooms): AnswerLeaks {
  return async ({ policy, triggerSigners }, { respond, otherwise }, tokens) => {
    const everything = withAdminType(policy);
    const desk = { ...rooms, policy: everything, triggerSigners, by: leakActor, holds: null };
    const ours: boolean[] = [];
    const reported = new Set(tokens.map(({ plaintext }) => plaintext));
    for (const token of tokens) {
      const record = await recordOfText(desk, token.plaintext);
      ours.push(record !== null);
      if (record === null) continue;
      const shown = token.places.slice(0, placesShown).map((place) => withoutTokens(place, token, reported));
      await settle(desk, rooms.tell, record, { ...token, shown }, respond.get(record.type) ?? otherwise);
    }
    return ours;
  };
}

/** First what ends it, then what tells of it: a report that broke off in between is finished by the next. */
async function settle(
  desk: Desk,
  tell: LeakRooms['tell'],
  record: TokenRecord,
  leaked: LeakedToken & { readonly shown: LeakedToken['places'] },
  respond: LeakRule['respond'],
): Promise<void> {
  const { places, shown, digest } = leaked;
  const [first = { url: '', source: '' }] = shown;
  const isTold = await wasTold(desk.audit, record.id, digest);
  const [step] = leakSteps([{ record, ...first }], { respond }, desk.now());
  // Whoever enabled it after this very report has decided.
  if (step?.do === 'disable' && !isTold) await disableToken(desk, record.id);
  if (step?.do === 'revoke') await revokeToken(desk, record.id, step.reason);
  if (isTold) return;
  const now = await desk.tokens.byId(record.id);
  await tell({
    kind: 'leak.reported',
    subject: record.id,
    tokenId: record.id,
    detail: {
      type: record.type,
      respond,
      state: stateOf(now ?? record),
      places: shown.map(({ source, url }) => `${source} ${url}`.trim().slice(0, placeCharsMax)),
      ...(places.length > shown.length ? { more: places.length - shown.length } : {}),
      report: digest,
    },
    // Once for each report, and a report is told once for ever.
    quietMs: 0,
  });
}

/** An address may hold the very token that was found there, or another of the report: neither is kept. */
function withoutTokens(
  { url, source }: LeakedToken['places'][number],
  { plaintext }: LeakedToken,
  reported: ReadonlySet<string>,
): LeakedToken['places'][number] {
  const hide = (text: string): string => {
    const bare = text.replaceAll(plaintext, hidden).replaceAll(encodeURIComponent(plaintext), hidden);
    const words = bare.split(/([^A-Za-z0-9_|-]+)/);
    return words.map((word) => (reported.has(word) ? hidden : word)).join('');
  };
  return { url: hide(url), source: hide(source) };
}

function stateOf({ revokedAt, disabledAt, canary }: TokenRecord): string {
  if (revokedAt !== null) return 'revoked';
  if (canary === true) return 'canary';
  return disabledAt === null ? 'untouched' : 'disabled';
}

async function wasTold(audit: AuditStore, subject: string, report: string): Promise<boolean> {
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<AuditStore['list']>> = await audit.list({
      subject,
      after,
      limit: auditAtOnce,
    });
    if (page.entries.some(({ action, detail }) => action === 'alert.raised' && detail.report === report))
      return true;
    if (page.next === null) return false;
    after = page.next;
  }
}
