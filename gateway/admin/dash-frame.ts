/** The frame every page stands in: head, navigation, who is signed in. */
import { html } from 'hono/html';
import type { DashOperator, Html } from './dash-page.ts';
import { hiddenForm } from './dash-parts.ts';
import { sections } from './dash-sections.ts';

export type Seat = {
  readonly operator: DashOperator;
  readonly formToken: string;
  /** The path of the page. */
  readonly path: string;
  /** How many alerts are open, in words: `3`, `99+`; null: none. Asked only for whoever may see alerts. */
  readonly openAlerts: () => Promise<string | null>;
};

export type Frame = {
  readonly title: string;
  readonly body: Html;
  /** null: nobody is signed in. */
  readonly seat: Seat | null;
};

/** A gate with a small one in its side. */
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230f6b62'/%3E%3Cpath d='M8 26V13a8 8 0 0 1 16 0v13h-5v-8a3 3 0 0 0-6 0v8z' fill='%23fff'/%3E%3C/svg%3E";

export async function framed({ title, body, seat }: Frame): Promise<string> {
  const alerts = seat?.operator.scopes.includes('alerts:read') ? await seat.openAlerts() : null;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Postern</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="/dash.css">
<script src="/dash.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${seat === null ? '' : top(seat, alerts)}
<main id="main" tabindex="-1"${seat === null ? html` class="alone"` : ''}>
${body}
</main>
</body>
</html>
`;
  return String(await page);
}

/** On a phone the sections are behind the menu, which opens without script: it hides the list that follows it. */
function top({ operator, formToken, path }: Seat, alerts: string | null): Html {
  const seen = sections.filter(({ scope }) => scope === null || operator.scopes.includes(scope));
  const isHere = (section: string) => path === section || path.startsWith(`${section}/`);
  const here = seen.find((one) => isHere(one.path));
  const open = (words: string) =>
    alerts === null ? '' : html` <span class="count">${alerts}<span class="unseen"> ${words}</span></span>`;
  return html`<header class="top">
<a class="brand" href="/"><img src="${icon}" alt="" width="24" height="24"><span>Postern</span></a>
<nav aria-label="Main"><details class="menu"><summary>${here === undefined ? 'Menu' : html`<span class="unseen">Menu, at</span> ${here.title}`}${open('open alerts')}</summary></details>
<ul>${seen.map(
    (one) =>
      html`<li><a href="${one.path}"${isHere(one.path) ? html` aria-current="page"` : ''}>${one.title}${
        one.path === '/alerts' ? open('open') : ''
      }</a></li>`,
  )}</ul></nav>
<form class="who" method="post" action="/sign-out">${hiddenForm(formToken)}<span class="name">${operator.name}</span>
<button class="quiet" type="submit">Sign out</button></form>
</header>`;
}
