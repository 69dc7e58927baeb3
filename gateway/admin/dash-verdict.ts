/** What came of a made-up request: the verdict, then how it came about. */
import { html } from 'hono/html';
import type { Rehearsal, Step } from '../rehearsal.ts';
import type { Html, Visit } from './dash-page.ts';
import { copyButton } from './dash-parts.ts';
import { matrixOf } from './matrix.ts';

/** @param address where this very case is found again; null: nowhere. */
export function verdict({ config }: Visit, rehearsal: Rehearsal, address: string | null): Html {
  const { outcome, row, steps } = rehearsal;
  const refusedAt = steps.find(({ ok }) => !ok) ?? null;
  return html`<div class="came">
<section aria-labelledby="verdict" class="verdict ${outcome}" role="status">
<h2 id="verdict">${headline(rehearsal)}</h2>
<p>${reasonFor(rehearsal, refusedAt)}</p>
${row === null ? '' : html`<p class="hint">Row <code>${row}</code></p>`}
<p class="change"><a href="#request">Change the request</a></p>
</section>
<section aria-labelledby="steps" class="card"><h2 id="steps">Step by step</h2>
<ol class="steps">${steps.map(stepOf)}</ol></section>
${isCounted(steps) ? limitsOf(rehearsal, config.policy) : ''}
${outcome === 'forward' ? identityOf(rehearsal) : ''}
${shared(address)}
</div>`;
}

function headline({ outcome, status, code, upstream }: Rehearsal): Html {
  switch (outcome) {
    case 'forward':
      return html`Forwarded to <strong>${upstream}</strong>`;
    case 'serve':
      return html`Answered here: <strong>${status}</strong>`;
    case 'refuse':
      return html`Refused: <strong>${status}</strong> <code>${code}</code>`;
  }
}

function reasonFor({ outcome }: Rehearsal, refusedAt: Step | null): string {
  if (refusedAt !== null) return capital(refusedAt.detail);
  if (outcome === 'serve') return 'Postern does it itself, and asks no upstream for the answer.';
  return 'Nothing is against it. What the upstream answers is its own.';
}

/** As a sentence; what begins with a name or an id keeps its spelling. */
function capital(text: string): string {
  const first = /^[a-z]+(?= )/.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${first}${text.slice(1)}.`;
}

function stepOf({ step, ok, detail }: Step): Html {
  return html`<li class="step ${ok ? 'yes' : 'no'}"><span class="mark" aria-hidden="true">${ok ? '✓' : '✕'}</span><span><strong class="step-name">${step}</strong><span class="unseen">${ok ? ', passed' : ', refused'}: </span> <span class="detail">${detail}</span></span></li>`;
}

/** Limits are counted before the body is read, so what is refused after that has counted too. */
function isCounted(steps: readonly Step[]): boolean {
  return steps.some(({ step, ok }) => step === 'limits' && ok);
}

/** What was asked of the limits is what the row names. */
function limitsOf({ row }: Rehearsal, policy: Visit['config']['policy']): Html {
  const limits = matrixOf(policy).rows.find((one) => one.row === row)?.limits ?? [];
  return html`<section aria-labelledby="limits" class="card"><h2 id="limits">Limits it would count against</h2>
${limits.length === 0 ? html`<p class="hint">None.</p>` : html`<ul class="plain-list">${limits.map((one) => html`<li><code>${one}</code></li>`)}</ul>`}</section>`;
}

function identityOf({ identity }: Rehearsal): Html {
  const fields = Object.entries(identity);
  return html`<section aria-labelledby="identity" class="card"><h2 id="identity">What the upstream is told</h2>
${
  fields.length === 0
    ? html`<p class="hint">Nothing: the config names no identity headers for it.</p>`
    : html`<dl class="pairs">${fields.map(([name, value]) => html`<div><dt><code>${name}</code></dt><dd><code>${value}</code></dd></div>`)}</dl>`
}</section>`;
}

function shared(address: string | null): Html {
  if (address === null) {
    return html`<p class="hint">This case has no address: it has a body, or what may be a credential, or is too long for one.</p>`;
  }
  return html`<section aria-labelledby="send" class="card"><h2 id="send">Send it on</h2>
<div class="copyable"><code id="case" class="whole">${address}</code>${copyButton('case', 'the address')}</div></section>`;
}
