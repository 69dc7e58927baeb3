/** What lists have in common: a way to what is older or newer, and words where nothing is in them. */
import { html } from 'hono/html';
import type { Html } from './dash-page.ts';

/** Where a page of a list is: its path, and what is looked for; '' is left out. */
export type Place = { readonly path: string; readonly filter: Readonly<Record<string, string>> };

export function isFiltered({ filter }: Place): boolean {
  return Object.values(filter).some((one) => one !== '');
}

export function pathTo(path: string, query: Readonly<Record<string, string>>): string {
  const said = Object.entries(query).filter(([, value]) => value !== '');
  return said.length === 0 ? path : `${path}?${new URLSearchParams(said)}`;
}

export type Ways = {
  /** null: this is the last page. */
  readonly next: string | null;
  readonly isLater: boolean;
  /** What the first page and the next one are called. */
  readonly words: readonly [first: string, next: string];
};

export function pager({ path, filter }: Place, { next, isLater, words: [first, on] }: Ways): Html {
  if (next === null && !isLater) return html``;
  return html`<nav class="pager" aria-label="Pages">${
    isLater ? html`<a class="button plain" href="${pathTo(path, filter)}">${first}</a>` : ''
  }${
    next === null
      ? ''
      : html`<a class="button plain" href="${pathTo(path, { ...filter, after: next })}" rel="next">${on}</a>`
  }</nav>`;
}
