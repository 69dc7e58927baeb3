/** `postern login|whoami|logout`: which gateway is asked, and by which admin token, where a command says neither. */

import type { Command } from 'commander';
import { adminPrefix } from '../../policy/admin-type.ts';
import { ask, askGateway } from './cli-ask.ts';
import { apiOf, originOf, type PlaceOptions, saidUrl, withUrl } from './cli-place.ts';
import { readSecret } from './cli-secret.ts';
import {
  allowed,
  CommandFailed,
  exitCodes,
  formatTable,
  isJson,
  type JsonOptions,
  printJson,
  type Shell,
  tableOption,
  visible,
} from './cli-shell.ts';
import { forgetLogin, isAdminToken, keepLogin, readLogin } from './login-file.ts';
import type { TokenView } from './token-view.ts';

type Options = PlaceOptions & JsonOptions;

export function addLogin(program: Command, shell: Shell): void {
  withUrl(program.command('login'))
    .description('keep an admin token for a gateway, for commands that name neither config nor gateway')
    .option('--json', 'print who that is')
    .action((options: Options) => login(options, shell));
  withUrl(program.command('whoami'))
    .description('which gateway is asked, and as whom')
    .option('--json', 'print {"url","from"} and the record of the token')
    .addOption(tableOption())
    .action((options: Options) => whoami(options, shell));
  program
    .command('logout')
    .description('forget what login keeps; the token itself works until it is revoked')
    .action(() => {
      shell.out(forgetLogin(shell.env) ? 'logged out\n' : 'nobody was logged in\n');
    });
}

async function login(options: Options, shell: Shell): Promise<void> {
  const said = saidUrl(options, shell) ?? readLogin(shell.env)?.url ?? null;
  if (said === null) {
    throw new CommandFailed(exitCodes.usage, 'not said where; add --url http://127.0.0.1:8081');
  }
  const insecureHttp = options.insecureHttp === true;
  const url = originOf(said, insecureHttp);
  const token = await readSecret(`admin token for ${url} (not shown): `, shell);
  if (!isAdminToken(token)) {
    const message = `no admin token came by stdin; pipe in one that begins with ${adminPrefix}`;
    throw new CommandFailed(exitCodes.usage, message);
  }
  // Asked by this token, whatever else is there.
  const view = allowed(
    await askGateway<TokenView>({ origin: url, token, from: 'login' }, { name: 'whoami' }),
  );
  keepLogin(shell.env, { url, token, insecureHttp });
  if (options.json) return printJson(shell, { url, from: 'login', ...view });
  const until = view.expires_at === null ? 'until it is revoked' : `until ${view.expires_at}`;
  shell.out(`logged in at ${url} as ${visible(`${view.id} "${view.label}"`)}, ${until}\n`);
}

async function whoami(options: Options, shell: Shell): Promise<void> {
  const { origin: url, from } = apiOf(options, shell);
  const view = await askWho({ ...options, url }, shell);
  if (isJson(options, shell)) return printJson(shell, { url, from, ...view });
  const rows = [
    ['gateway', url],
    ['token', `${view.id} "${view.label}"`],
    ['from', from === 'login' ? 'postern login' : 'POSTERN_ADMIN_TOKEN'],
    ['scopes', view.scopes.join(' ')],
    ['expires', view.expires_at ?? 'never'],
  ];
  shell.out(`${formatTable(rows.map((row) => row.map(visible))).join('\n')}\n`);
}

async function askWho(options: PlaceOptions, shell: Shell): Promise<TokenView> {
  return allowed(await ask<TokenView>(options, { name: 'whoami', access: 'read' }, shell));
}
