/** Where a command works: on the store beside a config, or by the admin API of a gateway that runs. */
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';
import { isAdminToken, type Login, loginFile, readLogin } from './login-file.ts';
import type { Api } from './remote.ts';

export type PlaceOptions = {
  readonly config?: string;
  readonly url?: string;
  readonly insecureHttp?: true;
};

export type Place =
  | { readonly kind: 'store'; readonly file: string }
  | { readonly kind: 'api'; readonly api: Api };

export const usualConfig = 'gateway.config.yaml';

/** For commands that can do either. */
export function atPlace(command: Command): Command {
  return withUrl(command).option('--config <file>', `beside the store of this config (${usualConfig})`);
}

/** For commands that are about a gateway and no store. */
export function withUrl(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', "by a gateway's admin API, at http://127.0.0.1:8081").conflicts('config'),
    )
    .option('--insecure-http', 'let the admin token go over http to another host');
}

/**
 * What was said decides: `--config`, `--url`, POSTERN_URL, in this order; else a config in this folder, else the login.
 *
 * @throws CommandFailed where there is no token for the gateway, or it must not go there.
 */
export function placeOf(options: PlaceOptions, shell: Shell): Place {
  if (options.config !== undefined) return { kind: 'store', file: options.config };
  const said = saidUrl(options, shell);
  if (said === null && existsSync(usualConfig)) {
    if (existsSync(loginFile(shell.env))) tell(`beside ${usualConfig}, and not where login is`, shell);
    return { kind: 'store', file: usualConfig };
  }
  const api = said === null ? loginApi(shell) : apiAt(said, options, shell);
  if (api === null) {
    const hint = 'say where: --config FILE, or the gateway that runs, --url URL';
    throw new CommandFailed(
      exitCodes.config,
      `there is no ${usualConfig} in this folder, and nobody is logged in; ${hint}`,
    );
  }
  if (options.url === undefined) tell(`asking ${api.origin}`, shell);
  return { kind: 'api', api };
}

/** As `placeOf`, for commands that are about a gateway. @throws CommandFailed where none is known. */
export function apiOf(options: PlaceOptions, shell: Shell): Api {
  const said = saidUrl(options, shell);
  const api = said === null ? loginApi(shell) : apiAt(said, options, shell);
  if (api !== null) return api;
  throw new CommandFailed(exitCodes.refused, `nobody is logged in; ${howToLogIn('URL')}`);
}

/** `--url`, else POSTERN_URL; null: neither. */
export function saidUrl({ url }: PlaceOptions, { env }: Shell): string | null {
  return url ?? (env.POSTERN_URL || null);
}

/** The login's address, by its token or that of the environment. */
function loginApi(shell: Shell): Api | null {
  const login = readLogin(shell.env);
  if (login === null) return null;
  const origin = originOf(login.url, login.insecureHttp);
  const own = environmentToken(shell);
  return own === null
    ? { origin, token: login.token, from: 'login' }
    : { origin, token: own, from: 'environment' };
}

function apiAt(url: string, { insecureHttp }: PlaceOptions, shell: Shell): Api {
  const own = environmentToken(shell);
  const login = own === null ? readLogin(shell.env) : null;
  const origin = originOf(url, insecureHttp === true || isKeptInsecure(login, url));
  if (own !== null) return { origin, token: own, from: 'environment' };
  // A token goes to the address that it was kept for.
  if (login !== null && login.url === origin) return { origin, token: login.token, from: 'login' };
  const message = `there is no admin token for ${origin}; ${howToLogIn(origin)}, or set POSTERN_ADMIN_TOKEN`;
  throw new CommandFailed(exitCodes.refused, message);
}

function isKeptInsecure(login: Login | null, url: string): boolean {
  return login?.insecureHttp === true && login.url === url.replace(/\/$/, '');
}

/** @throws CommandFailed where the variable holds something else; it is not repeated. */
function environmentToken({ env }: Shell): string | null {
  const text = (env.POSTERN_ADMIN_TOKEN ?? '').trim();
  if (text === '') return null;
  if (isAdminToken(text)) return text;
  throw new CommandFailed(
    exitCodes.usage,
    'POSTERN_ADMIN_TOKEN holds no admin token; it begins with postern_admin_, and token create makes one',
  );
}

const loopback = /^(?:127(?:\.[0-9]{1,3}){3}|\[::1\]|localhost)$/;

/**
 * The address of an admin listener, in its one spelling. What is not one is not repeated: it may be a token.
 *
 * @param insecure whether http may be spoken to a host that is not this one.
 * @throws CommandFailed
 */
export function originOf(text: string, insecure: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isWeb || `${url.origin}/` !== url.href) {
    const hint = 'write http://127.0.0.1:8081, without path, name or password';
    throw new CommandFailed(exitCodes.usage, `not the address of an admin listener; ${hint}`);
  }
  if (url.protocol === 'https:' || insecure || loopback.test(url.hostname)) return url.origin;
  throw new CommandFailed(
    exitCodes.usage,
    `over http everybody on the way to ${url.host} could read the admin token; use https, or say --insecure-http`,
  );
}

export function howToLogIn(url: string): string {
  return `postern login --url ${url}`;
}

function tell(words: string, shell: Shell): void {
  if (shell.terminal?.err === true) shell.err(`${words}\n`);
}
