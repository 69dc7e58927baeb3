/** On the page of a token whose overlap runs: when it ends by itself, in words. */
import { html } from 'hono/html';
import type { TokenRecord } from '../../policy/token-types.ts';
import type { Html, Visit } from './dash-page.ts';
import { ago, time } from './dash-parts.ts';
import { type PendingEnd, pendingEnd } from './operations-pending.ts';

/** '': it has none, or that is over. @throws StoreFault */
export async function endingSection({ desk }: Visit, record: TokenRecord): Promise<Html | string> {
  const pending = await pendingEnd(desk, record);
  if (pending === null) return '';
  const { endsAt, whenQuiet } = pending;
  const now = desk.now();
  const successor =
    record.rotatedTo === null
      ? ''
      : html` <a href="/tokens/${record.rotatedTo}">Its successor</a> takes its place.`;
  return html`<section aria-labelledby="ending" class="card wait">
${
  whenQuiet === null
    ? html`<h2 id="ending">It ends ${when(endsAt, now)}</h2>
<p>From then on requests with it are refused, whether somebody still needs it or not.${successor}</p>`
    : html`<h2 id="ending">It ends by itself, as soon as nobody needs it</h2>
<p>That is once its successor is in use, and it was not used itself for 25 hours. ${early(pending, now)}</p>
<p>At the latest it ends ${when(endsAt, now)}, whether somebody still needs it or not.${successor}</p>
<p class="hint">Asked for ${when(whenQuiet.askedAt, now)} by <code>${whenQuiet.askedBy}</code>.</p>`
}
</section>`;
}

function early({ endsAt, whenQuiet }: PendingEnd, now: number): Html | string {
  if (whenQuiet === null) return '';
  const { quietAt: at, verdict } = whenQuiet;
  if (at === null) return `As yet it stays: ${verdict.because}.`;
  if (at >= endsAt) return 'Its time is over before that.';
  if (at <= now) return 'That is so now: a gateway that runs ends it within a minute.';
  return html`If nobody uses it again, that is ${when(at, now)}.`;
}

function when(at: number, now: number): Html {
  const iso = new Date(at).toISOString();
  return html`${time(iso, '')} (${ago(iso, now, '')})`;
}
