/**
 * One way to ask for an operation, wherever it is done: the route of the admin API is called right here on a desk of the
 * store's, or over HTTP. Either way the words go in alike, and the same answer or complaint comes out.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withAdminType } from '../../policy/admin-type.ts';
import { type Checked, complain } from '../../policy/token-input.ts';
import type { Policy } from '../../policy/types.ts';
import { formatDuration } from '../../policy/units.ts';
import type { Need } from '../config/load.ts';
import { storeName } from '../config/store-settings.ts';
import { type PlaceOptions, placeOf } from './cli-place.ts';
import { CommandFailed, configOf, exitCodes, type Shell } from './cli-shell.ts';
import { type Access, atDesk } from './cli-store.ts';
import type { AdminRoute } from './http-route.ts';
import type { Api, ApiAnswer, ApiRequest } from './remote.ts';

export type Asking<View> = {
  /** The operationId of its route. */
  readonly name: string;
  readonly params?: Readonly<Record<string, string>>;
  /** What is undefined was not said. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** What the store is opened for, where it is right here. */
  readonly access: Access;
  /** What of the config it needs there; left out: `store`. */
  readonly need?: Need;
  /** What would be done is told, and nothing is. */
  readonly isDry?: boolean;
  /** What is so where there is no database yet, at this place; left out: a complaint. */
  readonly nothing?: (policy: Policy, place: string) => Checked<View>;
};

/**
 * @param options where, as `atPlace` reads it.
 * @throws CommandFailed where nobody can be asked, or whoever asks may not; ConfigFailed.
 */
export async function ask<View>(
  options: PlaceOptions,
  asking: Asking<View>,
  shell: Shell,
): Promise<Checked<View>> {
  const place = placeOf(options, shell);
  if (place.kind === 'api') return askGateway(place.api, asking);
  return (await askStore(place.file, await routeNamed(asking.name), asking, shell)) as Checked<View>;
}

/** As `ask`, over HTTP. @throws CommandFailed where there is no answer, or whoever asks may not. */
export async function askGateway<View>(
  api: Api,
  asking: Pick<Asking<View>, 'name' | 'params' | 'query' | 'body' | 'isDry'>,
): Promise<Checked<View>> {
  return (await askApi(api, await routeNamed(asking.name), asking)) as Checked<View>;
}

/** The list is loaded only when it is needed. */
async function routeNamed(wanted: string): Promise<AdminRoute> {
  const { adminRoutes } = await import('./http-routes.ts');
  const route = adminRoutes.find(({ name }) => name === wanted);
  if (route === undefined) throw new Error(`no route is called ${wanted}`);
  return route;
}

/** A duration as routes read it; undefined: not said. @param ms null: never. */
export function lasting(ms: number | null | undefined): string | null | undefined {
  return typeof ms === 'number' ? formatDuration(ms) : ms;
}

async function askStore<View>(
  file: string,
  route: AdminRoute,
  { params = {}, query = {}, body = {}, access, need = 'store', isDry = false, nothing }: Asking<View>,
  shell: Shell,
): Promise<Checked<unknown>> {
  const { readAs } = await import('./http-input.ts');
  const { unlimited } = await import('./http-guesses.ts');
  const config = configOf(file, shell, need);
  const said = {
    config,
    operator: null,
    ifVersions: null,
    listen: () => {
      throw new Error('nothing is decided beside a store');
    },
    reload: () => {
      throw new Error('nothing runs beside a store');
    },
    guesses: unlimited,
    params,
    query: readAs(route.query, query),
    body: route.body === null ? null : readAs(route.body, body),
  };
  const answer = await atDesk(config, access, shell, (desk) => route.handle({ desk, ...said }), 'cli', isDry);
  if (answer !== null)
    return isDry && answer.ok ? { ok: true, value: { ...answer.value, dry_run: true } } : answer;
  const place = storeName(config.store);
  if (nothing !== undefined) return nothing(withAdminType(config.policy), place);
  return complain(`there is no database yet at ${place}`, null, 'start the gateway, or create a token');
}

async function askApi(
  api: Api,
  route: AdminRoute,
  {
    params = {},
    query = {},
    body,
    isDry = false,
  }: Pick<Asking<unknown>, 'params' | 'query' | 'body' | 'isDry'>,
): Promise<Checked<unknown>> {
  const { refusedIn, viewIn } = await import('./remote-answer.ts');
  const request = {
    method: route.method,
    path:
      route.path.replace(/\{([a-z_]+)\}/g, (_, name) => encodeURIComponent(params[name] ?? '')) +
      searchOf(isDry ? { ...query, dry_run: 'true' } : query),
    body: route.body === null ? null : JSON.stringify(body ?? {}),
    key: route.once === null ? null : randomUUID(),
  };
  const { answer, isAgain } = await answerOf(api, route, request);
  const refused = refusedIn(answer, api);
  if (refused !== null) return refused;
  const view = viewIn(answer, route, api);
  if (!isAgain || answer.headers['idempotent-replayed'] !== 'true') return { ok: true, value: view };
  const { id } = view;
  throw new CommandFailed(
    exitCodes.refused,
    `${id} was made, and the answer with its text was lost on the way: nobody has it; make another in its place: token rotate ${id} --overlap 0s, or end it: token revoke ${id}`,
  );
}

function searchOf(query: NonNullable<Asking<unknown>['query']>): string {
  const search = new URLSearchParams();
  for (const [name, said] of Object.entries(query)) {
    for (const value of said === undefined ? [] : [said].flat()) search.append(name, value);
  }
  return search.size === 0 ? '' : `?${search}`;
}

const triesMax = 5;
const waitMsMax = 5000;

/** What is done once under its key is asked for a second time where the first answer was lost. */
async function answerOf(
  api: Api,
  route: AdminRoute,
  request: ApiRequest,
): Promise<{ readonly answer: ApiAnswer; readonly isAgain: boolean }> {
  const { askOnce, NoAnswer } = await import('./remote.ts');
  const { isLost, isUnderWay, unanswered } = await import('./remote-answer.ts');
  for (let isAgain = false, tries = 1; ; isAgain = true, tries++) {
    try {
      const answer = await askOnce(api, request);
      const waits = isAgain && isUnderWay(answer);
      if (request.key === null || !(waits || isLost(answer, isAgain))) return { answer, isAgain };
      if (tries === triesMax || (isAgain && !waits)) throw new NoAnswer(String(answer.status), true);
      await sleep(Math.min(waitMsMax, 1000 * Number(answer.headers['retry-after'] ?? 0)));
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (isAgain || !error.isSent || request.key === null) throw unanswered(error, api, route, isAgain);
    }
  }
}
