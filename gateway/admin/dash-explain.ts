/** The page that answers "why?": a request as somebody writes it, and what the gate would make of it. */
import { type Checked, complain } from '../../policy/token-input.ts';
import { explain } from '../explain.ts';
import type { Rehearsal } from '../rehearsal.ts';
import { addressOf, type Case, caseOfForm, caseOfQuery, isTokenId } from './dash-explain-case.ts';
import { explainPage } from './dash-explain-form.ts';
import type { DashPage, Told, Visit } from './dash-page.ts';
import { may } from './dash-page.ts';
import { explainWithToken } from './operations-explain.ts';

export const explainPages: readonly DashPage[] = [
  { method: 'GET', path: '/explain', scope: 'config:read', handle: shown },
  { method: 'POST', path: '/explain', scope: 'config:read', handle: sent },
];

async function shown(visit: Visit): Promise<Told> {
  const asked = caseOfQuery(visit.query);
  if (asked.path === '') return explainPage(visit, asked, null);
  return explainPage(visit, asked, await answerTo(visit, asked));
}

/** A case that can be sent on gets an address; others are answered as they come. */
async function sent(visit: Visit): Promise<Told> {
  const asked = caseOfForm(visit.form);
  const answer = await answerTo(visit, asked);
  const address = answer.ok ? addressOf(asked, visit.config.policy) : null;
  return address === null ? explainPage(visit, asked, answer) : { goTo: address };
}

/** @throws StoreFault */
async function answerTo(visit: Visit, asked: Case): Promise<Checked<Rehearsal>> {
  const { config, desk } = visit;
  const { method, path: target, headers, body, pinned, from, who } = asked;
  if (target === '') return complain('no path', null, 'write one as on the wire: /v1/events?limit=10');
  const nth = nthOf(asked.nth);
  if (!nth.ok) return nth;
  const question = {
    method,
    target,
    headers: [...headersOf(asked), ...headers],
    body: body === '' ? null : new TextEncoder().encode(body),
    pinned,
    from: from === '' ? null : from,
    nth: nth.value,
  };
  if (who.kind === 'token') {
    const { id } = who;
    if (!may(visit, 'tokens:read')) {
      return complain('you may not read tokens', null, 'choose a type, with scopes, instead', 'forbidden');
    }
    if (!isTokenId(id)) {
      return complain('not the id of a token', null, 'it starts with tok_; never paste the token itself');
    }
    const readPins = may(visit, 'pins:read');
    return explainWithToken(desk, config.policy, { ...question, id, readPins }, config.triggerKeys);
  }
  const made =
    who.kind === 'type'
      ? { as: spelled(who.type, who.scopes), attributes: who.attributes, origins: who.origins }
      : { as: null, attributes: [], origins: [] };
  return explain(config.policy, { ...question, ...made }, config.triggerKeys);
}

function spelled(type: string, scopes: readonly string[]): string {
  return scopes.length === 0 ? type : `${type}:${scopes.join('+')}`;
}

function headersOf({ host, origin }: Case): readonly string[] {
  return [...(host === '' ? [] : [`Host: ${host}`]), ...(origin === '' ? [] : [`Origin: ${origin}`])];
}

/** null: limits are free. */
function nthOf(text: string): Checked<number | null> {
  if (text === '') return { ok: true, value: null };
  if (/^[1-9][0-9]{0,8}$/.test(text)) return { ok: true, value: Number(text) };
  return complain('not how manieth a request is', text, 'write a whole number from 1, or nothing');
}
