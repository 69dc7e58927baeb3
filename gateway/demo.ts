/** `npm run demo`: the shipped config before an echo upstream, one token per type, and curl lines to paste. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { TokenType } from '../policy/token-types.ts';
import type { TokenStore } from '../store/token-store.ts';
import type { LoadedConfig } from './config/load.ts';
import { createEcho } from './echo.ts';
import { closeServer, listenOn, urlOf } from './listeners.ts';
import { type Running, startGateway } from './main.ts';

export type DemoOptions = { readonly json: boolean; readonly port: number };

const configFile = join(dirname(fileURLToPath(import.meta.url)), '..', 'gateway.config.yaml');

/** Runs until SIGTERM, SIGINT or the end of its terminal. Keeps nothing: the store is a folder that goes with it. */
export async function demo({ json, port }: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-demo-'));
  const echo = createEcho();
  await listenOn(echo, { host: '127.0.0.1', port: 0 });
  const upstream = urlOf(echo);
  const clear = async (): Promise<void> => {
    await closeServer(echo);
    await rm(folder, { recursive: true, force: true });
  };
  const running = await startGateway({
    configFile,
    listen: `127.0.0.1:${port}`,
    health: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    log: pino({ level: 'error' }, pino.destination({ fd: 2 })),
    adapt: (config) => adapted(config, upstream, folder),
  }).catch(async (error: unknown) => {
    await clear();
    throw error;
  });
  const tokens = await mintOneEach(running.config(), running.tokens);
  const addresses = { gateway: running.listen, admin: running.admin, upstream };
  process.stdout.write(json ? `${JSON.stringify({ ...addresses, tokens })}\n` : guide(running, tokens));
  const leave = async (): Promise<void> => {
    await running.stop();
    await clear();
    process.exit(0);
  };
  process.once('SIGTERM', () => void leave());
  process.once('SIGINT', () => void leave());
  process.once('SIGHUP', () => void leave());
}

/** The shipped config, except that everything stays on this machine and goes away afterwards. */
function adapted(config: LoadedConfig, upstream: string, folder: string): LoadedConfig {
  const upstreams = new Map(
    [...config.upstreams].map(([name, settings]) => [
      name,
      { ...settings, urls: [{ origin: upstream, basePath: '' }] },
    ]),
  );
  const listen = { ...config.listen, announceMs: 0 };
  return { ...config, listen, upstreams, redis: null, store: { path: join(folder, 'postern.db') } };
}

async function mintOneEach(config: LoadedConfig, store: TokenStore): Promise<Record<string, string>> {
  const tokens: Record<string, string> = {};
  for (const type of config.policy.types.values()) {
    if (type.verify !== undefined) continue;
    const { plaintext } = await store.create({
      type,
      label: `demo ${type.name}`,
      scopes:
        'grantable' in type.scopes ? type.scopes.grantable.filter((scope) => scope !== 'items:delete') : [],
      attributes: requiredAttributes(type),
      origins: [],
      expiresAt: null,
      createdBy: 'demo',
    });
    tokens[type.name] = plaintext;
  }
  return tokens;
}

function requiredAttributes(type: TokenType): Map<string, string> {
  const required = [...type.attributes].filter(([, rule]) => rule.required);
  return new Map(required.map(([name]) => [name, 'acme']));
}

function guide(
  { listen: gateway, admin, bootstrapFile }: Pick<Running, 'listen' | 'admin' | 'bootstrapFile'>,
  tokens: Record<string, string>,
): string {
  const exports = Object.entries(tokens).map(([type, token]) => `export ${type.toUpperCase()}=${token}`);
  const bearer = '-H "Authorization: Bearer $SERVICE"';
  const status = "curl -s -o /dev/null -w '%{http_code}\\n'";
  return `Postern listens on ${gateway}, before an upstream that echoes what reaches it.
Paste the tokens into another terminal, then ask:

${exports.join('\n')}

curl -i ${bearer} ${gateway}/items                 # 200
curl -i ${gateway}/items                                                   # 401
curl -i -X DELETE ${bearer} ${gateway}/items/7     # 403
curl -i ${bearer} ${gateway}/nothing               # 404
curl -i -X PUT ${bearer} ${gateway}/items          # 405
for i in 1 2 3 4 5 6; do ${status} -X POST ${bearer} ${gateway}/exports; done   # 200 five times, then 429

The dashboard is at ${admin}/, and the admin API beside it. Their first token is in a file that goes when it is used:

export ADMIN=$(cat ${bootstrapFile}); echo $ADMIN
curl -i -H "Authorization: Bearer $ADMIN" ${admin}/v1/tokens               # 200

Ctrl-C stops it; nothing is kept.
`;
}
