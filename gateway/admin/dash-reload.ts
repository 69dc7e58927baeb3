/** The page that has the gateway take its config anew: it says first what would become of it, and what was shown is what is taken. */
import { html } from 'hono/html';
import type { Problem } from '../config/problems.ts';
import type { NotTaken, Reloaded, Taken } from '../reload.ts';
import type { DashPage, Html, Shown, Told, Visit } from './dash-page.ts';
import { hidden, hiddenForm, notice } from './dash-parts.ts';
import { Refused } from './http-problem.ts';
import { reloadConfig } from './operations-reload.ts';

const path = '/config/reload';

export const reloadPages: readonly DashPage[] = [
  { method: 'GET', path, scope: 'config:write', handle: look },
  { method: 'POST', path, scope: 'config:write', handle: reload },
];

async function look(visit: Visit): Promise<Told> {
  const outcome = await reloadConfig(visit.desk, visit.reload(true), null);
  return outcome.kind === 'taken' ? confirmPage(visit, outcome) : notTakenPage(outcome, 200);
}

async function reload(visit: Visit): Promise<Told> {
  const outcome = await reloadConfig(visit.desk, visit.reload(false), shownVersion(visit));
  return outcome.kind === 'taken' ? { goTo: '/matrix?done=reloaded' } : notTakenPage(outcome, 422);
}

/** Whole: of a shorter one, whoever writes the file could make two that begin alike. @throws Refused */
function shownVersion({ form }: Visit): string {
  const text = form.get('version') ?? '';
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new Refused({ code: 'payload_invalid', detail: 'This form is not whole.', hint: 'open it again' });
}

function confirmPage({ formToken }: Visit, { file, before, version, sha256, warnings }: Taken): Shown {
  const words =
    version === before
      ? html`<p>The file is the one that is in force. What it refers to, such as keys, is read again.</p>`
      : html`<p>The file is good, as <code>${version}</code>. From the next request on it decides.</p>`;
  const content = html`<p class="lead"><code>${file}</code> is taken anew, whole or not at all, as it is now. In force is <code>${before}</code>.</p>
${notice('plain', words)}${warnings.length === 0 ? '' : html`<h2>Warnings</h2>${list(warnings)}`}
<form method="post" action="${path}">
${hiddenForm(formToken)}${hidden('version', sha256)}
<div class="actions"><button class="main" type="submit">Reload</button>${cancel}</div>
</form>`;
  return page('Reload the config?', content, 200);
}

const cancel = html`<a class="button quiet" href="/matrix">Cancel</a>`;
/** There is nothing to send: of what was not shown, nothing is taken. */
const again = html`<div class="actions"><a class="button main" href="${path}">Look again</a>${cancel}</div>`;

function notTakenPage(outcome: Exclude<Reloaded, Taken>, status: 200 | 422): Shown {
  return outcome.kind === 'refused' ? refusedPage(outcome, status) : changedPage(outcome.before);
}

function refusedPage({ file, before, problems }: NotTaken, status: 200 | 422): Shown {
  const words =
    status === 200
      ? 'would be refused, and the one before would stay'
      : 'was refused, and the one before stays';
  const content = html`<p class="lead"><code>${file}</code> is taken whole or not at all. In force is <code>${before}</code>.</p>
${notice('bad', html`<p>The file ${words} in force.</p>`)}${list(problems)}
${again}`;
  return page('Reload the config?', content, status);
}

function changedPage(before: string): Shown {
  const content = html`${notice('bad', html`<p>It is not the one that you were shown, so nothing was taken. <code>${before}</code> stays in force.</p>`)}
${again}`;
  return page('The file has changed since', content, 409);
}

function page(title: string, content: Html, status: number): Shown {
  return {
    title: 'Reload the config',
    body: html`<div class="narrow"><h1>${title}</h1>${content}</div>`,
    status,
  };
}

function list(problems: readonly Problem[]): Html {
  return html`<ul class="wrongs">${problems.map(
    ({ path: where, line, column, message, hint }) =>
      html`<li><strong>${line}:${column}${where === '' ? '' : html` <code>${where}</code>`}</strong> <span class="reason">${message}; ${hint}</span></li>`,
  )}</ul>`;
}
