/** `postern serve` and `postern demo`: start what keeps running. Loaded only when asked for. */
import type { Command } from 'commander';
import { parseAddress } from '../config/address.ts';
import { CommandFailed, configOption, exitCodes } from './cli-shell.ts';

type ServeOptions = {
  readonly config: string;
  readonly listen?: string;
  readonly health?: string;
  readonly admin?: string;
  readonly watch?: true;
};

type DemoOptions = { readonly json?: true; readonly port: number };

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('start the gateway; SIGHUP reloads the config, SIGTERM drains')
    .addOption(configOption())
    .option('--listen <host:port>', "instead of the config's listen.address; port 0: any", address)
    .option('--health <host:port>', "instead of the config's health.address", address)
    .option('--watch', 'reload by itself when the config file has changed')
    .option('--admin <host:port>', "instead of the config's admin.address", address)
    .action((options: ServeOptions) => start(options));
  program
    .command('demo')
    .description('a gateway, an echo upstream and one token per type, to try with curl')
    .option('--json', 'print one JSON line instead of the tour')
    .option('--port <number>', 'where to listen on 127.0.0.1; 0: any', port, 8080)
    .action(async ({ json, port }: DemoOptions) => {
      const { demo } = await import('../demo.ts');
      await demo({ json: json === true, port });
    });
}

async function start({ config, listen, health, admin, watch }: ServeOptions): Promise<void> {
  const { serve } = await import('../process.ts');
  await serve({
    configFile: config,
    ...(listen === undefined ? {} : { listen }),
    ...(health === undefined ? {} : { health }),
    ...(admin === undefined ? {} : { admin }),
    ...(watch === undefined ? {} : { watch }),
  });
}

function address(text: string): string {
  const parsed = parseAddress(text);
  if (parsed.ok) return text;
  throw new CommandFailed(exitCodes.usage, `${parsed.message}; ${parsed.hint}`);
}

function port(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new CommandFailed(exitCodes.usage, `"${text}" is not a port; write a number from 0 to 65535`);
}
