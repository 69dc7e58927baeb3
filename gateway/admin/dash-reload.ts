/** The page that has the gateway take its config anew: it says first what would become of it. */
import { html } from 'hono/html';
import type { Problem } from '../config/problems.ts';
import type { Reloaded } from '../reload.ts';
import type { DashPage, Html, Shown, Told, Visit } from './dash-page.ts';
import { hiddenForm, notice } from './dash-parts.ts';
import { reloadConfig } from './operations-reload.ts';

const path = '/config/reload';

export const reloadPages: readonly DashPage[] = [
  { method: 'GET', path, scope: 'config:write', handle: look },
  { method: 'POST', path, scope: 'config:write', handle: reload },
];

async function look(visit: Visit): Promise<Told> {
  return page(visit, await reloadConfig(visit.desk, visit.reload(true)), 200);
}

async function reload(visit: Visit): Promise<Told> {
  const outcome = await reloadConfig(visit.desk, visit.reload(false));
  return outcome.ok ? { goTo: '/matrix?done=reloaded' } : page(visit, outcome, 422);
}

function page({ formToken }: Visit, outcome: Reloaded, status: number): Shown {
  const { file, before } = outcome;
  const body = html`<div class="narrow">
<h1>Reload the config?</h1>
<p class="lead"><code>${file}</code> is taken anew, whole or not at all. In force is <code>${before}</code>.</p>
${outcome.ok ? taken(outcome) : refused(outcome.problems, status)}
<form method="post" action="${path}">
${hiddenForm(formToken)}
<div class="actions"><button class="main" type="submit">${outcome.ok ? 'Reload' : 'Try again'}</button><a class="button quiet" href="/matrix">Cancel</a></div>
</form></div>`;
  return { title: 'Reload the config', body, status };
}

function taken({ version, before, warnings }: Reloaded & { readonly ok: true }): Html {
  const words =
    version === before
      ? html`<p>The file is the one that is in force. What it refers to, such as keys, is read again.</p>`
      : html`<p>The file is good, as <code>${version}</code>. From the next request on it decides.</p>`;
  return html`${notice('plain', words)}${warnings.length === 0 ? '' : html`<h2>Warnings</h2>${list(warnings)}`}`;
}

function refused(problems: readonly Problem[], status: number): Html {
  const words =
    status === 200
      ? 'would be refused, and the one before would stay'
      : 'was refused, and the one before stays';
  return html`${notice('bad', html`<p>The file ${words} in force.</p>`)}${list(problems)}`;
}

function list(problems: readonly Problem[]): Html {
  return html`<ul class="wrongs">${problems.map(
    ({ path: where, line, column, message, hint }) =>
      html`<li><strong>${line}:${column}${where === '' ? '' : html` <code>${where}</code>`}</strong> <span class="reason">${message}; ${hint}</span></li>`,
  )}</ul>`;
}
